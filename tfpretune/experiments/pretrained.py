"""A preset to compare from: made by a recipe, run as its user would."""

import subprocess
import sys
from pathlib import Path

from tfpretune.errors import RunError


def pretrain(recipe: Path, source: str, *, out_dir: str, fast: bool) -> str:
    """Runs a recipe that pre-trains in a process of its own. A run that is finished is not made again.

    Args:
        recipe: its file.
        source: its `--source`.
        out_dir: its `--out-dir`.
        fast: rehearse.

    Returns:
        The preset that it leaves.

    Raises:
        RunError: it failed.
    """
    command = [str(recipe), "--source", source, "--out-dir", out_dir, *(["--fast"] if fast else [])]
    print(f"$ python {' '.join(command)}", flush=True)
    if subprocess.run([sys.executable, *command], check=False).returncode:
        raise RunError(f"{recipe.stem} failed: its message stands above")
    return f"{out_dir}/preset"
