"""Layers that the paper invents or needs: hard attention, SC3D, causal convolutions, residual blocks, mel."""
