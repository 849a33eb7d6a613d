"""Packaged data, one file a set."""
