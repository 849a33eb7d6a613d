"""Settings of an adaptation to another domain. Imports no TensorFlow."""

import dataclasses
import math

from tfpretune.errors import UsageError
from tfpretune.settings.comparison import ComparisonConfig
from tfpretune.settings.run import OptimizerConfig, require_fractions


@dataclasses.dataclass(frozen=True)
class Strengths:
    """How much of each method.

    Examples:
        >>> from tfpretune.experiments import Strengths
        >>> Strengths(rounds=20).require_steps(10)
        Traceback (most recent call last):
            ...
        tfpretune.errors.UsageError: ...
    """

    domain_weight: float = 0.1
    """dann: factor of the domain head's loss; the features get it reversed, times the schedule from 0 to 1."""
    coral_weight: float = 300.0
    """coral: factor of the distance of the covariances."""
    threshold: float = 0.95
    """pseudo-labels: keep what the classifier is so sure of."""
    rounds: int = 1
    """pseudo-labels: how often they are made anew; the steps are divided among the rounds and the start on the source alone."""

    def __post_init__(self) -> None:
        """Refuses values that cannot work."""
        for name in ("domain_weight", "coral_weight"):
            if not 0.0 < getattr(self, name) < math.inf:
                option = name.replace("_", "-")
                raise UsageError(f"--strengths.{option} must be a number above 0, received {getattr(self, name)}")
        if not 0.0 < self.threshold <= 1.0:
            raise UsageError(f"--strengths.threshold must be in (0, 1], received {self.threshold}")
        if self.rounds < 1:
            raise UsageError(f"--strengths.rounds must be at least 1, received {self.rounds}")

    def require_steps(self, steps: int) -> None:
        """Refuses rounds that leave no step for the start.

        Raises:
            UsageError: says how many steps there are.
        """
        if self.rounds >= steps:
            raise UsageError(
                f"--strengths.rounds {self.rounds} leaves no step for the start: give fewer than --steps {steps}"
            )


@dataclasses.dataclass(frozen=True)
class DomainsConfig(ComparisonConfig):
    """What all methods share: data, network, augmentation, budget."""

    source: tuple[str, ...] = ()
    """Labelled domains; several get equal shares of every batch."""
    target: str = ""
    """Another domain with the same classes. Its labels are read by target-only and for the score."""
    batch_size: int = 64
    """Labelled examples per step; dann, coral and pseudo-labels see as many of the target's beside them."""
    preset: str = ""
    """Pre-trained backbone to start from, for texts with its tokenizer; empty for images: a new --backbone."""
    backbone: str = "cnn-small"
    """Images without a preset: cnn-small, cnn-medium, vit-mini, vit-tiny or vit-small."""
    image_shape: tuple[int, int, int] = (16, 16, 1)
    """Height, width and channels that all images are brought to."""
    sequence_length: int = 128
    """Tokens of a text that are read."""
    shift: int = 1
    """Augmentation, the same for all methods and domains: largest shift, pixels."""
    rotate_degrees: float = 10.0
    """Augmentation: largest angle to either side."""
    scale: float = 0.2
    """Augmentation: largest zoom in or out, as a fraction of the size."""
    strengths: Strengths = dataclasses.field(default_factory=Strengths)
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=3e-3, warmup=0.1, weight_decay=0.05)

    def __post_init__(self) -> None:
        """Refuses values that cannot work."""
        super().__post_init__()
        require_fractions(self, "scale")
