"""Folders of Hugging Face checkpoints."""
