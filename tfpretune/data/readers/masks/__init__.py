"""Masks: files, geometry, meaning, and the one reader of both."""
