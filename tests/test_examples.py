"""Every name of an `__all__` has an example in its docstring, and each runs; one without fails by its name."""

import doctest
import importlib
import inspect
import re
import shutil
from pathlib import Path
from typing import Any

import keras
import pytest
import tensorflow as tf

import tfpretune

PACKAGE = Path(tfpretune.__file__).parent
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
EXPORT = "serving.export"
AFTER_EXPORT = ("serving.predict", "serving.verify")
"""Their examples go on in the folder that the example of `export` leaves."""
WITHOUT: tuple[str, ...] = ("settings",)
"""Names that have no example yet; this may only shrink."""


def public() -> dict[str, tuple[Any, Any]]:
    """`face.name` -> the face and what stands under the name, for all names of all `__all__`."""
    folders = sorted(path.parent.relative_to(PACKAGE).parts for path in PACKAGE.rglob("__init__.py"))
    faces = {parts: importlib.import_module(".".join(("tfpretune", *parts))) for parts in folders}
    return {
        ".".join((*parts, name)): (face, getattr(face, name))
        for parts, face in faces.items()
        for name in getattr(face, "__all__", ())
    }


PUBLIC = public()


def example_of(name: str) -> str:
    """The example of a public name: in its own docstring; of a constant, which has none, in that of its face."""
    face, thing = PUBLIC[name]
    own = inspect.ismodule(thing) or inspect.isclass(thing) or callable(thing)
    _, _, text = (inspect.cleandoc((thing if own else face).__doc__ or "")).partition("\nExamples:\n")
    return text if own or re.search(rf"^ *>>> .*\b{name.rpartition('.')[2]}\b", text, re.M) else ""


def run(name: str) -> str:
    """Runs an example and returns what is wrong with it."""
    test = doctest.DocTestParser().get_doctest(example_of(name), {}, name, name, 0)
    said: list[str] = []
    doctest.DocTestRunner(optionflags=FLAGS).run(test, out=said.append)
    return "".join(said) if test.examples else f"{name} has no example: write one into its docstring, under Examples:"


def settings_of_the_process() -> tuple[Any, ...]:
    return keras.config.dtype_policy().name, keras.config.floatx(), tf.distribute.has_strategy()


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run(EXPORT) == ""
    return folder


@pytest.mark.parametrize("name", PUBLIC)
def test_example(name, tmp_path, monkeypatch, request):
    if name in (EXPORT, *AFTER_EXPORT):
        shutil.copytree(request.getfixturevalue("exported"), tmp_path, dirs_exist_ok=True)
    if name == EXPORT:
        return  # it has just run
    monkeypatch.chdir(tmp_path)
    before = settings_of_the_process()
    wrong = run(name)
    assert bool(wrong) == (name in WITHOUT), wrong or f"{name} has an example now: take it off the list"
    assert settings_of_the_process() == before


def test_what_would_be_found(monkeypatch):
    def good():
        """One.

        Examples:
            >>> 1 + 1
            2
        """

    def wrong():
        """One.

        Examples:
            >>> 1 + 1
            3
        """

    def missing():
        """One."""

    found = {}
    for thing in (good, wrong, missing):
        monkeypatch.setitem(PUBLIC, thing.__name__, (tfpretune, thing))
        found[thing.__name__] = run(thing.__name__)
    monkeypatch.setitem(PUBLIC, "CONSTANT", (tfpretune, 3))
    assert found["good"] == ""
    assert "Expected:\n    3\nGot:\n    2\n" in found["wrong"]
    assert found["missing"].startswith("missing has no example")
    assert run("CONSTANT").startswith("CONSTANT has no example")
