"""Measures of models: picture quality, codes, lip-sync."""
