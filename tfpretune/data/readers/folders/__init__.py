"""Folders of texts and images: what is walked, what is a class, what is a split."""
