"""What `nwt benchmark` measures."""
