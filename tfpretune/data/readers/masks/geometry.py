"""Which way masks lie when their photos are stored turned: decided by their sizes, or asked for. Imports no TensorFlow."""

import collections
import dataclasses
from collections.abc import Sequence
from typing import Literal

from tfpretune.data.image.exif import UPRIGHT
from tfpretune.data.readers.records import Problem

MaskOrientation = Literal["auto", "stored", "upright"]
"""What masks without an Exif block of their own are drawn on: the pixels in the photo's file, or the photo as it is shown."""
STORED, DRAWN, EITHER, OWN, PLAIN, NEITHER = "stored", "upright", "either", "own", "plain", "neither"


@dataclasses.dataclass(frozen=True)
class Frame:
    """The sizes of a photo and its mask, and how both are stored.

    Args:
        image: path of the photo.
        mask: path of the mask.
        image_size: height and width in the file.
        image_orientation: 1 to 8, as the photo's Exif block says.
        mask_size: height and width in the file.
        mask_orientation: 1 to 8, as the mask's own Exif block says.
    """

    image: str
    mask: str
    image_size: tuple[int, int]
    image_orientation: int
    mask_size: tuple[int, int]
    mask_orientation: int

    @property
    def upright_size(self) -> tuple[int, int]:
        """Height and width of the photo as it is shown, and read."""
        height, width = self.image_size
        return (width, height) if self.image_orientation >= 5 else (height, width)


def mask_turns(
    frames: Sequence[Frame], orientation: MaskOrientation = "auto"
) -> tuple[list[int | None], list[Problem], list[str]]:
    """Decides how each mask is to be turned so that it lies on its photo, which is read upright.

    A mask with an Exif block of its own is turned as that says. Of the others, a photo that is stored on its side and is not
    square tells by the mask's size; what size does not tell is as in the rest of the set.

    Args:
        frames: of all masks.
        orientation: "auto"; or what holds for the masks whose size does not tell.

    Returns:
        The orientation from which each mask is put upright (None: it does not fit its photo), problems, and what was found.
    """
    kinds = [_kind(frame) for frame in frames]
    found = collections.Counter(kinds)
    told = [kind for kind in (STORED, DRAWN) if found[kind]]
    rest = orientation if orientation != "auto" else told[0] if len(told) == 1 else ""
    problems = [_misfit(frame) for frame, kind in zip(frames, kinds, strict=True) if kind == NEITHER]
    if found[EITHER] and not rest:
        problems.append(_undecided(frames, kinds, told))
    by_kind = {STORED: True, EITHER: rest == STORED}
    turns: list[int | None] = []
    for frame, kind in zip(frames, kinds, strict=True):
        if kind == NEITHER:
            turns.append(None)
        elif kind == OWN:
            turns.append(frame.mask_orientation)
        else:
            turns.append(frame.image_orientation if by_kind.get(kind) else UPRIGHT)
    return turns, problems, _notes(found, rest, asked=orientation != "auto")


def _kind(frame: Frame) -> str:
    height, width = frame.mask_size
    if frame.mask_orientation != UPRIGHT:
        turned = (width, height) if frame.mask_orientation >= 5 else (height, width)
        return OWN if turned == frame.upright_size else NEITHER
    if frame.image_orientation == UPRIGHT:
        return PLAIN if frame.mask_size == frame.image_size else NEITHER
    fits = (frame.mask_size == frame.image_size, frame.mask_size == frame.upright_size)
    return {(True, True): EITHER, (True, False): STORED, (False, True): DRAWN, (False, False): NEITHER}[fits]


def _misfit(frame: Frame) -> Problem:
    size, (height, width) = frame.mask_size, frame.image_size
    what = f"the mask is {size[0]} x {size[1]} pixels, its image {height} x {width}"
    if frame.image_orientation != UPRIGHT:
        what += f" (stored turned: {frame.upright_size[0]} x {frame.upright_size[1]} as it is shown)"
    if frame.mask_orientation != UPRIGHT:
        what += f", and the mask's own Exif block says that it is stored turned ({frame.mask_orientation})"
    return Problem(frame.mask, what, "give both the same size")


def _undecided(frames: Sequence[Frame], kinds: Sequence[str], told: Sequence[str]) -> Problem:
    number, first = kinds.count(EITHER), frames[kinds.index(EITHER)]
    who = "the photo is" if number == 1 else f"this photo and {number - 1:,} more are"
    why = "and the other masks of the set are drawn both ways" if told else "and its mask may be drawn on either"
    what = f"{who} stored turned or mirrored (Exif orientation {first.image_orientation}), {why}"
    todo = "say `MaskForm(orientation)` stored (on the pixels in the file) or upright (on the photo as it is shown)"
    return Problem(first.image, what, todo)


def _notes(found: collections.Counter[str], rest: str, *, asked: bool) -> list[str]:
    notes = []
    for kind, what in ((STORED, "drawn on the stored pixels and turned with them"), (DRAWN, "drawn upright")):
        total = found[kind] + (found[EITHER] if rest == kind else 0)
        if total:
            by = [f"{found[kind]:,} by their size"] if found[kind] else []
            by += (
                [f"{found[EITHER]:,} by {'`MaskForm(orientation)`' if asked else 'these'}"]
                if total > found[kind]
                else []
            )
            notes.append(f"{total:,} photos are stored turned (Exif): their masks are {what} ({', '.join(by)})")
    if found[OWN]:
        notes.append(f"{found[OWN]:,} masks are turned as their own Exif blocks say")
    return notes
