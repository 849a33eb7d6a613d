"""Texts larger than memory: chunks, choosing, packing, shards, Beam."""
