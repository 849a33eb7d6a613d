"""Replicas, number formats, XLA, memory."""
