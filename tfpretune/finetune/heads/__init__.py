"""Heads: a pre-trained backbone to outputs."""
