"""Model and batches in, trained weights on disk out.

All is imported at once, since Keras finds the optimizer of a saved model by its import.

Examples:
    >>> from tfpretune.training import make_strategy
    >>> with make_strategy(1).scope():
    ...     pass  # make the model here, then call `fit`
"""

from tfpretune.training.adapters import load_adapter, save_adapter, set_adapter
from tfpretune.training.devices.randomness import set_random_seed
from tfpretune.training.devices.strategies import is_chief, make_strategy, resolve_precision
from tfpretune.training.loop.checkpoints import CheckpointFolder
from tfpretune.training.loop.dry_run import describe
from tfpretune.training.loop.fingerprint import fingerprint_of, fingerprints
from tfpretune.training.loop.fit import FitResult, fit
from tfpretune.training.loop.preparation import compile_model
from tfpretune.training.loop.signals import Stopped
from tfpretune.training.loop.trial_folder import check_same_comparison, trial_fingerprint
from tfpretune.training.optimizers.from_settings import make_optimizer
from tfpretune.training.optimizers.learning_rate_finder import (
    LearningRateCurve,
    find_learning_rate,
    print_curve,
    write_curve,
)
from tfpretune.training.optimizers.moving_averages import AverageWeights
from tfpretune.training.optimizers.multi_rate import MultiRateAdagrad, MultiRateAdamW, MultiRateSGD
from tfpretune.training.optimizers.schedules import WarmUp
from tfpretune.training.presets import load_task, save_preset
from tfpretune.training.run_variables import snapshot
from tfpretune.training.tensorboard.distance import DistanceFromInitialization
from tfpretune.training.tensorboard.images import ConfusionMatrixCallback, ReconstructionCallback
from tfpretune.training.tensorboard.run import EmbeddingsCallback
from tfpretune.training.tensorboard.text import FillMaskCallback

__all__ = [
    "AverageWeights",
    "CheckpointFolder",
    "ConfusionMatrixCallback",
    "DistanceFromInitialization",
    "EmbeddingsCallback",
    "FillMaskCallback",
    "FitResult",
    "MultiRateAdagrad",
    "MultiRateAdamW",
    "MultiRateSGD",
    "LearningRateCurve",
    "ReconstructionCallback",
    "Stopped",
    "WarmUp",
    "check_same_comparison",
    "compile_model",
    "describe",
    "find_learning_rate",
    "fingerprints",
    "fit",
    "fingerprint_of",
    "is_chief",
    "load_adapter",
    "load_task",
    "make_optimizer",
    "make_strategy",
    "print_curve",
    "resolve_precision",
    "save_adapter",
    "save_preset",
    "set_adapter",
    "set_random_seed",
    "snapshot",
    "trial_fingerprint",
    "write_curve",
]
