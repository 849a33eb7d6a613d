"""How a run reads its inputs: settings that recipes share, each checked here once. Imports no TensorFlow.

They stand in front of the other settings: `class Config(WindowedText, TaskConfig)`.
"""

import dataclasses
from typing import Any, Literal

from tfpretune.errors import UsageError
from tfpretune.settings.run import RunConfig, require_fractions


@dataclasses.dataclass(frozen=True)
class WindowedText(RunConfig):
    """Texts that may be longer than what the backbone reads at once.

    Examples:
        >>> from tfpretune.settings import WindowedText
        >>> WindowedText("demo:bbc", "runs/a", steps=5, sequence_length=512).reads
        {'sequence_length': 512, 'window_length': 128}
    """

    sequence_length: int = 128
    """Texts: tokens of a text that are read."""
    window_length: int = 128
    """Texts: read them in windows of this length and average; 0 reads them at once."""

    def __post_init__(self) -> None:
        """Refuses windows that do not fill the text."""
        super().__post_init__()
        if self.window_length and self.sequence_length % self.window_length:
            raise UsageError(
                f"--sequence-length {self.sequence_length} is not a multiple of --window-length {self.window_length}"
            )

    @property
    def reads(self) -> dict[str, int]:
        """What `task.json` says of it."""
        return {"sequence_length": self.sequence_length, "window_length": self.window_length}


@dataclasses.dataclass(frozen=True)
class MovedImages(RunConfig):
    """Images of one size that are moved at random in training; masks are moved with them.

    Examples:
        >>> from tfpretune.settings import MovedImages
        >>> MovedImages("demo:digits", "runs/a", steps=5, flip=True).moves
        {'flip': True, 'shift': 2, 'rotate_degrees': 15.0, 'scale': 0.1}
    """

    image_size: tuple[int, int] = (0, 0)
    """Images: height and width for a backbone that takes images of any size, such as most of KerasHub's; 0 0 elsewhere."""
    resize: Literal["", "squeeze", "crop", "pad"] = ""
    """Images of another aspect ratio: squeeze them, crop what is too long, pad with black. Empty: as the preset has it."""
    flip: bool = False
    """Images: augmentation, mirror left and right. Not for digits or letters."""
    shift: int = 2
    """Images: augmentation, largest shift, pixels."""
    rotate_degrees: float = 15.0
    """Images: augmentation, largest angle to either side."""
    scale: float = 0.1
    """Images: augmentation, largest zoom in or out, as a fraction of the size."""

    def __post_init__(self) -> None:
        """Refuses a zoom that leaves nothing."""
        super().__post_init__()
        require_fractions(self, "scale")

    @property
    def moves(self) -> dict[str, Any]:
        """What `augmented` takes."""
        return {"flip": self.flip, "shift": self.shift, "rotate_degrees": self.rotate_degrees, "scale": self.scale}
