"""Sampling of priors and the task as a whole: sound in, frames out."""
