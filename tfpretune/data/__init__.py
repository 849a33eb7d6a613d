"""A source -> examples -> batches. Knows no model; TensorFlow is imported when batches are made."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
