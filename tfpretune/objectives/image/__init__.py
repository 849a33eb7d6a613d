"""Pre-training on images."""
