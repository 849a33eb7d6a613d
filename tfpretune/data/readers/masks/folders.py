"""Folders that hold images and, beside them, masks; and which mask belongs to which image. Imports no TensorFlow."""

import dataclasses
import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from tfpretune.data.readers.folders.kinds import FILES, IMAGE_SUFFIXES, FileKind
from tfpretune.data.readers.folders.sifting import left_out_note, sift, suffix_of
from tfpretune.data.readers.folders.splits import inner_splits, split_of, splits_of
from tfpretune.data.readers.folders.walking import folders_in, walk
from tfpretune.data.readers.records import Problem
from tfpretune.data.splits.rule import Part
from tfpretune.errors import UsageError

IMAGE_FOLDERS = ("images", "image", "imgs", "img", "jpegimages", "photos")
MASK_FOLDERS = (
    *("masks", "mask", "labels", "label", "annotations", "annotation", "segmentationclass", "segmentationclassaug"),
    *("segmentation", "segmentations", "segmaps", "groundtruth", "gt", "trimaps"),
)
MASK_SUFFIXES = (".png", ".bmp", ".gif")
_SURE = ("masks", "mask", "segmentationclass", "segmentationclassaug")
_MARK = re.compile(r"[_\-. ](masks?|labels?|seg|segm|segmentation|gt|groundtruth|annotation|trimap)$")
_PHOTO_MARK = re.compile(r"[_\-. ](images?|img|photo|rgb)$")
_WORDLESS = re.compile(r"[\W_]+")


class MaskFolder(NamedTuple):
    """A folder of images, the folder of their masks, and the split that both are of."""

    images: str
    masks: str
    split: Part | None


@dataclasses.dataclass(frozen=True)
class MaskPair:
    """An image and its mask, by path, and the split that they are of."""

    image: str
    mask: str
    split: Part | None


def find_mask_folders(folder: str) -> list[MaskFolder]:
    """Returns where images and masks lie in a folder, or in its folders train, val and test; [] where there are no masks.

    Names count in upper and lower case: images, imgs, JPEGImages, … (`IMAGE_FOLDERS`) beside masks, labels, annotations,
    SegmentationClass, … (`MASK_FOLDERS`), if image files lie in the second.

    Raises:
        UsageError: two folders may hold the masks, the second holds no masks but other labels, or images and masks lie
            deeper than they are looked for.
    """
    root = os.path.expanduser(folder).rstrip(os.sep) or os.sep
    names = folders_in(root)
    if found := _pair_of(root, names):
        return [MaskFolder(*found, None)]
    tops = {name: os.path.join(root, name) for name in names if split_of(name)}
    within = {name: _pair_of(top, folders_in(top)) for name, top in tops.items()}
    splits = splits_of([name for name, pair in within.items() if pair])
    if not splits:
        _hint(root, names)
    return [MaskFolder(*pair, split) for name, split in (splits or {}).items() if (pair := within[name])]


def _hint(root: str, names: list[str]) -> None:
    """Refuses a folder in which others hold images and masks, which would be taken for classes."""
    deeper, inner = root, names
    while len(inner) == 1:
        deeper = os.path.join(deeper, inner[0])
        inner = folders_in(deeper)
    paths = [deeper] if deeper != root else [os.path.join(root, name) for name in names]
    found = [path for path in paths if _holds_pair(path)]
    if not found:
        return
    shown = ", ".join(os.path.relpath(path, root) for path in found[:3])
    left = [os.path.basename(path) for path in paths if path not in found]
    rest = f" ({', '.join(left[:3])} without masks can serve pre-training, by itself)" if left else ""
    several = "; for splits, name the folders that hold both train, val and test" if len(found) > 1 else ""
    raise UsageError(
        f"{root}: images and masks lie in {shown}, which are not two splits: give images:{found[0]}{rest}{several}"
        if deeper == root
        else f"{root}: images and masks lie deeper, in {shown}: give images:{deeper}"
    )


def _holds_pair(folder: str) -> bool:
    try:
        return _pair_of(folder, folders_in(folder)) is not None
    except UsageError:  # said when that folder is given
        return False


def _pair_of(root: str, names: list[str]) -> tuple[str, str] | None:
    plain = {name: _WORDLESS.sub("", name.casefold()) for name in names}
    images = [os.path.join(root, name) for name in names if plain[name] in IMAGE_FOLDERS]
    beside = [name for name in names if plain[name] in MASK_FOLDERS]
    masks = [name for name in beside if plain[name] in _SURE or _has_images(os.path.join(root, name))]
    if len(images) != 1 or not beside or not _has_images(images[0]):
        return None
    if len(masks) > 1:
        raise UsageError(f"{root}: the masks may lie in {' or '.join(masks)}: keep one of them beside {images[0]}")
    if masks:
        return images[0], os.path.join(root, masks[0])
    if len(names) > 2 or not walk(os.path.join(root, beside[0])).files:
        return None
    what = f"{beside[0]} holds no masks but other files, which are not read"
    raise UsageError(f"{root}: {what}: give images:{images[0]} for images without labels")


def _has_images(folder: str) -> bool:
    return any(path.lower().endswith(IMAGE_SUFFIXES) for path in walk(folder).files)


def pair_files(folder: MaskFolder, problems: list[Problem], notes: list[str]) -> list[MaskPair]:
    """Finds the mask of each image: in the same inner folder, of the same name, or with `_mask` or the like behind it.

    Args:
        folder: where they lie.
        problems: gets those that have no partner, or more than one.
        notes: gets what is left out, and folders that may be meant as splits.
    """
    images, masks = walk(folder.images), walk(folder.masks)
    of_photos, of_masks = sift(images.files, FILES["image"]), sift(masks.files, FileKind("masks", MASK_SUFFIXES))
    problems += [*images.problems, *masks.problems, *of_photos.problems, *of_masks.problems]
    photos, files = of_photos.wanted, of_masks.wanted
    found = _match(folder.images, photos, folder.masks, files)
    if not found and photos and files:  # the masks may lie one folder deeper: annotations/trimaps
        roots = (os.path.commonpath([os.path.dirname(path) for path in paths]) for paths in (photos, files))
        found = _match(next(roots), photos, next(roots), files)
    taken = set(found.values())
    alone = [path for path in photos if path not in found], [path for path in files if path not in taken]
    problems += _without_partner(folder, *alone, masks.files)
    named = {problem.where for problem in problems}
    others = [path for path in (*of_photos.others, *of_masks.others) if path not in named]
    notes += left_out_note([*images.hidden, *masks.hidden], others)
    problems += _shared_masks(found)
    splits = (inner_splits(folder.images, photos) or {}) if folder.split is None and photos else {}
    if folder.split is None and not splits:
        problems += _mixed_splits(folder.images, photos)
        notes += _lone_split(folder.images, photos)
    return [
        MaskPair(path, found[path], folder.split or splits.get(_first(folder.images, path)))
        for path in photos
        if path in found
    ]


def _match(image_root: str, photos: list[str], mask_root: str, masks: list[str]) -> dict[str, str]:
    """Returns the mask of each image that has one; a mask that fits an image by a stricter rule is no other's."""
    found: dict[str, str] = {}
    for key_of_image, key_of_mask in _KEYS:
        taken = set(found.values())
        places = {key_of_mask(os.path.relpath(path, mask_root)): path for path in masks if path not in taken}
        for path in photos:
            key = key_of_image(os.path.relpath(path, image_root))
            if path not in found and key in places:
                found[path] = places[key]
    return found


def _exact(path: str) -> str:
    return os.path.splitext(path)[0]


def _folded(path: str) -> str:
    return _exact(path).casefold()


_KEYS = (
    (_exact, _exact),
    (_folded, _folded),
    (_folded, lambda path: _MARK.sub("", _folded(path))),
    (lambda path: _PHOTO_MARK.sub("", _folded(path)), lambda path: _MARK.sub("", _folded(path))),
)
"""Ways to compare the path of an image and that of a mask, the strictest first."""


def _first(root: str, path: str) -> str:
    return os.path.relpath(path, root).split(os.sep)[0]


def _mixed_splits(root: str, photos: list[str]) -> Iterator[Problem]:
    firsts = sorted({_first(root, path) for path in photos})
    if len({split_of(name) for name in firsts} - {None}) > 1:
        others = [name for name in firsts if not split_of(name)]
        what = f"some folders are splits by their names, and beside them there is {', '.join(others[:3])}"
        yield Problem(root, what, "move it into one of them, or elsewhere")


def _lone_split(root: str, photos: list[str]) -> Iterator[str]:
    """Says that a folder which is named after a split is none, since the folders beside it are none."""
    firsts = sorted({_first(root, path) for path in photos})
    named = [name for name in firsts if split_of(name)]
    others = [name for name in firsts if not split_of(name) and os.path.isdir(os.path.join(root, name))]
    if len({split_of(name) for name in named}) == 1 and others:
        yield (
            f"{named[0]} is a split by its name and {', '.join(others[:3])} beside it is none: all are split anew, by hash; "
            "name the folders train, val and test to keep them apart"
        )


def _without_partner(
    folder: MaskFolder, photos: list[str], masks: list[str], all_masks: list[str]
) -> Iterator[Problem]:
    others = {_MARK.sub("", _folded(os.path.relpath(path, folder.masks))): path for path in all_masks}
    for path in photos:
        inside = os.path.relpath(path, folder.images)
        other = others.get(_folded(inside))
        if other and not other.lower().endswith(MASK_SUFFIXES):
            suffix = os.path.splitext(other)[1]
            jpeg = suffix_of(other) in (".jpg", ".jpeg", ".jpe", ".jfif")
            why = "JPEG blurs the numbers of the classes" if jpeg else "it is not read"
            yield Problem(other, f"the mask is a {suffix} file: {why}", "save it as PNG, from its original")
        else:
            wanted = os.path.join(folder.masks, f"{_exact(inside)}.png")
            todo = "add it; what has no mask can serve pre-training, in a folder of its own"
            yield Problem(path, f"there is no mask {wanted}", todo)
    for path in masks:
        todo = "add the image, or give both the same name (the mask may have _mask behind it)"
        yield Problem(path, f"there is no image for this mask in {folder.images}", todo)


def _shared_masks(found: dict[str, str]) -> Iterator[Problem]:
    owners: dict[str, str] = {}
    for path, mask in found.items():
        if mask in owners:
            todo = "give each image a name and a mask of its own"
            yield Problem(path, f"the mask {mask} is that of {owners[mask]}, too", todo)
        owners.setdefault(mask, path)
