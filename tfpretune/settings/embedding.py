"""Settings of embeddings that are learnt by comparing the examples of a batch. Imports no TensorFlow."""

import dataclasses

from tfpretune.errors import UsageError
from tfpretune.settings.columns import LabelColumns
from tfpretune.settings.finetune import TaskConfig
from tfpretune.settings.preprocessing import MovedImages, WindowedText


@dataclasses.dataclass(frozen=True)
class EmbeddingConfig(LabelColumns, WindowedText, MovedImages, TaskConfig):
    """A run whose loss is supervised contrastive, on texts or on images.

    Examples:
        >>> from tfpretune.settings import EmbeddingConfig
        >>> EmbeddingConfig("demo:bbc", "runs/a", steps=5, preset="runs/p/preset").per_class
        4
    """

    labels_per_class: int = 0
    """Labelled examples to use per class; 0 uses all. No other labels choose anything: all steps are made, and the last weights
    are kept."""
    choose_on_validation: bool = False
    """With --labels-per-class: the validation split chooses the checkpoint, whose labels are more than those per class."""
    size: int = 128
    """Numbers of an embedding."""
    temperature: float = 0.1
    """Of the loss, above 0: the smaller, the more the nearest wrong examples count."""
    per_class: int = 4
    """Examples of a class that come together in a batch, all classes equally often; 0: examples as they come."""

    def __post_init__(self) -> None:
        """Refuses values that cannot work."""
        super().__post_init__()
        together = "the loss compares all examples of a batch with each other"
        reasons = (
            (self.size < 1 or not self.temperature > 0, "--size must be at least 1 and --temperature above 0"),
            (self.labels_per_class < 0, "--labels-per-class must not be negative"),
            (
                self.choose_on_validation and not self.labels_per_class,
                "--choose-on-validation needs --labels-per-class: otherwise a validation split chooses anyway",
            ),
            (
                self.patience and self.labels_per_class and not self.choose_on_validation,
                "--patience and --labels-per-class: only with --choose-on-validation there is a validation split to stop by",
            ),
            (
                self.per_class and (self.per_class < 2 or self.batch_size % self.per_class),
                f"--per-class must be 0, or at least 2 and divide --batch-size {self.batch_size}, "
                f"received {self.per_class}",
            ),
            (self.r_drop, "--r-drop: embeddings have no distance between two passes; leave it out"),
            (self.accumulate_steps != 1, f"--accumulate-steps must be 1: {together}"),
            (self.jit == "on" and self.devices.replicas > 1, f"--jit on with several replicas: {together}"),
            (self.cache_features and self.per_class, "--cache-features serves rows as they come: give --per-class 0"),
        )
        for holds, reason in reasons:
            if holds:
                raise UsageError(reason)
