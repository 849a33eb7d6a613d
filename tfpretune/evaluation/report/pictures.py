"""Pictures as data addresses, so that they live inside the page."""

import base64
import colorsys
import dataclasses
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfpretune.errors import RunError

_LONGEST_SIDE = 256


@dataclasses.dataclass(frozen=True)
class Pictures:
    """Rows of pictures below each other, e.g. input, masked, output of the same examples.

    Raises:
        ValueError: no rows, or rows that are no batches of images.

    Examples:
        >>> import numpy as np
        >>> from tfpretune.evaluation import Pictures, write_report
        >>> images = np.random.default_rng(0).random((4, 8, 8, 1))
        >>> pictures = Pictures("Validation images", {"input": images, "restored": images ** 2})
        >>> page = write_report("runs/a", title="A run", metrics={"mse": 0.1}, pictures=[pictures])
        >>> page.read_text("utf-8").count("data:image/png")  # one strip per row
        2
    """

    title: str
    rows: Mapping[str, np.ndarray]
    """Name of the row -> `(n, height, width, channels)`: uint8, or float in [0, 1] (what lies outside is clipped)."""
    note: str = ""
    colours: Mapping[str, tuple[int, int, int]] = dataclasses.field(default_factory=dict)
    """What the colours in the pictures mean: name -> red, green, blue in [0, 255]."""

    def __post_init__(self) -> None:
        """Refuses rows that are no batches of images."""
        shapes = {name: np.shape(images) for name, images in self.rows.items()}
        if not shapes or any(len(s) != 4 or not s[0] or s[-1] not in (1, 3, 4) for s in shapes.values()):
            raise ValueError(
                f"pictures {self.title!r}: expected rows of images (n, height, width, 1, 3 or 4), received {shapes}"
            )


def data_address(image: Any) -> tuple[str, bool]:
    """Turns an image into a PNG that is part of the page.

    Args:
        image: `(height, width)` or `(height, width, channels)`, uint8 or float in [0, 1]; or the path of an image file,
            which is made smaller.

    Returns:
        The address, and True where the picture is so small that its pixels should stay visible.

    Raises:
        OSError: the file cannot be read as an image.
        RunError: a pixel is not a finite number.
    """
    import PIL.Image

    if isinstance(image, str | Path):
        with PIL.Image.open(image) as opened:
            picture = opened.convert("RGBA" if "transparency" in opened.info or "A" in opened.getbands() else "RGB")
        picture.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    else:
        picture = PIL.Image.fromarray(_as_bytes(np.asarray(image)))
        if max(picture.size) > 2 * _LONGEST_SIDE:
            picture.thumbnail((2 * _LONGEST_SIDE, 2 * _LONGEST_SIDE))
    return _address(picture), max(picture.size) <= 96


def strip_address(images: np.ndarray) -> tuple[str, bool]:
    """The images `(n, height, width, channels)` side by side as one PNG, with clear gaps; answers as `data_address`."""
    import PIL.Image

    tiles = [PIL.Image.fromarray(_as_bytes(image)).convert("RGBA") for image in np.asarray(images)]
    width, height = tiles[0].size
    gap = max(1, width // 16)
    strip = PIL.Image.new("RGBA", (len(tiles) * (width + gap) - gap, height), (0, 0, 0, 0))
    for i, tile in enumerate(tiles):
        strip.paste(tile, (i * (width + gap), 0))
    return _address(strip), max(width, height) <= 96


def painted(masks: np.ndarray, num_classes: int) -> np.ndarray:
    """Colours the classes of pixels: uint8 `(n, height, width, 3)`.

    Args:
        masks: ints `(n, height, width)` in [0, num_classes), below 0 where a pixel has none.
        num_classes: C. Class 0 is nearly black, the others go once around the colours; no class is light grey.
    """
    hues = [colorsys.hsv_to_rgb(number / max(1, num_classes - 1), 0.75, 0.95) for number in range(num_classes - 1)]
    colours = np.array([(0.12, 0.12, 0.12), *hues, (0.8, 0.8, 0.8)])
    return np.round(255 * colours).astype(np.uint8)[np.where(masks < 0, num_classes, masks)]


def _as_bytes(image: np.ndarray) -> np.ndarray:
    """uint8 `(height, width)` or `(height, width, 3 or 4)`."""
    if image.dtype != np.uint8:
        if not np.isfinite(image).all():
            raise RunError("a picture of the report holds nan or inf: the model that made it is dead")
        image = np.round(np.clip(image, 0.0, 1.0) * 255).astype(np.uint8)
    return image[..., 0] if image.ndim == 3 and image.shape[-1] == 1 else image


def _address(picture: Any) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
