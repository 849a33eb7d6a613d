"""Metrics, one file a form of answer, and what they prove."""
