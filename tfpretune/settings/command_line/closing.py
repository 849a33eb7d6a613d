"""The last lines of a run: what came out and how long it took, where the report lies, what to do next. No TensorFlow."""

import dataclasses
import shlex
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tfpretune.runtime.phases import without_phases

_begun = time.monotonic()

CARRIED = (
    "delimiter",
    "encoding",
    "text_column",
    "image_column",
    "image_folder",
    "label_column",
    "pair_column",
    "label_kind",
    "label_separator",
    "labels_as_written",
    "validation_source",
    "test_source",
    "fractions",
    "split_column",
    "group_column",
    "fast",
)
"""Settings that say how a source is read; the next command has them, too."""


def begin() -> None:
    """Starts the clock of a run."""
    global _begun
    _begun = time.monotonic()


def close(found: str, page: Path | str | None, then: Sequence[str], *, verdict: Sequence[str] = ()) -> None:
    """Prints what is to be said of a run, and its last three lines.

    Args:
        found: the best metric, in words.
        page: the report; None where there is none.
        then: the next command, in words behind `tfpretune`; () where there is none.
        verdict: what the report says first.

    Examples:
        >>> from tfpretune.settings import launch
        >>> launch.close("test accuracy 0.9", "runs/a/report/index.html", ["export", "runs/a"])
        test accuracy 0.9; ... minutes
        report: runs/a/report/index.html
        next: ... export runs/a
    """
    lines = [f"verdict: {line}" for line in verdict]
    lines.append(f"{found}; {(time.monotonic() - _begun) / 60:.1f} minutes")
    lines += [f"report: {page}"] if page is not None else []
    lines += [f"next: {shlex.join([*_command(), *then])}"] if then else []
    with without_phases():
        print("\n".join(lines), flush=True)


def to_export(run: Any) -> list[str]:
    """Returns the command that exports what a run has fine-tuned."""
    return ["export", str(run.out_dir)]


def to_finetune(recipe: str, run: Any) -> list[str]:
    """Returns the command that fine-tunes the preset of a pre-training run on the same source, read in the same way.

    Args:
        recipe: name of the recipe.
        run: settings of the pre-training. A source without labels, a plain file of texts or shards, gives way to a
            placeholder.

    Examples:
        >>> from tfpretune.settings import RunConfig, launch
        >>> launch.to_finetune("finetune_text", RunConfig("csv:my reviews.csv", "runs/reviews", steps=9))[3:]
        ['csv:my reviews.csv', '--preset', 'runs/reviews/preset', '--out-dir', 'runs/reviews-finetuned']
    """
    out_dir, source = Path(run.out_dir), run.source
    name = out_dir.name.replace("pretrain", "finetune")
    name = name if name != out_dir.name else f"{name}-finetuned"
    scheme, _, path = source.partition(":")
    if scheme == "shards" or (scheme == "text" and not Path(path).is_dir()):
        source = "csv:LABELLED.csv"
    where = ["--source", source, "--preset", f"{run.out_dir}/preset", "--out-dir", str(out_dir.with_name(name))]
    return ["run", recipe, *where, *_options(run, CARRIED)]


def to_ask(folder: Path, example: Sequence[str]) -> list[str]:
    """Returns the command that asks an exported model.

    Args:
        folder: saved_models/NAME/VERSION.
        example: an input, of pairs two.
    """
    return ["predict", str(folder.parent), *example]


def _options(run: Any, names: Sequence[str]) -> Iterator[str]:
    """Yields these settings as options where they are not the recipe's own."""
    for field in dataclasses.fields(run):
        value = getattr(run, field.name)
        default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        if field.name not in names or value == default:
            continue
        name = field.name.replace("_", "-")
        if isinstance(value, bool):
            yield f"--{name}" if value else f"--no-{name}"
        else:
            yield from (f"--{name}", *map(str, value if isinstance(value, tuple | list) else [value]))


def _command() -> list[str]:
    """Returns how the command `tfpretune` of this environment is called from here."""
    beside = Path(sys.executable).with_name("tfpretune")
    found = shutil.which("tfpretune")
    if found and Path(found).absolute() == beside.absolute():
        return ["tfpretune"]
    if not beside.is_file():
        return [sys.executable, "-m", "tfpretune"]
    here = Path.cwd()
    return [str(beside.relative_to(here) if beside.is_relative_to(here) else beside)]
