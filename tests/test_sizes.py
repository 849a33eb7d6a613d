"""Recipes, functions, modules and folders stay small. What is larger is listed with its size; the lists may only shrink.

Examples in docstrings are not counted: they are there to be read first, and a test runs them.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)
RECIPE, MAIN, FUNCTION, MODULE, FOLDER = 100, 50, 60, 250, 15

RECIPES: dict[str, int] = {}
MAINS: dict[str, int] = {}
FUNCTIONS: dict[str, int] = {}
MODULES: dict[str, int] = {
    "finetune/methods/lora.py": 261,
    "objectives/base.py": 287,
    "runtime/files.py": 256,
    "training/loop/preparation.py": 256,
}
FOLDERS: dict[str, int] = {}


def lines_of(path: Path) -> int:
    """Lines of a file without the examples at the ends of its docstrings."""
    text = path.read_text("utf-8")
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, DOCUMENTED)]
    parts = [(ast.get_docstring(node) or "").partition("\n\nExamples:\n") for node in nodes]
    examples = [(rest, 2 + len(example.splitlines())) for rest, there, example in parts if there]
    return len(text.splitlines()) - sum(
        size + (len(rest.splitlines()) == 1) for rest, size in examples
    )  # and the quotes


def code_lines(node: ast.FunctionDef) -> int:
    """Lines from the first statement behind the docstring to the end."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def functions(path: Path) -> dict[str, int]:
    tree = ast.parse(path.read_text("utf-8"))
    return {node.name: code_lines(node) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def check(found: dict[str, int], most: int, listed: dict[str, int]) -> None:
    """What is too large must be in the list, and nothing else, and no larger than there."""
    too_large = {name: size for name, size in found.items() if size > most}
    assert too_large == listed, "make it smaller; the lists above may only shrink"


def test_recipes():
    paths = {path.stem: path for path in (ROOT / "recipes").glob("*.py")}
    check({name: lines_of(path) for name, path in paths.items()}, RECIPE, RECIPES)
    check({name: functions(path)["main"] for name, path in paths.items()}, MAIN, MAINS)


def test_functions_and_modules():
    paths = {str(path.relative_to(ROOT / "tfpretune")): path for path in (ROOT / "tfpretune").rglob("*.py")}
    check({name: lines_of(path) for name, path in paths.items()}, MODULE, MODULES)
    found = {f"{name}:{each}": size for name, path in paths.items() for each, size in functions(path).items()}
    check(found, FUNCTION, FUNCTIONS)


def test_folders():
    folders = {path.parent for path in (ROOT / "tfpretune").rglob("*.py")}
    count = {
        str(folder.relative_to(ROOT)): sum(path.name != "__init__.py" for path in folder.glob("*.py"))
        for folder in folders
    }
    check(count, FOLDER, FOLDERS)
