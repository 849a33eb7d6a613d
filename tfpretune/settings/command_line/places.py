"""Sources, presets and runs that are not there, refused in one line before TensorFlow is imported."""

import difflib
import glob
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tfpretune.errors import UsageError

_DEMOS = (
    "digits mnist5k bbc reviews-zh people-daily bbc-pairs people-daily-ner people-daily-kinds people-daily-qa mnist5k-masks "
    "reviews-zh-books reviews-zh-hotels reviews-zh-computers vader-movie vader-movie-polar vader-amazon vader-amazon-polar"
)
DEMOS = tuple(_DEMOS.split())
"""The names of `data.demo.catalogue`, which lies higher; a test compares them."""
_SOURCES = ("source", "target", "unlabelled_source", "validation_source", "test_source")
_RUNS = ("run_dir", "run_dirs", "teacher_dir")
_FILES = ("csv", "json", "jsonl", "parquet", "text", "images", "conll", "squad", "shards")


def refuse_missing(settings: Any) -> None:
    """Looks whether the sources, the preset and the runs that settings name are there; what it does not know it leaves.

    Raises:
        UsageError: says which option, what is not there, and what lies near.
    """
    for name in _RUNS:
        for folder in _several(getattr(settings, name, "")):
            _require_run(f"--{name.replace('_', '-')}", folder)
    for name in _SOURCES:
        for source in _several(getattr(settings, name, "")):
            _require_source(f"--{name.replace('_', '-')}", source)
    if isinstance(preset := getattr(settings, "preset", ""), str):
        _require_preset(preset)


def _several(value: Any) -> Iterable[str]:
    values = value if isinstance(value, tuple | list) else [value]
    return [each for each in values if isinstance(each, str) and each]


def _require_source(option: str, source: str) -> None:
    scheme, colon, rest = source.partition(":")
    if scheme == "demo" and rest not in DEMOS:
        raise UsageError(
            f"{option} {source}: unknown demo{_hint(rest, DEMOS, 'demo:')}: expected one of {', '.join(DEMOS)}"
        )
    if scheme not in _FILES or not rest:
        return
    path = os.path.expanduser(rest)
    if os.path.lexists(path) or glob.has_magic(path) or any(mark in rest for mark in ",;"):
        return
    raise UsageError(
        f"{option} {source}: no file or folder {rest} (looked in {os.getcwd()}){_near_path(path, f'{scheme}:')}"
    )


def _require_preset(preset: str) -> None:
    path = os.path.expanduser(preset)
    if not preset or os.path.isdir(path) or ":" in preset or not (os.sep in preset or preset.startswith(".")):
        return  # what is no path may be a name that KerasHub knows
    maker = Path(preset).parent.name
    made = (
        f"; tfpretune run {maker} makes it" if maker.startswith("pretrain_") and Path(preset).name == "preset" else ""
    )
    others = sorted(glob.glob(os.path.join(os.path.dirname(os.path.dirname(path)), "*", "preset")))
    near = f", did you mean {found[0]}?" if (found := difflib.get_close_matches(path, others, n=1)) else ""
    raise UsageError(
        f"--preset {preset}: no such folder, and no preset that KerasHub knows{near or _near_path(path)}{made}"
    )


def _require_run(option: str, folder: str) -> None:
    path = Path(folder).expanduser()
    if not path.is_dir():
        raise UsageError(f"{option} {folder}: no such folder{_near_path(str(path))}")
    if not (path / "preset").is_dir():
        raise UsageError(f"{option} {folder}: no preset in it: expected the --out-dir of a finished fine-tuning run")


def _near_path(path: str, before: str = "") -> str:
    """The nearest name in the folder where it should be."""
    folder, name = os.path.split(path.rstrip(os.sep))
    try:
        names = [each for each in os.listdir(folder or ".") if not each.startswith(".")]
    except OSError:
        return ""
    near = difflib.get_close_matches(name, names, n=1)
    return f", did you mean {before}{os.path.join(folder, near[0])}?" if near else ""


def _hint(name: str, names: Iterable[str], before: str) -> str:
    near = difflib.get_close_matches(name, list(names), n=1, cutoff=0.5)
    return f", did you mean {before}{near[0]}?" if near else ""
