"""Video from speech: what `nwt generate` is told, takes and writes."""
