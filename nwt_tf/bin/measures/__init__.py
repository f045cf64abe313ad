"""What `nwt evaluate` measures."""
