"""Writes several files so that a reader never meets half of one."""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path

from tfpretune.config import RunError


def write_files(directory: Path, contents: Mapping[str, str]) -> None:
    """Writes all contents under temporary names, then renames them; a failure before that leaves the old files.

    Args:
        directory: made if it is missing.
        contents: file name -> text, written as UTF-8 and renamed in this order.
    """
    directory.mkdir(parents=True, exist_ok=True)
    waiting = {directory / f".{name}.tmp-{os.getpid()}": directory / name for name in contents}
    try:
        for temporary, text in zip(waiting, contents.values(), strict=True):
            with temporary.open("w", encoding="utf-8", errors="replace", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        for temporary, final in waiting.items():
            temporary.replace(final)
    finally:
        for temporary in waiting:
            temporary.unlink(missing_ok=True)
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def metrics_json(metrics: Mapping[str, float]) -> str:
    """Flat JSON: name -> number.

    Raises:
        RunError: a number is not finite, which JSON cannot hold.
    """
    bad = {name: value for name, value in metrics.items() if not math.isfinite(value)}
    if bad:
        raise RunError(f"metrics.json: expected finite numbers, received {bad}")
    return json.dumps({name: float(value) for name, value in metrics.items()}, indent=2, ensure_ascii=False) + "\n"
