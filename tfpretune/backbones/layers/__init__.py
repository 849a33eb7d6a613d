"""Blocks of backbones, low-rank layers, and the fast paths."""
