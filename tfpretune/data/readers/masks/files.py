"""One mask file: decoded to the numbers or colours of its pixels. Imports no TensorFlow."""

import dataclasses
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from tfpretune.data.image.exif import UPRIGHT
from tfpretune.data.image.limits import MAX_PIXELS
from tfpretune.data.readers.masks.records import NO_CLASS

READ_ERRORS = (OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)
"""What Pillow raises for broken files."""
_ORIENTATION = 0x0112
_LOSSY = {"JPEG": "a JPEG file, which blurs the numbers of the classes", "MPO": "a JPEG file", "WEBP": "a WebP file"}
_BITS_TO_STEP = {2: 85, 4: 17}  # Pillow spreads grey of 2 and 4 bits over 0 to 255


@dataclasses.dataclass(frozen=True, eq=False)
class Mask:
    """The pixels of a mask as they are stored.

    Args:
        numbers: int32 `(height, width)`: the number in each pixel (of a palette, not its colour; of colours that are grey, the
            grey); None for a picture in colours.
        painted: int32 `(height, width)`: `colour_code` of each pixel of a picture in colours; None where there are numbers.
        shades: int32 `(256,)`: the colour code that each number is shown in.
        orientation: what the file's own Exif block says of how it is stored, 1 to 8.
        form: "palette", "bit" (one bit per pixel: white is 1 in `numbers`), "grey" or "colour".
    """

    numbers: np.ndarray | None
    painted: np.ndarray | None
    shades: np.ndarray
    orientation: int = UPRIGHT
    form: str = "grey"

    @property
    def colours(self) -> np.ndarray:
        """The colour code of each pixel, int32 `(height, width)`."""
        return self.shades[self.numbers] if self.painted is None else self.painted

    @property
    def size(self) -> tuple[int, int]:
        """Height and width as stored."""
        pixels = self.numbers if self.numbers is not None else self.colours
        height, width = pixels.shape
        return height, width


def colour_code(red: int, green: int, blue: int) -> int:
    """Returns one number for a colour."""
    return red << 16 | green << 8 | blue


def colour_text(code: int) -> str:
    """Returns a colour as `classes.txt` has it: "255 0 0"."""
    return f"{code >> 16} {code >> 8 & 255} {code & 255}"


def decode_mask(path: str) -> Mask:
    """Decodes a mask without turning it.

    Raises:
        READ_ERRORS: it is broken, of a lossy format, an animation, partly transparent, or has numbers beyond 255.
    """
    with Image.open(path) as image:
        if image.format in _LOSSY:
            raise ValueError(f"it is {_LOSSY[image.format]}: save it as PNG, from its original")
        if image.width * image.height > MAX_PIXELS:
            raise ValueError(
                f"it has {image.width} x {image.height} pixels, more than the {MAX_PIXELS:,} that are read"
            )
        frames = getattr(image, "n_frames", 1)
        if frames > 1:
            raise ValueError(f"it has {frames} frames, and a mask is one picture: save the one that is meant as PNG")
        image.load()
        orientation = image.getexif().get(_ORIENTATION, UPRIGHT)
        orientation = orientation if orientation in range(1, 9) else UPRIGHT
        if image.mode == "P":
            return _palette_mask(image, orientation)
        if image.mode in ("LA", "RGBA", "La", "RGBa"):
            alpha = np.asarray(image.getchannel("A"))
            if alpha.min() < 255:
                share = 100 * (alpha < 255).mean()
                raise ValueError(
                    f"{share:.1f} % of its pixels are transparent: give them a number, and save it without"
                )
            image = image.convert("L" if image.mode.startswith("L") else "RGB")  # type: ignore[assignment]
        if image.mode == "RGB":
            return _coloured_mask(np.asarray(image), orientation)
        if image.mode in ("1", "L", "I", "I;16", "I;16B"):
            return _grey_mask(np.asarray(image), orientation, image.mode, _grey_step(path))
        raise ValueError(f"it has the channels {image.mode}, expected one number or one colour per pixel")


def _palette_mask(image: Image.Image, orientation: int) -> Mask:
    colours = np.array(image.getpalette("RGB") or [0, 0, 0], np.int32).reshape(-1, 3)[:256]
    shades = np.zeros(256, np.int32)
    shades[: len(colours)] = colours[:, 0] << 16 | colours[:, 1] << 8 | colours[:, 2]
    return Mask(np.asarray(image).astype(np.int32), None, shades, orientation, "palette")


def _coloured_mask(pixels: np.ndarray, orientation: int) -> Mask:
    red, green, blue = (pixels[..., channel].astype(np.int32) for channel in range(3))
    if (red == green).all() and (green == blue).all():
        return Mask(red, None, _greys(1), orientation)
    return Mask(None, red << 16 | green << 8 | blue, _greys(1), orientation, "colour")


def _grey_mask(pixels: np.ndarray, orientation: int, mode: str, step: int) -> Mask:
    numbers = pixels.astype(np.int32)
    if (
        mode.startswith("I")
        and numbers.size
        and numbers.max() == 65535
        and not ((numbers > 0) & (numbers < 65535)).any()
    ):
        numbers = numbers // 257  # black and white in 16 bits
    if numbers.size and not 0 <= int(numbers.min()) <= int(numbers.max()) <= NO_CLASS:
        raise ValueError(f"its numbers are {numbers.min()} to {numbers.max()}, expected 0 to {NO_CLASS}")
    bit = mode == "1"
    return Mask(numbers // step, None, _greys(255 if bit else step), orientation, "bit" if bit else "grey")


def _greys(step: int) -> np.ndarray:
    return np.array(
        [colour_code(grey, grey, grey) for grey in np.minimum(255, step * np.arange(256)).tolist()], np.int32
    )


def _grey_step(path: str) -> int:
    """Returns by what Pillow multiplies the numbers of a PNG file of 2 or 4 bits grey (PNG specification, section 11.2.1)."""
    with Path(path).open("rb") as file:
        head = file.read(26)
    return _BITS_TO_STEP.get(head[24], 1) if head[:4] == b"\x89PNG" and head[25:26] == b"\0" else 1
