"""Every recipe: its form, its options, and a tiny run that leaves what its docstring promises."""

import ast
import contextlib
import dataclasses
import importlib.util
import inspect
import json
import os
import re
import shlex
import sys
import types
import typing
from pathlib import Path

import keras
import keras_hub
import numpy as np
import pytest
import tensorflow as tf

from tests.faults.tiny import write_texts
from tfpretune import data, tasks, training
from tfpretune.backbones import SmallCNN, TextEncoder
from tfpretune.backbones.by_name import load_tokenizer
from tfpretune.cli import recipes as recipe_files
from tfpretune.data.sources.examples import open_source
from tfpretune.data.text.tokens import encode_all
from tfpretune.errors import UsageError
from tfpretune.settings import file as config_file
from tfpretune.settings import launch
from tfpretune.settings.command_line.closing import CARRIED
from tfpretune.settings.finetune import FinetuneConfig
from tfpretune.settings.run import DevicesConfig, RunConfig
from tfpretune.training.presets import load_task

FOLDER = Path(__file__).parents[2] / "recipes"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))
TRAINING = ("pretrain_image", "pretrain_text", "finetune_image", "finetune_text")
IMAGES = {"source": "demo:digits", "fast": True, "batch_size": 8}
TEXT = {"source": "demo:bbc", "fast": True, "batch_size": 8}


def load(name):
    """Imports a recipe as `tfpretune run` does: by its path."""
    spec = importlib.util.spec_from_file_location(f"recipe_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # the option parser reads the fields' docstrings from there
    spec.loader.exec_module(module)
    return module


def squeeze(text):
    """Takes the frames and line ends out of what the option parser prints."""
    return " ".join(re.sub(r"[^ -~\n]", " ", text).split())


def described(config_class):
    """Returns name -> docstring of the fields of a dataclass, its parents and its nested dataclasses."""
    found = {}
    for cls in reversed(config_class.__mro__[:-1]):
        body = ast.parse(inspect.cleandoc(inspect.getsource(cls))).body[0].body
        for field, after in zip(body, [*body[1:], None], strict=True):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
            ):
                found[field.target.id] = after.value.value
    for name, kind in typing.get_type_hints(config_class).items():
        if dataclasses.is_dataclass(kind):
            found |= {f"{name}.{key}": text for key, text in described(kind).items()}
    return found


@pytest.mark.parametrize("name", NAMES)
def test_form(name):
    """Imports, definitions and the last two lines: nothing runs on import."""
    body = ast.parse((FOLDER / f"{name}.py").read_text("utf-8")).body
    allowed = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef, ast.Assign, ast.AnnAssign)
    assert isinstance(body[0], ast.Expr)  # the docstring
    assert all(isinstance(node, allowed) for node in body[1:-1])
    assert ast.unparse(body[-1]) == "if __name__ == '__main__':\n    launch.run(Config, main, __doc__)"
    module = load(name)
    assert dataclasses.is_dataclass(module.Config)
    assert module.Config.__dataclass_params__.frozen
    assert list(inspect.signature(module.main).parameters) == ["run"]
    assert inspect.signature(module.main).parameters["run"].annotation is module.Config
    if name in TRAINING:
        assert issubclass(module.Config, FinetuneConfig if name.startswith("finetune") else RunConfig)
    assert any(field.name == "fast" for field in dataclasses.fields(module.Config))


@pytest.mark.parametrize("name", NAMES)
def test_the_command_of_the_docstring_is_right(name):
    recipe = recipe_files.find_recipes(FOLDER)[name]
    command = shlex.split(recipe.command)
    assert command[:3] == ["tfpretune", "run", name]
    launch.parse(load(name).Config, command[3:])


@pytest.mark.parametrize("name", NAMES)
def test_help_says_what_every_field_is_for(name, capsys):
    module = load(name)
    fields = described(module.Config)
    nested = [field.name for field in dataclasses.fields(module.Config) if dataclasses.is_dataclass(field.type)]
    assert set(fields) >= {field.name for field in dataclasses.fields(module.Config)} - set(nested)
    with pytest.raises(SystemExit) as stop:
        launch.parse(module.Config, ["--help"], description=module.__doc__)
    assert stop.value.code == 0
    text = squeeze(capsys.readouterr().out)
    for field, about in fields.items():
        assert f"--{field.replace('_', '-')} " in text or f"--{field.replace('_', '-')}," in text, field
        assert squeeze(about) in text, field


@pytest.mark.parametrize("kind", ["text", "image"])
def test_what_the_next_command_carries_is_an_option_there(kind):
    """All that says how a source is read, given to pre-training, stands in the command of fine-tuning and parses there."""
    before, after = load(f"pretrain_{kind}").Config, load(f"finetune_{kind}").Config
    fields = {field.name: typing.get_type_hints(before)[field.name] for field in dataclasses.fields(before)}
    carried = {name for name in CARRIED if name in fields}
    assert "fast" in carried
    given = {name: True if fields[name] is bool else ("x",) if fields[name] is not str else "x" for name in carried}
    given |= {name: "," for name in ("delimiter",) if name in carried}
    given |= {name: "utf-8" for name in ("encoding",) if name in carried}
    given |= {"validation_source": "y", "test_source": "z", "fractions": (0.5, 0.3, 0.2)}
    command = launch.to_finetune(f"finetune_{kind}", dataclasses.replace(before(), **given))
    found = launch.parse(after, command[2:])
    assert {name: getattr(found, name) for name in carried} == given


@pytest.mark.parametrize("name", NAMES)
def test_a_misspelt_option_is_refused(name, capsys):
    with pytest.raises(SystemExit) as stop:
        launch.parse(load(name).Config, ["--fsat"])
    assert stop.value.code == 2
    assert "--fast" in capsys.readouterr().err


@pytest.mark.parametrize("name", TRAINING)
def test_devices_are_made_before_tensorflow_starts(name, monkeypatch):
    """Logical CPUs can be made only before the first operation: so before the data, whose reading has some."""
    module = load(name)

    def stop(replicas):
        raise UsageError(f"{replicas} replicas")

    monkeypatch.setattr(training, "make_strategy", stop)
    monkeypatch.setattr(training, "set_random_seed", None)
    monkeypatch.setattr(tasks, "open_splits", None)
    monkeypatch.setattr(data, "open_source", None)
    with pytest.raises(UsageError, match="2 replicas"):
        module.main(module.Config(devices=DevicesConfig(replicas=2)))


@dataclasses.dataclass
class Chain:
    """A whole job at its smallest: the folder of each step and what its `main` returned."""

    folder: Path
    results: types.SimpleNamespace


def run_recipe(recipe, /, **settings):
    module = load(recipe)
    return module.main(module.Config(**settings))


def run_chain(folder, kind, pretraining, finetuning):
    pretrain, finetune = str(folder / "pretrain"), str(folder / "finetune")
    results = types.SimpleNamespace()
    with contextlib.chdir(folder):
        results.pretrain = run_recipe(f"pretrain_{kind}", out_dir=pretrain, **pretraining)
        results.finetune = run_recipe(f"finetune_{kind}", out_dir=finetune, preset=f"{pretrain}/preset", **finetuning)
        results.evaluate = run_recipe("evaluate", run_dir=finetune, out_dir=str(folder / "evaluate"), fast=True)
        results.export = run_recipe(
            "export", run_dir=finetune, name="toy", saved_models=str(folder / "saved"), fast=True
        )
        assert sorted(path.name for path in folder.iterdir()) == ["evaluate", "finetune", "pretrain", "saved"]
    return Chain(folder, results)


@pytest.fixture(scope="module")
def image_chain(tmp_path_factory):
    pretraining = {**IMAGES, "image_shape": (8, 8, 1), "patch_size": 2, "objective": "denoising"}
    return run_chain(tmp_path_factory.mktemp("image"), "image", pretraining, {**IMAGES, "frozen": "2"})


@pytest.fixture(scope="module")
def short_texts(tmp_path_factory):
    path = tmp_path_factory.mktemp("texts") / "texts.csv"
    write_texts(path)
    return TEXT | {"source": f"csv:{path}"}


@pytest.fixture(scope="module")
def text_chain(tmp_path_factory, short_texts):
    pretraining = short_texts | {"vocabulary_size": 400, "sequence_length": 32}
    finetuning = short_texts | {
        "sequence_length": 64,
        "window_length": 32,
        "labels_per_class": 10,
        "choose_on_validation": True,
    }
    return run_chain(tmp_path_factory.mktemp("text"), "text", pretraining, finetuning)


def check_chain(chain, backbone_class):
    for step in ("pretrain", "finetune"):
        run = chain.folder / step
        parts = {"config.json", "run.json", "checkpoints", "logs", "preset", "report"}
        assert {path.name for path in run.iterdir()} - {".lock"} == parts
        assert (run / "report" / "index.html").stat().st_size > 1000
        metrics = json.loads((run / "report" / "metrics.json").read_text("utf-8"))
        assert all(isinstance(value, int | float) for value in metrics.values())
        assert json.loads((run / "config.json").read_text("utf-8"))["batch_size"] == 8
        assert json.loads((run / "run.json").read_text("utf-8"))["steps"] == 3
        assert {"train", "validation"} <= {path.name for path in (run / "logs").iterdir()}
        assert [path.name for path in (run / "checkpoints").iterdir()] == ["step-00000003"]
        assert type(keras_hub.models.Backbone.from_preset(str(run / "preset"))) is backbone_class
    assert chain.results.finetune.steps == 3
    assert (chain.folder / "finetune" / "logs" / "hparams").is_dir()
    assert (chain.folder / "finetune" / "logs" / "validation" / "projector_config.pbtxt").is_file()
    assert chain.results.evaluate == chain.folder / "evaluate" / "report" / "index.html"
    evaluated = json.loads(chain.results.evaluate.with_name("metrics.json").read_text("utf-8"))
    assert 0 <= evaluated["accuracy"] <= 1
    assert chain.results.export == chain.folder / "saved" / "toy" / "1"


def test_images_from_pretraining_to_export(image_chain):
    check_chain(image_chain, SmallCNN)
    model, task = load_task(image_chain.folder / "finetune" / "preset")
    assert (task["kind"], task["image_shape"], task["source"]) == ("image", [8, 8, 1], "demo:digits")
    assert (image_chain.folder / "pretrain" / "report" / "reconstructions.png").is_file()
    pixels = open_source("demo:digits").inputs[:2]
    loaded = tf.saved_model.load(str(image_chain.results.export))
    files = tf.constant([tf.io.encode_png(image).numpy() for image in pixels])
    answer = loaded.signatures["serving_default"](image_bytes=files)
    expected = keras.ops.softmax(model({"images": pixels.astype("float32") / 255}))
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-5)


def test_texts_from_pretraining_to_export(text_chain):
    check_chain(text_chain, TextEncoder)
    preset = text_chain.folder / "finetune" / "preset"
    model, task = load_task(preset)
    assert (task["kind"], task["sequence_length"], task["window_length"]) == ("text", 64, 32)
    tokenizer = load_tokenizer(str(preset))
    assert tokenizer.vocabulary_size() <= 400
    texts = ["The striker scored twice.", "Shares fell."]
    loaded = tf.saved_model.load(str(text_chain.results.export))
    answer = loaded.signatures["serving_default"](texts=tf.constant(texts))
    expected = keras.ops.softmax(model(encode_all(tokenizer, texts, sequence_length=64)))
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-5)
    assert set(answer["label"].numpy()) <= {name.encode() for name in task["class_names"]}


def test_what_is_frozen_stays(image_chain):
    """The first two layers with weights of the fine-tuned backbone are the pre-trained ones."""
    weights = [
        keras_hub.models.Backbone.from_preset(str(image_chain.folder / step / "preset")).get_weights()
        for step in ("pretrain", "finetune")
    ]
    same = [np.array_equal(a, b) for a, b in zip(*weights, strict=True)]
    assert same[:4] == [True] * 4  # kernel and bias; gamma and beta
    assert not any(same[4:])


def test_a_finished_run_can_be_run_again(image_chain):
    """Nothing is trained, and the report, whose curves come from the checkpoint, is written again."""
    report = image_chain.folder / "finetune" / "report" / "index.html"
    os.utime(report, ns=(0, 0))
    saved = json.loads((image_chain.folder / "finetune" / "config.json").read_text("utf-8"))
    module = load("finetune_image")
    result = module.main(config_file.from_json(module.Config, json.dumps(saved), where="config.json"))
    assert result.curves == image_chain.results.finetune.curves
    assert report.stat().st_mtime_ns > 0


@pytest.mark.parametrize("name", TRAINING)
def test_dry_run_prints_and_leaves_nothing(name, image_chain, text_chain, short_texts, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    kind = name.split("_")[1]
    settings = (IMAGES if kind == "image" else short_texts) | {"dry_run": True, "fast": False, "steps": 7}
    if name.startswith("finetune"):
        chain = image_chain if kind == "image" else text_chain
        settings |= {"preset": str(chain.folder / "pretrain" / "preset"), "frozen": "1", "labels_per_class": 5}
    elif kind == "image":
        settings |= {"backbone": "vit-mini", "objective": "mae", "image_shape": (8, 8, 1), "patch_size": 4}
    else:
        monkeypatch.setattr(module_of_tokens(), "train_wordpiece", None)  # the preset's vocabulary will do
        settings |= {"preset": str(text_chain.folder / "pretrain" / "preset"), "fast": True}
    capsys.readouterr()
    assert run_recipe(name, **settings) is None
    out = capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
    steps = 3 if name == "pretrain_text" else 7
    for part in ('"batch_size": 8', "one batch", "trainable", "frozen", f"steps: {steps} of 8", "memory, estimated: "):
        assert part in out, part
    column = "images: float32 (8, 8, 8, 1)" if kind == "image" else "token_ids: int32 (8, "
    assert column in out
    frozen = int(out.split("total")[1].split()[1].replace(",", ""))
    assert (frozen > 0) == name.startswith("finetune")


def module_of_tokens():
    from tfpretune.data.text import tokens

    return tokens


def test_chinese_vocabulary_has_characters(tmp_path):
    """On texts without spaces every character is a token of its own, and few are unknown."""
    settings = TEXT | {"source": "demo:reviews-zh", "vocabulary_size": 1500, "sequence_length": 32}
    run_recipe("pretrain_text", out_dir=str(tmp_path / "run"), **settings)
    tokenizer = load_tokenizer(str(tmp_path / "run" / "preset"))
    rows = encode_all(tokenizer, ["房间很好，服务也不错。"], sequence_length=16)["token_ids"]
    tokens = [tokenizer.id_to_token(int(token)) for token in rows[0]][1:12]
    assert sum(a == b for a, b in zip(tokens, "房间很好，服务也不错。", strict=True)) >= 9
    assert "[UNK]" not in tokens[:4]


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("pretrain_image", {"source": "demo:bbc"}, "`source` demo:bbc holds text examples, expected image"),
        ("pretrain_image", {"objective": "mae"}, "--objective mae with --backbone cnn-small: mae needs a vit"),
        ("pretrain_text", {"source": "demo:digits"}, "`source` demo:digits holds image examples, expected text"),
        ("pretrain_text", {"mask_rate": 1.5}, "--mask-rate must be in [0, 1), received 1.5"),
        ("finetune_text", {"label_smoothing": 1.0}, "--label-smoothing must be in [0, 1), received 1.0"),
        ("finetune_text", {"source": "demo:people-daily"}, "demo:people-daily has 0 classes: labels of at least 2"),
        ("finetune_text", {"sequence_length": 100, "window_length": 64}, "--sequence-length 100 is not a multiple of"),
        ("finetune_image", {"preset": "no/such"}, "`preset` no/such: "),
        ("finetune_image", {"scale": 1.0}, "--scale must be in [0, 1), received 1.0"),
        ("finetune_image", {"patience": -1}, "--patience must not be negative, received -1"),
        ("finetune_image", {"source": "demo:digts"}, "did you mean 'digits'"),
        ("evaluate", {"run_dir": "no/such"}, "no/such/preset holds no fine-tuned model"),
        ("export", {"run_dir": "no/such"}, "no/such/preset holds no fine-tuned model"),
    ],
)
def test_mistakes_are_usage_errors(name, settings, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=re.escape(message)):
        run_recipe(name, **settings)
    assert list(tmp_path.iterdir()) == []


def test_evaluation_needs_labels(text_chain, tmp_path):
    run_dir = str(text_chain.folder / "finetune")
    with pytest.raises(UsageError, match="--source demo:people-daily has no labels: there is nothing to compare with"):
        run_recipe("evaluate", run_dir=run_dir, source="demo:people-daily", out_dir=str(tmp_path))
