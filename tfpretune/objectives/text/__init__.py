"""Pre-training on texts."""
