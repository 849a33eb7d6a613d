"""Settings that every fine-tuning recipe has. Imports no TensorFlow."""

import dataclasses

from tfpretune.config import RunConfig, UsageError, require_shares


@dataclasses.dataclass(frozen=True)
class FinetuneConfig(RunConfig):
    """A run on labelled examples that starts from a preset. Each method is a field of its own, and any of them go together."""

    preset: str = ""
    """The pre-trained backbone, with its tokenizer where it reads text: a folder, or a KerasHub name."""
    from_scratch: bool = False
    """Take only the preset's architecture, with random weights: the side to compare with."""
    labels_per_class: int = 0
    """Use only so many labelled examples of each class; 0 uses all."""
    frozen: str = "none"
    """none, all (only the head learns), the number of bottom layers that stay, or a pattern on layer names."""
    probe_head: bool = True
    """Start the head from a logistic regression on the frozen features (LP-FT); matters most with few labels."""
    dropout: float = 0.1
    """Rate of dropout before the head's last layer."""
    backbone_dropout: float | None = None
    """Rate of dropout inside the backbone, against overfitting; None keeps the preset's. For backbones that have one."""
    label_smoothing: float = 0.0
    """Share of each target that is spread over all classes."""
    balance_classes: bool = False
    """Weigh examples so that all classes count the same."""
    patience: int = 0
    """Stop after so many evaluations without a better validation figure; 0 never stops early."""

    def __post_init__(self) -> None:
        """Refuses values that cannot work."""
        super().__post_init__()
        require_shares(
            self, "dropout", "label_smoothing", *(["backbone_dropout"] if self.backbone_dropout is not None else [])
        )
        if not self.preset:
            raise UsageError("--preset is empty: give the folder of a pre-trained preset, or a KerasHub name")
        if self.labels_per_class < 0 or self.patience < 0:
            raise UsageError("--labels-per-class and --patience must not be negative")
