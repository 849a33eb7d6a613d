"""What a task needs besides a model: its data, fit, report, hand-over. TensorFlow is imported when a name needs it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
