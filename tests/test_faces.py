"""The public faces: `import tfpretune` is cheap, every promised name is there and is itself in any order of imports."""

import ast
import importlib
import importlib.util
import subprocess
import sys
import types
import typing
from pathlib import Path

import pytest

import tfpretune

ROOT = Path(__file__).parents[1]
FACES = [
    "runtime",
    "settings",
    "data",
    "backbones",
    "objectives",
    "finetune",
    "training",
    "evaluation",
    "serving",
    "tasks",
    "experiments",
    "search",
]
AT_ONCE = ["backbones", "objectives", "finetune", "training"]  # those with classes that Keras has to find
BEAM = {"find_parts_with_beam", "prepare_with_beam"}  # of an extra


def in_new_process(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_importing_is_cheap():
    code = (
        "import sys, tfpretune\n"
        "from tfpretune.data import open_source, check, Examples\n"
        "from tfpretune import evaluation, experiments, runtime, search, serving, settings, tasks\n"
        "from tfpretune.evaluation import Table, gain_over_scratch\n"
        "print('tensorflow' in sys.modules, 'keras' in sys.modules, callable(tfpretune.data.open_source))"
    )
    assert in_new_process(code) == "False False True\n"


@pytest.mark.parametrize("name", FACES)
def test_every_name_of_a_face_is_there(name):
    face = importlib.import_module(f"tfpretune.{name}")
    assert face.__all__
    assert set(face.__all__) <= set(dir(face))
    for each in set(face.__all__) - (set() if importlib.util.find_spec("apache_beam") else BEAM):
        value = getattr(face, each)
        assert not callable(value) or typing.get_origin(value) or value.__doc__, each


def test_a_name_of_a_face_is_no_module_beside_it():
    """An import of the module would put it in the name's place, in the middle of a program."""
    for name in FACES:
        face = importlib.import_module(f"tfpretune.{name}")
        beside = {path.stem for path in Path(face.__file__).parent.iterdir()}
        both = set(face.__all__) & beside
        assert both == {each for each in both if isinstance(getattr(face, each), types.ModuleType)}, name


def test_names_like_those_of_modules_are_functions_in_both_orders():
    modules = "import tfpretune.data.checks.examples, tfpretune.serving.exporting, tfpretune.serving.verifying\n"
    names = "from tfpretune.data import check; from tfpretune.serving import export, predict, verify\n"
    names += "print(*[each.__name__ for each in (check, export, predict, verify)])\n"
    answers = [in_new_process(code).splitlines() for code in (modules + names, names + modules + names)]
    assert answers == [["check export predict verify"], ["check export predict verify"] * 2]


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.py")), ids=lambda path: path.stem)
def test_recipes_import_from_faces_only(path):
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    modules = [node.module for node in nodes if isinstance(node, ast.ImportFrom)]
    modules += [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    ours = [module.split(".") for module in modules if module.split(".")[0] == "tfpretune"]
    assert ours
    assert [module for module in ours if len(module) > 2] == []


def registered_classes(folder: str) -> set[str]:
    """The classes of a folder that are registered with Keras, from their source."""
    return {
        node.name
        for path in (ROOT / "tfpretune" / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
        and any("register_keras_serializable" in ast.unparse(each) for each in node.decorator_list)
    }


def test_one_import_of_a_folder_lets_keras_find_all_its_classes():
    known = {
        folder.name: registered_classes(folder.name) for folder in (ROOT / "tfpretune").iterdir() if folder.is_dir()
    }
    assert sorted(folder for folder, names in known.items() if names) == sorted(AT_ONCE)
    wanted = {folder: sorted(known[folder]) for folder in AT_ONCE}
    code = (
        "import importlib, keras\n"
        f"for folder, names in {wanted!r}.items():\n"
        "    importlib.import_module(f'tfpretune.{folder}')\n"
        "    print(folder, [name for name in names if not keras.saving.get_registered_object(f'tfpretune>{name}')])"
    )
    assert in_new_process(code).splitlines() == [f"{folder} []" for folder in AT_ONCE]


def test_names_that_stay_put():
    promised = {
        "finetune": "classifier tagger pair_classifier regressor freeze GradualUnfreezing L2SP layerwise_rates enable_lora "
        "merge_lora",
        "training": "make_strategy make_optimizer fit",
        "data": "open_source",
        "evaluation": "write_report gain_over_scratch",
        "serving": "export verify predict",
    }
    for face, names in promised.items():
        for name in names.split():
            assert callable(getattr(getattr(tfpretune, face), name)), (face, name)


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="open_sauce"):
        _ = tfpretune.data.open_sauce
