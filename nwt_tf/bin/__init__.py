"""The `nwt` commands: absl-flag programs that wire the libraries together."""
