"""Examples from TensorFlow Datasets."""

import difflib
import hashlib
import itertools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tfpretune.data.readers.folders.splits import split_of
from tfpretune.data.readers.records import Problem, Records
from tfpretune.data.readers.source_form import SourceForm
from tfpretune.data.readers.tables.rows import text_at
from tfpretune.data.readers.tfds_features import (
    class_names_of,
    feature_notes,
    image_feature,
    label_feature,
    require_text,
    text_features,
)
from tfpretune.data.splits.rule import Part
from tfpretune.errors import RunError, UsageError


def read_tfds(rest: str, form: SourceForm) -> Records:
    """Reads one split of a data set; prepares (downloads) the data set first where that has not been done.

    Images of one fixed shape come as an array; others as paths of files, written under `~/.cache/tfpretune/tfds` and
    named after their content.

    Args:
        rest: `NAME[/CONFIG][:SPLIT]`, or `FOLDER[:SPLIT]` for the folder of a prepared data set. SPLIT is as tfds
            has it.
        form: its columns are features. The text feature need not be named if there is one only. Without a feature "label", the
            only ClassLabel there is, or else the only bool or float, is the label; not where further ones are asked for. Bools
            are classes, floats are numbers.
    """
    name, _, split = rest.partition(":")
    split = split or "train"
    builder = _builder(name)
    features = builder.info.features
    image = image_feature(features)
    label = label_feature(features, form.label_column, name, by_name=bool(form.more_labels))
    rows = Records("text" if image is None else "image")
    texts = text_features(features, form.text_columns, name) if image is None else ()
    if form.pair_column:
        require_text(features, form.pair_column, name)
    for column in form.more_labels:
        label_feature(features, column, name, by_name=True)
        rows.more_class_names[column] = class_names_of(features, column)
    rows.license = getattr(builder.info.redistribution_info, "license", "") or "see the data set's home page"
    rows.class_names = class_names_of(features, label)
    rows.label_kind = "regression" if label and np.issubdtype(features[label].np_dtype, np.floating) else "single"
    asked = (form.label_column, form.pair_column, *form.more_labels)
    rows.notes += feature_notes(features, (image,) if image else texts, label, asked)
    if image is None:
        _add_texts(rows, _records(builder, split, None), (texts, form.pair_column), label, f"tfds:{name}:{split}")
    else:
        fixed = None not in features[image].shape
        records = _records(builder, split, None if fixed else image)
        _add_images(rows, records, image, label, f"tfds:{name}:{split}", fixed)
    return rows


def held_out_splits(name: str, form: SourceForm) -> dict[Part, str]:
    """Returns the splits of a data set that are named after validation and test, and have labels where labels are read.

    Args:
        name: `NAME[/CONFIG]`, or the folder of a prepared data set.
        form: as for `read_tfds`.
    """
    builder = _builder(name)
    label = label_feature(builder.info.features, form.label_column, name, by_name=bool(form.more_labels))
    classes = class_names_of(builder.info.features, label)
    found: dict[Part, str] = {}
    for split in builder.info.splits:
        part = split_of(split)
        if part in (None, "train") or part in found:
            continue
        some = itertools.islice(_records(builder, split, image_feature(builder.info.features)), 100)
        if not classes or any(_label(record, label, classes) is not None for record in some):
            found[part] = split
        else:
            print(f"tfds:{name}: the labels of its split {split!r} are hidden, it is not used")
    return found


def _builder(name: str) -> tfds.core.DatasetBuilder:
    folder = os.path.expanduser(name)
    if os.path.isdir(folder):
        try:
            return tfds.builder_from_directory(folder)
        except Exception as error:
            raise UsageError(f"{name} is not the folder of a prepared tfds data set: {_first_line(error)}") from error
    try:
        builder = tfds.builder(name)
    except tfds.core.DatasetNotFoundError as error:
        near = difflib.get_close_matches(name.split("/")[0], tfds.list_builders(), n=1, cutoff=0.5)
        hint = f", did you mean {near[0]!r}?" if near else ""
        raise UsageError(
            f"unknown tfds data set {name!r}{hint}: expected a name of the tfds catalogue, or a folder"
        ) from error
    except Exception as error:
        raise UsageError(f"tfds cannot open {name!r}: {_first_line(error)}") from error
    try:
        builder.download_and_prepare()
    except Exception as error:
        raise RunError(f"tfds could not prepare {name!r} in {builder.data_dir}: {_first_line(error)}") from error
    return builder


def _records(builder: tfds.core.DatasetBuilder, split: str, undecoded: str | None) -> Iterator[dict[str, Any]]:
    decoders = {undecoded: tfds.decode.SkipDecoding()} if undecoded else None
    try:
        dataset = builder.as_dataset(split=split, decoders=decoders, shuffle_files=False)
    except ValueError as error:
        raise UsageError(
            f"tfds:{builder.name} has no split {split!r}: it has {', '.join(builder.info.splits)}"
        ) from error
    try:
        yield from tfds.as_numpy(dataset)
    except tf.errors.OpError as error:  # a corrupt record file; TensorFlow does not say which
        raise RunError(
            f"a file of {builder.data_dir} cannot be read ({_first_line(error)}): prepare the data set again"
        ) from error


def _add_texts(
    rows: Records,
    records: Iterator[dict[str, Any]],
    texts: tuple[tuple[str, ...], str],
    label: str | None,
    name: str,
) -> None:
    for number, record in enumerate(records):
        where = f"{name}[{number}]"
        try:
            own = _label(record, label, rows.class_names)
            first = text_at({text: record[text].decode("utf-8") for text in texts[0]}, texts[0])
            second = record[texts[1]].decode("utf-8") if texts[1] else None
            rows.add_text(first, own, where, second=second, more=_more_labels(rows, record))
        except UnicodeDecodeError as error:
            problem = Problem(
                f"{where}:1:{error.start + 1}", "the text is not UTF-8", "prepare the data set again from UTF-8 texts"
            )
            rows.problems.append(problem)


def _add_images(
    rows: Records, records: Iterator[dict[str, Any]], image: str, label: str | None, name: str, fixed: bool
) -> None:
    pictures, cache = [], _cache_folder()
    for number, record in enumerate(records):
        picture = record[image]
        if fixed:
            pictures.append(picture)
            picture = ""
        else:
            picture = _write_once(cache, picture)
        own = _label(record, label, rows.class_names)
        rows.add(picture, own, f"{name}[{number}]", more=_more_labels(rows, record))
    if pictures:
        rows.inputs = np.stack(pictures)
        if rows.inputs.dtype != np.uint8:
            raise UsageError(f"{name} has {rows.inputs.dtype} images, only uint8 ones are read")


def _more_labels(rows: Records, record: dict[str, Any]) -> dict[str, str | None]:
    return {label: _label(record, label, names) for label, names in rows.more_class_names.items()}


def _label(record: dict[str, Any], label: str | None, class_names: tuple[str, ...]) -> str | None:
    if label is None:
        return None
    value = record[label]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if class_names:
        return class_names[value] if value >= 0 else None  # tfds writes -1 where the label is hidden
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    return repr(float(value)) if np.issubdtype(value.dtype, np.floating) else str(int(value))


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "tfpretune/tfds"


def _write_once(folder: Path, contents: bytes) -> str:
    """Writes an encoded image under the name of its digest, unless it is there. A reader never sees half a file."""
    digest = hashlib.sha256(contents).hexdigest()
    path = folder / digest[:2] / f"{digest[2:34]}{'.jpg' if contents.startswith(bytes([0xFF, 0xD8])) else '.png'}"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".tmp-", delete=False) as file:
            file.write(contents)
        os.replace(file.name, path)
    return str(path)


def _first_line(error: Exception) -> str:
    lines = itertools.chain(str(error).strip().splitlines(), [type(error).__name__])
    return next(line for line in lines if line)[:200]
