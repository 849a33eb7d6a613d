"""Where the recipes lie, and what their docstrings say; nothing is imported to read them."""

import ast
import contextlib
import dataclasses
import difflib
import itertools
import json
import os
import re
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from tfpretune.errors import RunError, UsageError
from tfpretune.settings.renamed import modern_recipe

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
    beside = Path(__file__).resolve().parents[2]
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

    Examples:
        >>> from tfpretune.cli import recipe_path
        >>> recipe_path("quickstart", None).name
        'quickstart.py'
    """
    if name.endswith(".py") and Path(name).is_file():
        return Path(name)
    folder = folder or recipes_folder()
    path = folder / f"{name.removesuffix('.py')}.py"
    names = [found.stem for found in sorted(folder.glob("[!_]*.py"))]
    if path.stem in names and path.parent == folder:
        return path
    if (modern := modern_recipe(name)) != name:
        return recipe_path(modern, folder)
    if os.sep in name or name.endswith(".py"):
        raise UsageError(f"no file {name}")
    raise UsageError(f"no recipe {name!r}{nearest(name, names)}; see tfpretune ls")


def run_folder(path: Path, options: Sequence[str]) -> Path | None:
    """Returns the `--out-dir` of a recipe's options, of their `--config`, or the recipe's own default; None without one."""
    given = _option(options, "--out-dir")
    if given is None and (settings := _option(options, "--config")) is not None:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            given = json.loads(Path(settings).read_text("utf-8")).get("out_dir")
    found = given or _default(path, "out_dir")
    return Path(found) if isinstance(found, str) else None


def _option(options: Sequence[str], name: str) -> str | None:
    """Returns the value of the last `--name VALUE` or `--name=VALUE`."""
    found = None
    for option, after in itertools.zip_longest(options, options[1:], fillvalue=""):
        key, equals, value = option.partition("=")
        if key.replace("_", "-") == name:
            found = value if equals else after
    return found


def _default(path: Path, field: str) -> object:
    """Returns the value that a field of the script's class `Config` is given there."""
    try:
        body = ast.parse(path.read_text("utf-8")).body
    except (SyntaxError, ValueError):
        return None
    fields = [
        item
        for node in body
        if isinstance(node, ast.ClassDef) and node.name == "Config"
        for item in node.body
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and item.target.id == field
    ]
    return fields[0].value.value if fields and isinstance(fields[0].value, ast.Constant) else None


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
