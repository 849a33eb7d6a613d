"""What trials of fine-tuning methods share, as plain values. Imports no TensorFlow."""

import dataclasses
from collections.abc import Mapping

from tfpretune.data.readers.source_form import SourceForm
from tfpretune.data.splits.form import USUAL_SPLITS, SplitForm
from tfpretune.settings.finetune import FinetuneConfig


@dataclasses.dataclass(frozen=True)
class LabelTrial:
    """One training.

    Attributes:
        method: its name; a name without settings is the classical baseline.
        labels: labels per class; 0: all.
        seed: draws the labels and the start weights, and decides the order.
    """

    method: str
    labels: int
    seed: int

    @property
    def file(self) -> str:
        """Name of its result."""
        return f"{self.method.replace(' ', '-')}-{self.labels or 'all'}-{self.seed}.json"


@dataclasses.dataclass(frozen=True)
class Work:
    """What all trials share: plain values, so that processes can be told.

    Attributes:
        source: labelled examples.
        form: how they are read.
        splits: where validation and test examples come from.
        methods: name -> settings of the run; `from_scratch`, and what `apply_methods` reads. None: the classical baseline.
        sequence_length: tokens of a text that are read.
        window_length: in windows of so many; 0: at once.
        augmentation: shift (pixels), rotation (degrees) and zoom of images; None: no augmentation.
        epochs: passes that the training makes at least, beside the methods' own `steps`.
        fast: 2 steps and a few examples.
        unfreeze_fractions: method -> fraction of a trial's steps between two unfreezings, in the place of its `unfreeze_every`.
    """

    source: str
    methods: Mapping[str, FinetuneConfig | None]
    sequence_length: int
    window_length: int
    augmentation: tuple[int, float, float] | None
    epochs: float
    fast: bool
    unfreeze_fractions: Mapping[str, float] = dataclasses.field(default_factory=dict)
    form: SourceForm = SourceForm(label_kind="single")
    splits: SplitForm = USUAL_SPLITS

    def steps(self, method: FinetuneConfig, examples: int) -> int:
        """Returns the steps that a trial of a method with so many examples makes."""
        return 2 if self.fast else max(method.steps, round(self.epochs * examples / method.batch_size))

    def with_unfreezing(self, name: str, method: FinetuneConfig, steps: int) -> FinetuneConfig:
        """Returns a method's settings for a trial of N steps."""
        share = self.unfreeze_fractions.get(name)
        return method if share is None else dataclasses.replace(method, unfreeze_every=max(1, round(share * steps)))
