"""Model and batches in, trained weights on disk out.

Examples:
    >>> from tfpretune.training import make_strategy
    >>> with make_strategy(1).scope():
    ...     pass  # make the model here, then call `fit`
"""

from tfpretune.training.devices.strategies import make_strategy, resolve_precision
from tfpretune.training.loop.fit import FitResult, fit
from tfpretune.training.optimizers.from_settings import make_optimizer

__all__ = ["FitResult", "fit", "make_optimizer", "make_strategy", "resolve_precision"]
