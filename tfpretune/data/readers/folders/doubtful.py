"""Folders that may be something else than classes: splits, wrappers, examples without labels. Imports no TensorFlow."""

import collections
import os
import re
from collections.abc import Mapping, Sequence

from tfpretune.data.readers.folders.kinds import FILES
from tfpretune.data.readers.folders.splits import split_of
from tfpretune.data.readers.records import Problem

_UNLABELLED = frozenset(("unsup", "unsupervised", "unlabeled", "unlabelled", "nolabel", "nolabels", "withoutlabels"))


def doubtful_folders(root: str, by_top: Mapping[str, Sequence[str]], *, labels: bool) -> list[Problem]:
    """Names what the folders of a source may be, where they would be taken for classes.

    Args:
        root: the folder of the source.
        by_top: first folder below `root` ("" for none) -> paths of the files in it.
        labels: the folders would be classes; without, only what mixes splits is named.
    """
    filled = [name for name in by_top if name]
    if len({split_of(name) for name in filled} - {None}) > 1:
        others = [name for name in filled if not split_of(name)]
        what = f"some folders are splits by their names and others are not: {', '.join(others[:3])}"
        return [Problem(root, what, "move the others elsewhere, or give each folder by itself")]
    if len(filled) == 1 and "" not in by_top:
        return _around(root, filled[0], by_top[filled[0]], labels=labels)
    return _alike(root, {name: by_top[name] for name in filled}) if labels and len(filled) > 1 else []


def unlabelled_folders(root: str, names: Sequence[str], kind: str) -> list[Problem]:
    """Names folders of examples without labels ("unsup") that would be classes."""
    return [
        Problem(
            os.path.join(root, name),
            f"by its name it holds {kind}s without labels, and it would be the class {name!r}",
            f"move it elsewhere (pre-training reads it by itself, {FILES[kind].scheme}:FOLDER), or rename it if it is a class",
        )
        for name in names
        if re.sub(r"[\W_]+", "", name.casefold()) in _UNLABELLED
    ]


def unwrapped(top: str, paths: Sequence[str]) -> str:
    """Returns the folder within `top` that alone holds everything, if it has the name of `top` or several folders; or `top`."""
    inside = first_folders(top, paths)
    if len(inside) != 1 or "" in inside:
        return top
    (alone,) = inside
    below = first_folders(os.path.join(top, alone), paths)
    same = alone.casefold() == os.path.basename(top).casefold()
    return os.path.join(top, alone) if "" not in below and (same or len(below) > 1) else top


def first_folders(root: str, paths: Sequence[str]) -> dict[str, list[str]]:
    """Sorts paths by the first folder on the way from `root`; "" for files in `root` itself."""
    found: dict[str, list[str]] = {}
    for path in paths:
        first, inside, _ = os.path.relpath(path, root).partition(os.sep)
        found.setdefault(first if inside else "", []).append(path)
    return found


def _around(root: str, name: str, paths: Sequence[str], *, labels: bool) -> list[Problem]:
    """Names a folder around the whole source."""
    alone = os.path.join(root, name)
    inner = first_folders(alone, paths)
    while labels and len(inner) == 1 and "" not in inner:
        deeper = os.path.join(alone, *inner)
        if set(below := first_folders(deeper, paths)) == {""}:
            break
        alone, inner = deeper, below
    folders = [folder for folder in inner if folder]
    if len(folders) < 2 and not (folders and split_of(name)):
        return []
    what = f"all lies in one folder, {os.path.relpath(alone, root)}, with the folders {', '.join(folders[:3])}"
    return [Problem(root, what, f"give that folder as the source: {alone}")]


def _alike(root: str, by_top: Mapping[str, Sequence[str]]) -> list[Problem]:
    """Names folders that hold the same folders, as splits do, and one that is named after a split and holds several."""
    inner = {name: _class_names(os.path.join(root, name), paths) for name, paths in by_top.items()}
    counts = collections.Counter(name for names in inner.values() for name in names)
    shared = {name for name, count in counts.items() if count > 1}
    holders = [name for name, names in inner.items() if len(names & shared) > 1]
    splits = [name for name in by_top if split_of(name)]
    if 2 * len(holders) >= len(inner):
        what = f"the folders {_few(holders)} hold the same folders, {_few(sorted(shared))}"
        if all(split_of(name) for name in shared):
            todo = "put the folders of the splits on top, and those of the classes into each of them"
            return [Problem(root, f"{what}, which are splits by their names", todo)]
    elif splits and len(inner[splits[0]]) > 1:
        what = f"the folder {splits[0]} is a split by its name and holds the folders {_few(sorted(inner[splits[0]]))}"
    else:
        return []
    todo = "name splits train, val and test; give one of them as the source; or put the files of a class right into its folder"
    return [Problem(root, f"{what}: they may be splits or classes", todo)]


def _class_names(top: str, paths: Sequence[str]) -> set[str]:
    return set(first_folders(unwrapped(top, paths), paths)) - {""}


def _few(names: Sequence[str] | Mapping[str, object]) -> str:
    return ", ".join([*names][:3]) + (", …" if len(names) > 3 else "")
