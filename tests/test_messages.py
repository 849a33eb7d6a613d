"""What the library says names arguments, for those who call it; the launcher makes options of them, which recipes have."""

import ast
import functools
import re
from pathlib import Path

from tfpretune.settings import launch

ROOT = Path(__file__).parents[1]
LIBRARY = ("data", "backbones", "objectives", "finetune", "training", "evaluation", "serving")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z.-]+")
LEFT = {  # files that still say options; the list may only shrink
    "data/demo/ratings.py",  # of pip
    "data/readers/folders/splits.py",  # of a command
    "evaluation/report/page.py",  # of CSS
    "evaluation/report/plots.py",
    "evaluation/report/sections.py",
    "evaluation/report/tags.py",
    "backbones/hugging_face/folder.py",  # of pip
    "training/devices/memory.py",  # printed, not raised
    "training/loop/preparation.py",
    "training/optimizers/learning_rate_finder.py",
}
NO_OPTIONS = {"with_teacher", "overwrite"}  # a function; an option of `predict`, which is no recipe


@functools.cache
def trees() -> dict[str, ast.Module]:
    found = {
        path: path.read_text("utf-8") for folder in LIBRARY for path in (ROOT / "tfpretune" / folder).rglob("*.py")
    }
    some = {path: text for path, text in found.items() if "--" in text or "`" in text}
    return {str(path.relative_to(ROOT / "tfpretune")): ast.parse(text) for path, text in some.items()}


def texts(tree: ast.AST) -> list[str]:
    """The strings of a tree, docstrings and other strings that nobody takes left out."""
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in alone]
    return [node.value for node in found if isinstance(node.value, str)]


def fields() -> set[str]:
    """The fields of all settings, of recipes and of the package."""
    folders = [
        ROOT / "recipes",
        *(ROOT / "tfpretune" / name for name in ("settings", "tasks", "experiments", "search")),
    ]
    paths = [path for folder in folders for path in folder.rglob("*.py")]
    classes = [
        node for path in paths for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, ast.ClassDef)
    ]
    return {each.target.id for node in classes for each in node.body if isinstance(each, ast.AnnAssign)}


def test_only_the_launcher_says_options():
    found = {name for name, tree in trees().items() if any(map(OPTION.search, texts(tree)))}
    assert found == LEFT


def test_arguments_that_messages_name_are_options_of_a_recipe():
    raised = [node for tree in trees().values() for node in ast.walk(tree) if isinstance(node, ast.Raise)]
    named = {name for node in raised for text in texts(node) for name in launch._ARGUMENT.findall(text)}
    assert {"frozen", "L2SP(strength)", "optimizer.learning_rate"} <= named
    options = {launch._OTHER_NAMES.get(name, name).rpartition(".")[2] for name in named - NO_OPTIONS}
    assert options <= fields()
    assert {name.rpartition(".")[2] for name in launch._OTHER_NAMES.values()} <= fields()
