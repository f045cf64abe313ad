"""Layers that the paper invents or needs."""
