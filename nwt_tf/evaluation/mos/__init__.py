"""Listening tests (Appendix E): surveys, their server, and the analysis of what raters answered."""
