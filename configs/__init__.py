"""Experiments: one Python file each, returning a dataclass."""
