"""Where the recipes lie, and what their docstrings say; nothing is imported to read them."""

import ast
import dataclasses
import difflib
import os
import re
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from tfpretune.config import RunError, UsageError

# A command starts its line (after `$`, or after a word and a colon) or stands between backticks.
_COMMAND = re.compile(r"(?:^\s*(?:\w+: +)?(?:\$ )?|`)((?:tfpretune run \S|make \w|(?:\S*/)?python3? \S+\.py)[^`]*)")
_SCRIPT = re.compile(r"^\S*python3? (?:\S*/)?recipes/(\w+)\.py")


@dataclasses.dataclass(frozen=True)
class Recipe:
    """One script of the recipes folder; the summary and the command come from its docstring."""

    path: Path
    summary: str
    command: str


def recipes_folder() -> Path:
    """Returns the folder with the recipes: beside the package in a checkout, in `share/tfpretune` when installed.

    Raises:
        RunError: there is none.
    """
    beside = Path(__file__).resolve().parent.parent
    user = sysconfig.get_path("data", sysconfig.get_preferred_scheme("user"))
    prefixes = [sysconfig.get_path("data"), user, str(beside)]
    candidates = [beside / "recipes"] if (beside / "pyproject.toml").is_file() else []
    candidates += [Path(prefix) / "share" / "tfpretune" / "recipes" for prefix in prefixes]
    for folder in candidates:
        if folder.is_dir():
            return folder
    raise RunError(f"no recipes found, looked in {', '.join(map(str, candidates))}: install tfpretune again")


def find_recipes(folder: Path) -> dict[str, Recipe]:
    """Reads the docstrings of all recipes in a folder: name -> recipe, sorted by name."""
    return {path.stem: _read(path) for path in sorted(folder.glob("[!_]*.py"))}


def recipe_path(name: str, folder: Path | None) -> Path:
    """Returns the file of a recipe by name, or of any script by its path.

    Args:
        name: a name from `find_recipes`, or the path of a .py file.
        folder: where the recipes lie; `recipes_folder()` when None.

    Raises:
        UsageError: there is no such recipe or file.
    """
    if name.endswith(".py") and Path(name).is_file():
        return Path(name)
    folder = folder or recipes_folder()
    path = folder / f"{name.removesuffix('.py')}.py"
    names = [found.stem for found in sorted(folder.glob("[!_]*.py"))]
    if path.stem in names and path.parent == folder:
        return path
    if os.sep in name or name.endswith(".py"):
        raise UsageError(f"no file {name}")
    raise UsageError(f"no recipe {name!r}{nearest(name, names)}; see tfpretune ls")


def nearest(name: str, names: Sequence[str]) -> str:
    """Returns ", did you mean NAME?" for the nearest of the names, or all of them where none is near."""
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if near:
        return f", did you mean {near[0]}?"
    return f", there are: {', '.join(names)}" if names else ""


def _read(path: Path) -> Recipe:
    try:
        docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "(no description)"
    except (SyntaxError, ValueError) as error:
        docstring = f"(cannot be read: {error})"
    lines = docstring.replace("\\\n", " ").splitlines()
    found = (_COMMAND.search(line) for line in lines)
    command = next((match[1] for match in found if match), f"tfpretune run {path.stem}")
    return Recipe(path, lines[0], _SCRIPT.sub(r"tfpretune run \1", " ".join(command.split())))
