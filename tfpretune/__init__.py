"""Keras-first pre-training and fine-tuning: unlabelled data and few labels in, a served model out."""

__version__ = "0.1.0"
