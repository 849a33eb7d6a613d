"""Maps of classes as PNG files beside the results: a pixel is the number of its class, 255 of none. Imports no TensorFlow."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tfpretune.data.image.exif import stored_orientation
from tfpretune.serving.asking.cells import Cells
from tfpretune.serving.asking.models import Answer
from tfpretune.serving.asking.sources import Row

_TURNED = 5  # the Exif orientations from here on lie on their side


def mask_writer(results: Path | None) -> Callable[[Row, Answer], Cells]:
    """Returns what writes the map of an answer and names its file; nothing of other answers, or without a file of results.

    That of photos/1.jpg in results.csv is results_masks/photos/1.jpg.png, in the size of the photo as it is shown.
    """
    folder = None if results is None else results.with_name(f"{results.stem}_masks")

    def write(row: Row, answer: Answer) -> Cells:
        if "classes" not in answer or folder is None:
            return {}
        import PIL.Image

        classes = np.asarray(answer["classes"])
        kind = np.uint8 if classes.max() < 255 else np.uint16  # -1 becomes the highest number, 255 or 65535
        mask = PIL.Image.fromarray(classes.astype(kind)).resize(_size(row, classes), PIL.Image.Resampling.NEAREST)
        path = folder / f"{_name(row)}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        mask.save(path)
        return {"mask": str(path)}

    return write


def _name(row: Row) -> str:
    """Returns the path below the folder: that of the photo, or the place in the source. No two rows have the same."""
    picture = row.value[0]
    place = picture if isinstance(picture, str) else row.where.replace(":", "_")
    return "/".join("up" if part == ".." else part for part in Path(place).parts if part != "/")


def _size(row: Row, classes: np.ndarray) -> tuple[int, int]:
    """Returns width and height of the photo as it is shown, which is how the model has seen it."""
    import PIL.Image

    picture: Any = row.value[0]
    if not isinstance(picture, str):
        return (picture.shape[1], picture.shape[0])
    try:
        with PIL.Image.open(picture) as photo:
            return photo.size[::-1] if stored_orientation(picture) >= _TURNED else photo.size
    except OSError:  # TensorFlow reads some files that Pillow does not
        return (classes.shape[1], classes.shape[0])
