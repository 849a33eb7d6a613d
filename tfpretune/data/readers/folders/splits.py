"""Folders that are named after splits: train, val and test hold the examples of one set each. Imports no TensorFlow."""

import os
import re
from collections.abc import Mapping, Sequence

from tfpretune.data.splits.rule import PARTS, Part
from tfpretune.errors import RunError

_NAMES: dict[str, Part] = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}


def split_of(name: str) -> Part | None:
    """Returns the split that a folder is named after: "Train", "val2017", "test_set"; None for any other name."""
    plain = re.sub(r"[\W_]+", "", name.casefold())
    return _NAMES.get(re.sub(r"(set|data|images)?\d*$", "", plain))


def splits_of(names: list[str]) -> dict[str, Part] | None:
    """Returns the split of each folder, training first, if all are named after splits and after two at least."""
    found = {name: part for name in names if (part := split_of(name))}
    if len(found) != len(names) or len(set(found.values())) < 2:
        return None
    return dict(sorted(found.items(), key=lambda item: PARTS.index(item[1])))


def splits_note(splits: Mapping[str, Part]) -> str:
    """Says which folders are which split, and where a split without a folder comes from."""
    told = ", ".join(name if name == part else f"{name} ({part})" for name, part in splits.items())
    missing = [part for part in PARTS if part not in splits.values()]
    rest = f"; the {missing[0]} part is taken from train by hash" if missing else ""
    return f"the folders {told} are the splits of the source, no classes{rest}"


def split_files_note(paths: Sequence[str], scheme: str) -> list[str]:
    """Says that files which are read as one source are named after splits: train.csv and test.csv, a-train.csv, a-dev.csv."""
    found: dict[Part, str] = {}
    for path in paths:
        words = re.split(r"[\W_]+", os.path.basename(path).casefold().split(".")[0])
        part = next((part for word in words if (part := split_of(word))), None)
        if part:
            found.setdefault(part, path)
    if len(found) < 2 or "train" not in found:
        return []
    first, other = found["train"], next(path for part, path in found.items() if part != "train")
    names = ", ".join(os.path.basename(path) for path in found.values())
    return [
        f"{names} look like splits and are read as one source, which is split anew: to keep them apart train on "
        f"{scheme}:{first} alone (tfpretune check {scheme}:{first} --against {scheme}:{other} compares them)"
    ]


def inner_splits(root: str, paths: list[str]) -> dict[str, Part] | None:
    """Returns `splits_of` the first folders on the way from `root` to each file; None where a file lies in `root` itself."""
    inside = [os.path.relpath(path, root).split(os.sep) for path in paths]
    if any(len(parts) < 2 for parts in inside):
        return None
    return splits_of(sorted({parts[0] for parts in inside}))


def files_by_split(folder: str, paths: Sequence[str]) -> dict[Part | None, list[str]]:
    """Returns the files of each split, training first; all as those of no split where the folders are not named so.

    Raises:
        RunError: a file lies beside the folders of the splits.
    """
    by_top: dict[str, list[str]] = {}
    for path in paths:
        first, *more = os.path.relpath(path, folder).split(os.sep)
        by_top.setdefault(first if more else "", []).append(path)
    splits = splits_of([top for top in by_top if top])
    if splits is None:
        return {None: [*paths]}
    if "" in by_top:
        raise RunError(f"{by_top[''][0]}: the text lies beside the folders of the splits; move it into one of them")
    print(f"{folder}: {splits_note(splits)}")
    by_split: dict[Part | None, list[str]] = {}
    for top, split in splits.items():
        by_split.setdefault(split, []).extend(by_top[top])
    return by_split
