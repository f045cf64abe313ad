"""Videos to `.nwt` files and back."""
