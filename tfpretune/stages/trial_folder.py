"""The folder of a comparison, whose finished trials are not made again."""

from pathlib import Path
from typing import Any

from tfpretune import config_file
from tfpretune.config import UsageError
from tfpretune.files import write_atomic


def check_same_comparison(out_dir: Path, run: Any, *, may_differ: tuple[str, ...]) -> None:
    """Writes the settings to `config.json`; trials that were made with others are not mixed with these.

    Raises:
        UsageError: lists the settings that differ.
    """
    file = out_dir / "config.json"
    if file.is_file():
        changed = config_file.differences(config_file.read_config(type(run), file), run, may_differ=may_differ)
        if changed:
            raise UsageError(
                f"{out_dir} was started with other settings ({'; '.join(changed)}): choose another --out-dir"
            )
    write_atomic(file, config_file.to_json(run))
