"""The ways to train that label efficiency compares, each as the settings of a fine-tuning run. Imports no TensorFlow."""

import dataclasses
from typing import Any, Literal, Self

from tfpretune.data.examples.examples import Examples
from tfpretune.data.readers.source_form import SourceForm
from tfpretune.errors import UsageError
from tfpretune.experiments.label_efficiency.work import Work
from tfpretune.settings.comparison import ComparisonConfig
from tfpretune.settings.finetune import FinetuneConfig
from tfpretune.settings.run import OptimizerConfig
from tfpretune.settings.splits import OwnSplits, require_splits

MethodName = Literal["from scratch", "head only", "full", "l2-sp", "gradual", "lora", "baseline"]

IMAGE_RATE = OptimizerConfig(learning_rate=3e-3, weight_decay=0.05, warmup=0.1)
FOR_IMAGES: dict[str, Any] = {  # in the place of the defaults, which suit texts
    "steps": 300,
    "batch_size": 32,
    "optimizer": IMAGE_RATE,
    "scratch_optimizer": IMAGE_RATE,
    "scratch_dropout": 0.1,
}


@dataclasses.dataclass(frozen=True)
class MethodsConfig(OwnSplits, ComparisonConfig):
    """What the methods are trained on, and how each of them is."""

    preset: str = ""
    """The pre-trained backbone, with its tokenizer where it reads text: a folder, or a KerasHub name."""
    source: str = ""
    """Labelled texts or images."""
    methods: tuple[MethodName, ...] = ("from scratch", "head only", "full", "l2-sp", "gradual", "lora", "baseline")
    """Rows of the table; from scratch is always one."""
    steps: int = 120
    """Optimizer steps of every method, at least; 300 for images."""
    epochs: float = 3.0
    """Passes over the labelled examples of every method, at least."""
    batch_size: int = 16
    """Examples a step; 32 for images."""
    sequence_length: int = 512
    """Texts: tokens that are read."""
    window_length: int = 128
    """Texts: in windows of this length; 0 reads them at once."""
    augmentation: tuple[int, float, float] = (2, 15.0, 0.1)
    """Images: augmentation for all; largest shift in pixels, angle in degrees, and zoom."""
    l2_sp: float = 0.01
    """Strength of l2-sp; on the head it is the same."""
    lora_rank: int = 8
    """Rank of lora."""
    unfreeze_fraction: float = 0.15
    """Fraction of a trial's steps, as many as it makes, between two unfreezings of gradual."""
    lora_multiplier: float = 5.0
    """Learning rate of lora, as a multiple of the others'."""
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=3e-4, warmup=0.1, multipliers=(("logits", 3.0),))
    scratch_optimizer: OptimizerConfig = OptimizerConfig(learning_rate=2e-3, warmup=0.1)
    scratch_dropout: float = 0.3
    """from scratch: dropout rate before the head's last layer; 0.1 for images."""

    def __post_init__(self) -> None:
        """Refuses what leaves nothing to compare."""
        super().__post_init__()
        require_splits(self, self.source)
        if "from scratch" not in self.methods or len(set(self.methods) - {"baseline"}) < 2:
            raise UsageError("--methods needs 'from scratch' and at least one way to fine-tune")
        if not 0 < self.unfreeze_fraction < 1:
            raise UsageError(f"--unfreeze-fraction must be above 0 and below 1, received {self.unfreeze_fraction}")

    def for_examples(self, examples: Examples) -> Self:
        """Returns the settings, of images with `FOR_IMAGES` where they have their defaults."""
        if examples.kind == "text":
            return self
        usual = {field.name: field.default for field in dataclasses.fields(self)}
        own = {name: it for name, it in FOR_IMAGES.items() if getattr(self, name) == usual[name]}
        return dataclasses.replace(self, **own)

    @property
    def form(self) -> SourceForm:
        """How the source is read."""
        from tfpretune.tasks.labels import source_form  # imports TensorFlow, which options must not wait for

        return source_form(self, label_kind="single")

    def work(self, examples: Examples) -> Work:
        """Returns what all trials on these examples share."""
        from tfpretune.tasks.splits import split_form  # as above

        return Work(
            self.source,
            {str(name): self._settings(name) for name in self.methods},
            self.sequence_length,
            self.window_length,
            None if examples.kind == "text" else self.augmentation,
            self.epochs,
            self.fast,
            unfreeze_fractions={"gradual": self.unfreeze_fraction},
            form=self.form,
            splits=split_form(self),
        )

    def _settings(self, name: MethodName) -> FinetuneConfig | None:
        """Returns the settings of a method; None for the baseline."""
        lora = dataclasses.replace(self.optimizer, learning_rate=self.lora_multiplier * self.optimizer.learning_rate)
        scratch = {"optimizer": self.scratch_optimizer, "dropout": self.scratch_dropout}
        own: dict[str, dict[str, Any]] = {
            "from scratch": {"from_scratch": True, **scratch},
            "head only": {"frozen": "all"},
            "full": {},
            "l2-sp": {"l2_sp": self.l2_sp, "l2_sp_head": self.l2_sp},
            "gradual": {},
            "lora": {"lora_rank": self.lora_rank, "optimizer": lora},
        }
        if name == "baseline":
            return None
        fields = ("source", "out_dir", "preset", "optimizer", "steps", "batch_size")
        return FinetuneConfig(**({field: getattr(self, field) for field in fields} | own[name]))
