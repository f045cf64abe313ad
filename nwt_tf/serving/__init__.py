"""`nwt serve`: a page and a REST interface that turn anyone's sound into video."""
