"""Settings of comparisons over seeds. Imports no TensorFlow."""

import dataclasses

from tfpretune.settings.columns import LabelColumns
from tfpretune.settings.run import require_at_least


@dataclasses.dataclass(frozen=True)
class SeedsConfig:
    """Every figure is a mean over seeds.

    Examples:
        >>> from tfpretune.settings import SeedsConfig
        >>> SeedsConfig(seeds=1)
        Traceback (most recent call last):
            ...
        tfpretune.errors.UsageError: --seeds must be at least 2, received 1
    """

    seeds: int = 3
    """Start weights, orders and draws of labels that each metric is the mean of, at least 2."""
    fast: bool = False
    """Rehearse on a few batches: the metrics mean nothing."""

    def __post_init__(self) -> None:
        """Refuses what gives no standard deviation."""
        require_at_least(self, 2, "seeds")


@dataclasses.dataclass(frozen=True)
class ComparisonConfig(LabelColumns, SeedsConfig):
    """Trials of several methods, kept in a folder.

    Examples:
        >>> from tfpretune.settings import ComparisonConfig
        >>> ComparisonConfig(steps=100).batch_size
        64
    """

    out_dir: str = "runs/comparison"
    """Folder of the comparison. Trials that are finished there are not made again."""
    steps: int = 500
    """Optimizer steps of every method."""
    batch_size: int = 64
    """Labelled examples per step."""

    def __post_init__(self) -> None:
        """Refuses values that cannot work."""
        super().__post_init__()
        require_at_least(self, 1, "steps", "batch_size")
