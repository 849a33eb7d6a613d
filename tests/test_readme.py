"""Every command of the two READMEs runs; the figures in them are the ones that the quick start printed."""

import ast
import contextlib
import re
import shlex
from pathlib import Path

import pytest

from tests.recipes.test_recipes import load
from tfpretune.cli import arguments as cli
from tfpretune.serving import verify
from tfpretune.settings import launch

ROOT = Path(__file__).parents[1]
READMES = ("README.md", "README.zh.md")
TICKETS = (("price",), ("delivery",), ("price", "delivery"), ())


def blocks(name: str, language: str = "") -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", (ROOT / name).read_text("utf-8"), re.M | re.S)
    return [text for kind, text in found if kind == language]


def commands(name: str) -> list[list[str]]:
    return [shlex.split(line) for block in blocks(name) for line in block.splitlines() if line.strip()]


@pytest.mark.parametrize("name", READMES)
def test_make_targets_exist(name):
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = [command[1] for command in commands(name) if command[0] == "make"]
    assert targets == ["demo", "test"]
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.M)


def test_both_readmes_have_the_same_commands():
    english, chinese = ([command[:3] for command in commands(name)] for name in READMES)
    assert english == chinese


@pytest.mark.parametrize("name", READMES)
def test_commands_have_options_that_exist(name):
    for command in commands(name):
        if command[:2] == ["tfpretune", "run"]:
            launch.parse(load(command[2]).Config, command[3:])
        elif command[0] == "tfpretune":
            cli._parse(command[1:])


def test_commands_run_in_order(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    good = [f"I liked item {i}: it works well and looks good,yes" for i in range(60)]
    bad = [f"Item {i} broke at once and the price is too high,no" for i in range(60)]
    Path("reviews.csv").write_text("text,label\n" + "\n".join(good + bad) + "\n", "utf-8")
    tickets = [f"item {i} {' and '.join(words)},{';'.join(words)}" for i in range(40) for words in TICKETS]
    Path("test.csv").write_text("text,label\nI liked it,yes\nIt broke,no\nIt looks good,yes\n", "utf-8")
    Path("tickets.csv").write_text("text,label\n" + "\n".join(tickets) + "\n", "utf-8")
    Path("ratings.csv").write_text("text,label\n" + "\n".join(f"item {i},{i / 10}" for i in range(90)) + "\n", "utf-8")
    ran = []
    for command in commands("README.md"):
        if (
            command[0] != "tfpretune" or command[1] == "board"
        ):  # board starts a server: tests/cli/test_arguments.py has it
            continue
        arguments = command[1:] + (["--fast"] if command[1] == "run" else [])
        assert cli.main(arguments) == 0, (command, capsys.readouterr())
        ran.append(command[1])
    own_test = ["check", "run", "run", "run"]
    assert ran == ["check", "run", "run", "export", *own_test, "check", "run", "run", "verify", "predict", "predict"]


def test_python_example_imports_what_is_there():
    (example,) = blocks("README.md", "python")
    imports = [node for node in ast.parse(example).body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert len(imports) > 3
    exec(compile(ast.Module(imports, []), "README.md", "exec"), {})


def test_python_example_runs(tmp_path, capsys):
    """From raw digits to an export of a classifier that knows them."""
    (example,) = blocks("README.md", "python")
    names = {}
    with contextlib.chdir(tmp_path):
        exec(compile(example, "README.md", "exec"), names)
        assert verify("saved_models/digits").difference < 1e-5
    accuracy = float(re.search(r"'accuracy': ([0-9.]+)", capsys.readouterr().out)[1])
    assert accuracy > 0.9


def test_both_readmes_show_the_same_table():
    tables = [
        re.search(r"<!-- results.*?-->(.*?)<!-- end", (ROOT / name).read_text("utf-8"), re.S)[1] for name in READMES
    ]
    assert tables[0] == tables[1]


def test_linked_files_exist():
    for name in READMES:
        for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / name).read_text("utf-8")):
            assert (ROOT / target).exists(), (name, target)
