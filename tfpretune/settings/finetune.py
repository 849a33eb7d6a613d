"""Settings that every fine-tuning recipe has. Imports no TensorFlow."""

import dataclasses
from collections.abc import Iterator
from typing import Literal

from tfpretune.errors import UsageError
from tfpretune.settings.columns import LabelColumns
from tfpretune.settings.run import RunConfig, require_fractions
from tfpretune.settings.splits import OwnSplits, require_splits


@dataclasses.dataclass(frozen=True)
class TaskConfig(OwnSplits, RunConfig):
    """A run that starts from a preset, for any task. Each method is a field of its own, and they go together.

    Examples:
        >>> from tfpretune.settings import TaskConfig
        >>> run = TaskConfig("demo:digits", "runs/digits", epochs=5, preset="runs/pretrained/preset", frozen="last:2")
        >>> run.frozen, run.layer_decay
        ('last:2', 1.0)
    """

    preset: str = ""
    """The pre-trained backbone, with its tokenizer where it reads text: a folder, or a KerasHub name."""
    from_scratch: bool = False
    """Take only the preset's architecture, with random weights: the side to compare with."""
    frozen: str = "none"
    """none; all (only the head is trained); K bottom layers stay; last:K (only the top K blocks are trained); bias (only biases
    and normalization are trained); or a pattern on the names of layers that stay."""
    unfreeze_every: int = 0
    """Train the head alone at first, and one block of the backbone more after every N steps; 0: all at once."""
    layer_decay: float = 1.0
    """Multiply the learning rate by this from each block to the one below, in (0, 1]; such as 0.8."""
    lora_rank: int = 0
    """Train low-rank matrices beside the backbone's (LoRA) instead of these; 0: no."""
    lora_alpha: float = 0.0
    """LoRA's product is multiplied by alpha / rank; 0: alpha is the rank."""
    lora_dropout: float = 0.0
    """Dropout rate before LoRA's matrices."""
    lora_layers: str = ""
    """Pattern on the paths of the layers that get LoRA; empty: attention's queries and values, without attention all."""
    l2_sp: float = 0.0
    """Pull the backbone's weights towards their pre-trained values (L2-SP), such as 0.01; 0: no."""
    l2_sp_head: float = 0.0
    """Pull the head's weights towards 0, such as 0.01; 0: no."""
    l1: float = 0.0
    """Pull the trainable kernels towards 0 by their absolute values; 0: no."""
    r_drop: float = 0.0
    """Weight of the difference between two passes with different dropout (R-Drop), such as 1; 0: one pass."""
    cache_features: bool = False
    """With --frozen all: compute the backbone's features once, and train the head on them."""
    dropout: float = 0.1
    """Dropout rate before the head's last layer."""
    backbone_dropout: float | None = None
    """Dropout rate inside the backbone, against overfitting; None keeps the preset's. For backbones that have one."""
    most_unknown: float = 0.2
    """Texts: refuse those of which a larger fraction of the tokens is [UNK] than this, in [0, 1]; 1 refuses nothing."""
    patience: int = 0
    """Stop after N evaluations without a better validation metric; 0 never stops early."""

    def __post_init__(self) -> None:
        """Refuses values that cannot work."""
        super().__post_init__()
        require_fractions(
            self,
            "dropout",
            "lora_dropout",
            *(["backbone_dropout"] if self.backbone_dropout is not None else []),
        )
        require_splits(self, self.source)
        if not self.preset:
            raise UsageError("--preset is empty: give the folder of a pre-trained preset, or a KerasHub name")
        for name in ("patience", "unfreeze_every", "l2_sp", "l2_sp_head", "l1", "r_drop"):
            if getattr(self, name) < 0:
                raise UsageError(f"--{name.replace('_', '-')} must not be negative, received {getattr(self, name)}")
        if self.lora_rank < 0 or self.lora_alpha < 0:
            raise UsageError("--lora-rank and --lora-alpha must not be negative")
        if not 0 < self.layer_decay <= 1:
            raise UsageError(f"--layer-decay must be in (0, 1], received {self.layer_decay}")
        for reason in self._conflicts():
            raise UsageError(reason)

    @property
    def has_layer_rates(self) -> bool:
        """Whether the blocks of the backbone learn at rates of their own."""
        return self.layer_decay < 1

    def _conflicts(self) -> Iterator[str]:
        """Says of each two settings that make no sense together why."""
        head_only = self.frozen == "all"
        pairs = (
            (self.unfreeze_every and head_only, "--unfreeze-every and --frozen all: nothing may be unfrozen"),
            (
                self.unfreeze_every and self.from_scratch,
                "--unfreeze-every and --from-scratch: random layers cannot wait",
            ),
            (self.lora_rank and head_only, "--lora-rank and --frozen all: no layer is left for LoRA"),
            (self.lora_rank and self.from_scratch, "--lora-rank and --from-scratch: LoRA needs pre-trained weights"),
            (self.l2_sp and head_only, "--l2-sp and --frozen all: the backbone does not move"),
            (self.l2_sp and self.lora_rank, "--l2-sp and --lora-rank: the weights that LoRA stands on do not move"),
            (self.l2_sp and self.from_scratch, "--l2-sp and --from-scratch: there are no pre-trained values"),
            (self.has_layer_rates and head_only, "--layer-decay and --frozen all: the head has one learning rate"),
            (self.cache_features and not head_only, "--cache-features needs --frozen all: else the features change"),
            (
                self.cache_features and self.backbone_dropout,
                "--cache-features and --backbone-dropout: the features are other ones at each step",
            ),
            (
                self.r_drop and not self.dropout and self.backbone_dropout == 0,
                "--r-drop needs --dropout or --backbone-dropout above 0: without, both passes are the same",
            ),
            (
                not self.lora_rank and (self.lora_alpha or self.lora_dropout or self.lora_layers),
                "--lora-alpha, --lora-dropout and --lora-layers need --lora-rank",
            ),
        )
        return (reason for holds, reason in pairs if holds)


@dataclasses.dataclass(frozen=True)
class FinetuneConfig(LabelColumns, TaskConfig):
    """A run on labelled examples: each has a class, a set of classes, or a number.

    Examples:
        >>> from tfpretune.settings import FinetuneConfig
        >>> run = FinetuneConfig("csv:tickets.csv", "runs/tickets", epochs=5, preset="runs/a/preset", label_kind="multi-label")
        >>> run.label_kind, run.label_separator
        ('multi-label', ';')
    """

    label_kind: Literal["", "single", "multi-label", "regression"] = ""
    """What a label is: one class; a set of classes, several or none; a number. Empty: as the source says, of files a class."""
    label_separator: str = ";"
    """Between the classes of a set in a csv file: "sport;politics"."""
    labels_per_class: int = 0
    """Labelled examples to use per class; 0 uses all. No other labels choose anything: all steps are made, and the last weights
    are kept. Not for sets and numbers."""
    choose_on_validation: bool = False
    """With --labels-per-class: the validation split chooses the checkpoint, whose labels are more than those per class."""
    folds: Literal["auto", "none"] | int = "auto"
    """Judge by repeated k-fold, each example by models that were not trained on it, and train the model that is kept on all of
    them, to its last step. auto: below 200 labelled examples without a validation split of their own, 5 folds or as many as the
    rarest class allows. K: always. none or 1: never."""
    init_head_from_probe: bool = True
    """Start the head from a linear model on the frozen features (LP-FT): a logistic regression, of sets one for each class, of
    numbers a ridge regression. Matters most with few labels."""
    label_smoothing: float = 0.0
    """Fraction of each target that is spread over all classes. Not for sets and numbers."""
    balance_classes: bool = False
    """Weigh examples so that all classes count the same; of sets, that the examples with a class count as much as those
    without. Not for numbers."""

    def __post_init__(self) -> None:
        """Refuses values that cannot work."""
        super().__post_init__()
        require_fractions(self, "label_smoothing")
        if self.labels_per_class < 0:
            raise UsageError(f"--labels-per-class must not be negative, received {self.labels_per_class}")
        if self.choose_on_validation and not self.labels_per_class:
            raise UsageError(
                "--choose-on-validation needs --labels-per-class: otherwise a validation split chooses anyway"
            )
        if self.patience and self.labels_per_class and not self.choose_on_validation:
            raise UsageError(
                "--patience and --labels-per-class: without --choose-on-validation there is nothing to stop by"
            )
        if self.patience and self.asks_for_folds:
            raise UsageError("--patience and --folds: folds have no validation split to stop by")
        if isinstance(self.folds, int) and self.folds < 1:
            raise UsageError(f"--folds must be auto, none, or a number from 1 on, received {self.folds}")
        if self.choose_on_validation and self.asks_for_folds:
            raise UsageError("--choose-on-validation and --folds: folds have no validation split")
        self.require_fits(self.label_kind)

    @property
    def asks_for_folds(self) -> bool:
        """Whether a number of folds is given."""
        return isinstance(self.folds, int) and self.folds > 1

    def require_fits(self, label_kind: str) -> None:
        """Refuses settings that are not compatible with a kind of labels: that of the option, or later what the source has.

        Raises:
            UsageError: says which setting, and why.
        """
        if label_kind not in ("multi-label", "regression"):
            return
        what = {"multi-label": "sets of classes", "regression": "numbers"}[label_kind]
        if self.labels_per_class:
            raise UsageError(f"--labels-per-class and labels that are {what}: that number per class cannot be drawn")
        if self.label_smoothing:
            raise UsageError(f"--label-smoothing and labels that are {what}: it spreads one class over all")
        if self.balance_classes and label_kind == "regression":
            raise UsageError("--balance-classes and labels that are numbers: there are no classes to balance")
