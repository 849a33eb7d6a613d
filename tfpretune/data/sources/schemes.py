"""The schemes of sources of examples, and what reads each. Imports no TensorFlow, except for tfds."""

import difflib
import os
from collections.abc import Callable, Collection, Mapping

from tfpretune.data.demo.catalogue import read_demo
from tfpretune.data.image.notes import image_notes
from tfpretune.data.readers.folders.examples import read_image_folder, read_text_folder, read_text_lines
from tfpretune.data.readers.folders.image_tables import refuse_image_table
from tfpretune.data.readers.folders.splits import split_files_note
from tfpretune.data.readers.folders.walking import walk
from tfpretune.data.readers.masks.folders import find_mask_folders
from tfpretune.data.readers.records import Records, find_files
from tfpretune.data.readers.source_form import DEFAULT_SPLIT, USUAL_FORM, SourceForm
from tfpretune.data.readers.tables.csv_files import read_csv
from tfpretune.data.readers.tables.objects import read_jsonl
from tfpretune.data.readers.tables.parquet import read_parquet
from tfpretune.data.readers.tables.sides import settle_sides
from tfpretune.data.sources.naming import SUFFIXES, full_name
from tfpretune.errors import UsageError

Read = Callable[[str, str, SourceForm], Records]
"""The source, what stands behind its scheme, and its form -> all of it, with its problems."""


def read_rows(spec: str, form: SourceForm = USUAL_FORM) -> Records:
    """Reads a source with all its problems; `open_examples` and `check` both start here.

    Examples:
        >>> from pathlib import Path
        >>> from tfpretune.data import read_rows
        >>> _ = Path("reviews.csv").write_text('''text,label
        ... It works well,yes
        ... ,no''')
        >>> [str(problem) for problem in read_rows("csv:reviews.csv").problems]
        ['reviews.csv:3: the text is empty; fill it in or remove the row']
    """
    spec = full_name(spec)
    scheme, colon, rest = spec.partition(":")
    if not colon or scheme not in SCHEMES:
        near = _nearest_source(spec)
        raise UsageError(f"unknown source {spec!r}{near}: expected one of {', '.join(s + ':' for s in SCHEMES)}")
    if not rest:
        raise UsageError(f"source {spec!r} names nothing after the colon: see tfpretune.data.open_source for the forms")
    rows = SCHEMES[scheme](spec, rest, form)
    settle_sides(rows, form, spec)
    if rows.kind == "image" and isinstance(rows.inputs, list):
        rows.notes += image_notes(rows.inputs)
    return rows


def _read_demo(spec: str, name: str, form: SourceForm) -> Records:
    rows: Records = read_demo(name)
    _require_columns(spec, form, pairs=bool(rows.seconds), labels=rows.more_labels)
    return rows


def _read_tfds(spec: str, name: str, form: SourceForm) -> Records:
    from tfpretune.data.readers.tfds import read_tfds  # imports TensorFlow, which takes seconds

    _refuse_sides(spec, form)
    return read_tfds(name, form)


def _read_csv(spec: str, pattern: str, form: SourceForm) -> Records:
    paths = find_files(pattern, "csv")
    refuse_image_table(paths[0], "csv", form)
    rows = read_csv(paths, form)
    rows.notes += split_files_note(paths, "csv")
    return rows


def _read_jsonl(spec: str, pattern: str, form: SourceForm) -> Records:
    paths = find_files(pattern, "jsonl")
    refuse_image_table(paths[0], "jsonl", form)
    rows = read_jsonl(paths, form)
    rows.notes += split_files_note(paths, "jsonl")
    return rows


def _read_parquet(spec: str, pattern: str, form: SourceForm) -> Records:
    paths = parquet_files(pattern)
    rows = read_parquet(paths, form)
    rows.notes += split_files_note(paths, "parquet")
    return rows


def parquet_files(pattern: str) -> list[str]:
    """Returns the files of a glob, or all Parquet files of a folder and the folders in it."""
    folder = os.path.expanduser(pattern)
    if not os.path.isdir(folder):
        return find_files(pattern, "parquet")
    paths = [path for path in walk(folder).files if path.lower().endswith(SUFFIXES["parquet"])]
    if not paths:
        raise UsageError(f"no .parquet file in {pattern} (looked in {os.getcwd()}): check the path")
    return paths


def _read_texts(spec: str, place: str, form: SourceForm) -> Records:
    _require_columns(spec, form)
    if os.path.isdir(os.path.expanduser(place)):
        rows = read_text_folder(place, labels=bool(form.label_column), encoding=form.encoding)
        rows.class_folders = True
        rows.class_cells = [] if form.label_column else [os.path.dirname(path) for path in rows.where]
        return rows
    paths = find_files(place, "text")
    rows = read_text_lines(paths, encoding=form.encoding)
    rows.notes += split_files_note(paths, "text")
    return rows


def _read_images(spec: str, folder: str, form: SourceForm) -> Records:
    _require_columns(spec, form)
    labels = bool(form.label_column)
    masked = find_mask_folders(folder)
    if not masked:
        rows = read_image_folder(folder, labels=labels)
        rows.class_folders = True
        rows.class_cells = [] if labels else [os.path.dirname(path) for path in rows.where]
        return rows
    if labels:
        names = " and ".join(os.path.relpath(path, os.path.expanduser(folder)) for path in masked[0][:2])
        raise UsageError(
            f"{spec} holds images with masks, which open_masks opens: expected class folders, found {names} "
            "(tfpretune run finetune_segmenter reads them)"
        )
    rows = Records("image")
    for each in masked:
        found = read_image_folder(each.images, labels=False)
        rows.join(found, each.split)
    return rows


SCHEMES: Mapping[str, Read] = {
    "demo": _read_demo,
    "tfds": _read_tfds,
    "csv": _read_csv,
    "jsonl": _read_jsonl,
    "json": _read_jsonl,
    "parquet": _read_parquet,
    "text": _read_texts,
    "images": _read_images,
}


def _require_columns(spec: str, form: SourceForm, *, pairs: bool = False, labels: Collection[str] = ()) -> None:
    """Refuses columns of a source that has none but what it has of its own: pairs, further labels."""
    if form.pair_column and not pairs:
        raise UsageError(
            f"source {spec!r} has no second text {form.pair_column!r}: pairs are read from csv:, jsonl:, parquet: and tfds:"
        )
    _refuse_sides(spec, form)
    for name in form.more_labels:
        if name not in labels:
            has = f"its own and {', '.join(labels)}" if labels else "its own alone"
            raise UsageError(
                f"source {spec!r} has no label column {name!r}: it has {has}; columns are read from csv:, jsonl:, "
                "parquet: and tfds:"
            )


def _refuse_sides(spec: str, form: SourceForm) -> None:
    for field, name in (("group_column", form.group_column), ("split_column", form.split_column)):
        if name and name != DEFAULT_SPLIT:
            raise UsageError(f"source {spec!r}: `{field}` is for tables (csv:, jsonl:, parquet:)")


def _nearest_source(spec: str) -> str:
    """A scheme alone gets its colon, a misspelt one the nearest."""
    scheme, colon, rest = spec.partition(":")
    if not colon and scheme in SCHEMES:
        return f", did you mean {scheme}:NAME?" if scheme in ("demo", "tfds") else f", did you mean {scheme}:PATH?"
    near = difflib.get_close_matches(scheme, SCHEMES, n=1, cutoff=0.5)
    return f", did you mean {near[0]}:{rest}?" if near else ""
