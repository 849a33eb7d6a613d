"""Settings of a distillation. Imports no TensorFlow."""

import dataclasses
from pathlib import Path
from typing import Self

from tfpretune.errors import UsageError
from tfpretune.settings.finetune import FinetuneConfig
from tfpretune.settings.run import require_fractions


@dataclasses.dataclass(frozen=True)
class DistillationConfig(FinetuneConfig):
    """What is learnt from the teacher, and by which student."""

    teacher_dir: str = ""
    """Folder of the fine-tuning run whose predictions are distilled."""
    unlabelled_source: str = ""
    """Examples that the teacher answers, half of every batch; labels there are not read. Empty: only the labelled ones."""
    backbone: str = ""
    """A new student of this size in the place of --preset: of texts mini, small, … with the teacher's vocabulary, of images
    cnn-small, vit-mini, … with the teacher's image size."""
    teacher_weight: float = 0.7
    """Fraction of the teacher's answers in the loss, in [0, 1]; the labels have the rest."""
    temperature: float = 2.0
    """Both distributions are flattened by it before they are compared; above 0."""
    sequence_length: int = 256
    """Texts: tokens of a text that the student reads."""
    window_length: int = 128
    """Texts: it reads them in windows of this length and averages; 0 reads them at once."""
    patch_size: int = 4
    """Images: side of a patch of a new vit-…, pixels."""
    image_size: tuple[int, int] = (0, 0)
    """Images: height and width for a preset that takes images of any size; 0 0 elsewhere."""
    flip: bool = False
    """Images: augmentation, mirror left and right. Not for digits or letters. The teacher answers the images as they are."""
    shift: int = 2
    """Images: augmentation, largest shift, pixels."""
    rotate_degrees: float = 15.0
    """Images: augmentation, largest angle to either side."""
    scale: float = 0.1
    """Images: augmentation, largest zoom in or out, as a fraction of the size."""

    @property
    def resizes_like(self) -> str:
        """The teacher's."""
        return str(Path(self.teacher_dir, "preset"))

    def __post_init__(self) -> None:
        """Refuses values that cannot work."""
        super().__post_init__()
        require_fractions(self, "scale")
        if not 0 <= self.teacher_weight <= 1 or not self.temperature > 0:
            raise UsageError("--teacher-weight must be in [0, 1] and --temperature above 0")
        if self.window_length and self.sequence_length % self.window_length:
            raise UsageError(
                f"--sequence-length {self.sequence_length} is not a multiple of --window-length {self.window_length}"
            )
        if self.cache_features:
            raise UsageError("--cache-features is not compatible with a teacher: it answers examples, not features")
        if self.label_kind not in ("", "single"):
            raise UsageError(f"--label-kind {self.label_kind}: this recipe is for classes")
        if self.asks_for_folds:
            raise UsageError(f"--folds {self.folds}: the student is compared on a test split, this recipe has no folds")
        if self.unlabelled_source and self.batch_size < 2:
            raise UsageError("--batch-size must be at least 2: half of every batch is unlabelled")

    @property
    def alone(self) -> Self:
        """The settings of the student without a teacher, in `alone` of the folder that all workers share."""
        beside = self.shared_dir / "alone" / Path(self.out_dir).relative_to(self.shared_dir)  # each worker has its own
        return dataclasses.replace(self, out_dir=str(beside))
