"""Sources of images with masks: every mask is looked at once. Imports no TensorFlow."""

import os
from collections.abc import Sequence

from tfpretune.data.demo.catalogue import read_demo
from tfpretune.data.examples.examples import Examples
from tfpretune.data.examples.masks import MaskExamples
from tfpretune.data.image.fitting import Resize
from tfpretune.data.image.notes import image_notes
from tfpretune.data.readers.folders.splits import splits_note
from tfpretune.data.readers.folders.walking import folders_in
from tfpretune.data.readers.masks.classes import CLASSES_FILE, ClassList, read_classes
from tfpretune.data.readers.masks.folders import MaskFolder, MaskPair, find_mask_folders, pair_files
from tfpretune.data.readers.masks.form import USUAL_MASKS, MaskForm
from tfpretune.data.readers.masks.geometry import MaskOrientation, mask_turns
from tfpretune.data.readers.masks.meaning import Meaning, find_meaning
from tfpretune.data.readers.masks.reader import MaskReader
from tfpretune.data.readers.masks.records import NO_CLASS, MaskRecords
from tfpretune.data.readers.masks.survey import Surveyed, survey
from tfpretune.data.readers.records import Problem
from tfpretune.data.sources.naming import full_name
from tfpretune.data.splits.rule import PARTS
from tfpretune.errors import RunError, UsageError
from tfpretune.runtime.phases import phase
from tfpretune.runtime.telling import tell


@phase("reading images and masks")
def open_masks(
    spec: str,
    *,
    class_names: Sequence[str] = (),
    orientation: MaskOrientation = "auto",
    values: Sequence[int] = (),
    resize: Resize = "squeeze",
) -> MaskExamples:
    """Opens a source of images with masks and checks all masks.

    Args:
        spec: `images:FOLDER`, where FOLDER/images holds the images and FOLDER/masks for each a mask of the same name and size
            (`readers.masks.folders` lists other names): .png, .bmp or .gif with a number or a colour per pixel. Or
            `demo:mnist5k-masks`.
        class_names: as for `MaskForm`.
        orientation: as for `MaskForm`.
        values: as for `MaskForm`.
        resize: how images and masks of other aspect ratios are brought to a model's size (`image.fitting.axes`).

    Returns:
        The images with their masks, both as paths where they are files.

    Raises:
        UsageError: there is no such source.
        RunError: at the first bad place in it.

    Examples:
        >>> from pathlib import Path
        >>> import numpy as np, PIL.Image
        >>> from tfpretune.data import open_masks
        >>> for folder in (Path("roads/images"), Path("roads/masks")):
        ...     folder.mkdir(parents=True)
        ...     PIL.Image.fromarray(np.eye(4, dtype="uint8")).save(folder / "1.png")
        >>> examples = open_masks("images:roads", class_names=("ground", "road"))
        >>> examples.pixels().tolist()  # 4 of 16 are on the diagonal
        [12, 4]
    """
    rows = read_masks(spec, MaskForm(tuple(class_names), orientation, tuple(values)))
    if rows.problems:
        raise RunError(f"{rows.problems[0]}; for all problems run: tfpretune check {spec}")
    for note in rows.notes:
        tell(f"{spec}: {note}")
    splits = rows.splits or None
    images = Examples("image", rows.images, None, (), rows.where, spec, rows.license, splits=splits, resize=resize)
    return MaskExamples(images, rows.masks, rows.class_names, rows.reader)


def read_masks(spec: str, form: MaskForm = USUAL_MASKS) -> MaskRecords:
    """Reads a source with all its problems. Every mask is decoded once.

    Raises:
        UsageError: there is no such source.
    """
    scheme, _, rest = full_name(spec).partition(":")
    if scheme == "demo" and rest:
        found: MaskRecords = read_demo(rest, kind="masks")
        return found
    if scheme != "images" or not rest:
        raise UsageError(f"{spec!r} is not a source of masks: expected images:FOLDER or demo:mnist5k-masks")
    folders = find_mask_folders(rest)
    if not folders:
        raise UsageError(
            f"{rest} has no folders images and masks: put the images into one and the masks into the other"
        )
    rows = MaskRecords(notes=_layout_notes(os.path.expanduser(rest), folders))
    pairs = [pair for folder in folders for pair in pair_files(folder, rows.problems, rows.notes)]
    if not pairs and not rows.problems:
        rows.problems.append(Problem(folders[0].images, "there are no images", "give another folder"))
    surveyed = survey(pairs)
    rows.problems += [found for found in surveyed if isinstance(found, Problem)]
    masks = [found for found in surveyed if not isinstance(found, Problem)]
    root = os.path.expanduser(rest)
    listed, problems, told = ClassList(form.class_names), list[Problem](), list[str]()
    if not form.class_names:
        listed, problems, told = read_classes(root, _places_of_lists(folders))
    turns, more, notes = mask_turns([mask.frame for mask in masks], form.orientation)
    meaning, faults, found_out = find_meaning(masks, listed, values=form.values, where=spec)
    rows.problems += [*problems, *more, *faults]
    rows.notes += [*told, *notes, *found_out, *_split_notes(pairs)]
    _add(rows, masks, turns, meaning, quiet=bool(faults))
    rows.notes += image_notes(rows.images)
    _look_at_classes(rows, spec)
    return rows


def _places_of_lists(folders: Sequence[MaskFolder]) -> list[str]:
    """Returns where a list of classes may lie beside or within images and masks."""
    return [
        path
        for folder in folders
        for path in (os.path.dirname(folder.images), os.path.dirname(folder.masks), folder.images, folder.masks)
    ]


def _layout_notes(root: str, folders: Sequence[MaskFolder]) -> list[str]:
    """Says where the masks are, unless they are in FOLDER/masks."""
    first = folders[0]
    names = [os.path.relpath(path, root) for path in (first.images, first.masks)]
    notes = [] if names == ["images", "masks"] else [f"{names[1]} holds the masks of the images in {names[0]}"]
    tops = {os.path.relpath(folder.images, root).split(os.sep)[0] for folder in folders}
    left = [name for name in folders_in(root) if name not in tops] if first.split else []
    return [*notes, f"not read, as no split with images and masks: {', '.join(left)}"] if left else notes


def _split_notes(pairs: Sequence[MaskPair]) -> list[str]:
    found = {pair.split for pair in pairs} - {None}
    return [splits_note({part: part for part in PARTS if part in found})] if found else []


def _add(
    rows: MaskRecords, masks: Sequence[Surveyed], turns: Sequence[int | None], meaning: Meaning, *, quiet: bool
) -> None:
    """Adds the good ones; `quiet` where numbers are already known to be wrong as a whole."""
    put_upright: dict[str, int] = {}
    for mask, turn in zip(masks, turns, strict=True):
        classes, problem = meaning.tally(mask)
        if problem and not quiet:
            rows.problems.append(problem)
        if problem or turn is None:
            continue
        put_upright[mask.pair.mask] = turn
        rows.images.append(mask.pair.image)
        rows.masks.append(mask.pair.mask)
        rows.where.append(mask.pair.image)
        rows.splits += [mask.pair.split] if mask.pair.split else []
        rows.pixels.append(classes)
    rows.class_names = meaning.class_names
    rows.reader = MaskReader(meaning.codes, meaning.by_colour, meaning.white, put_upright)


def _look_at_classes(rows: MaskRecords, spec: str) -> None:
    """Says how many pixels have no class, and refuses masks that all show one class."""
    total = sum(sum(classes.values()) for classes in rows.pixels)
    without = [classes[NO_CLASS] for classes in rows.pixels if classes.get(NO_CLASS)]
    if without:
        share = f"{100 * sum(without) / total:.1f} % of all pixels"
        rows.notes.append(f"{len(without):,} images have pixels without a class, {share}")
    used = {index for classes in rows.pixels for index in classes if index != NO_CLASS}
    if rows.pixels and not rows.problems and len(used) < 2:
        names = [rows.class_names[index] for index in used]
        what = f"the masks show {f'one class only, {names[0]!r}' if names else 'no class at all'}"
        todo = f"two are needed: add masks, name the classes in {CLASSES_FILE}, or list their numbers by `MaskForm(values)`"
        rows.problems.append(Problem(spec, what, todo))
