"""Model and batches in, trained weights on disk out."""

from tfpretune.training.devices.strategies import make_strategy, resolve_precision
from tfpretune.training.loop.fit import FitResult, fit
from tfpretune.training.optimizers.from_settings import make_optimizer

__all__ = ["FitResult", "fit", "make_optimizer", "make_strategy", "resolve_precision"]
