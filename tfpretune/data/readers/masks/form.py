"""How a source of images with masks is read, as one value. Imports no TensorFlow."""

import dataclasses

from tfpretune.data.readers.masks.geometry import MaskOrientation
from tfpretune.data.readers.masks.records import NO_CLASS
from tfpretune.errors import UsageError


@dataclasses.dataclass(frozen=True)
class MaskForm:
    """What masks mean, where they do not say it themselves. Raises UsageError for values that cannot work.

    Args:
        class_names: the classes in the order of their numbers. Without it FOLDER/classes.txt
            (`readers.masks.classes.read_classes`), or the numbers: 0, 1, … are classes and 255 is none; 0 and 255 alone are
            two classes.
        orientation: of masks whose photos are stored turned, where no size tells (`readers.masks.geometry.mask_turns`).
        values: the numbers that are classes, in their order; all others have no class.
    """

    class_names: tuple[str, ...] = ()
    orientation: MaskOrientation = "auto"
    values: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Refuses values that cannot work, whatever the source."""
        values = self.values
        if values and (
            len(set(values)) != len(values) or len(values) < 2 or not 0 <= min(values) <= max(values) <= NO_CLASS
        ):
            given = " ".join(map(str, values))
            raise UsageError(
                f"`MaskForm(values)` needs two or more different numbers from 0 to {NO_CLASS}, received {given}"
            )


USUAL_MASKS = MaskForm()
