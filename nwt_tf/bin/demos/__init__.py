"""What `nwt demo` does, with the shipped preset and with a training."""
