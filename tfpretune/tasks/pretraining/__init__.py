"""Pre-training: its objectives, what it learns from, what is reported of it."""
