"""What CONTRIBUTING says of a new method is true: a function, a field and a line, and every head and recipe has it."""

import dataclasses
import inspect

import keras
import numpy as np
import pytest

from tests.recipes.test_recipes import load
from tfpretune import finetune
from tfpretune.backbones import SmallCNN
from tfpretune.settings import launch
from tfpretune.settings.finetune import TaskConfig
from tfpretune.settings.run import RunConfig
from tfpretune.tasks.finetuning import fitting, methods
from tfpretune.training.presets import load_task

LINE = """
        if run.keep_bias:
            keep_bias(model)"""
PLACE = "\n        if run.unfreeze_every:\n"


def keep_bias(model):
    """The function: the bias of the head stays as it is."""
    model.get_layer("logits").bias.trainable = False


def apply_with_the_line():
    """`apply_methods` of tasks/finetuning/methods.py with one line more."""
    source, module = inspect.getsource(methods), {"keep_bias": keep_bias}
    assert source.count(PLACE) == 1
    exec(source.replace(PLACE, LINE + PLACE), module)
    return module["apply_methods"]


def test_a_new_method_is_an_option_of_a_recipe(tmp_path, monkeypatch):
    """The recipe is as it is but for the field that its settings inherit, and its model learns as the method says."""
    recipe, preset, out = load("finetune_image"), str(tmp_path / "cnn"), str(tmp_path / "run")

    @dataclasses.dataclass(frozen=True)
    class Config(recipe.Config):
        """The settings with the field."""

        keep_bias: bool = False

    monkeypatch.setattr(fitting, "apply_methods", apply_with_the_line())
    keras.utils.set_random_seed(0)
    cnn = SmallCNN((8, 8, 1), (8,))
    cnn.save_to_preset(preset)
    own = [
        "--preset",
        preset,
        "--source",
        "demo:digits",
        "--out-dir",
        out,
        "--fast",
        "--no-init-head-from-probe",
        "--jit",
        "off",
    ]
    recipe.main(launch.parse(Config, [*own, "--keep-bias"]))
    model, _ = load_task(f"{out}/preset")
    assert not np.any(model.get_layer("logits").bias)
    assert all(np.any(old != new) for old, new in zip(cnn.get_weights(), model.backbone.get_weights(), strict=True))


HEADS = [name for name in finetune.__all__ if "backbone" in inspect.signature(getattr(finetune, name)).parameters]


@pytest.mark.parametrize("name", HEADS)
def test_no_method_is_an_argument_of_a_head(name):
    methods_of_a_run = {field.name for field in dataclasses.fields(TaskConfig)} - {
        *(field.name for field in dataclasses.fields(RunConfig)),
        "dropout",  # the head's own layer
    }
    assert {"r_drop", "l2_sp", "lora_rank", "layer_decay", "frozen"} <= methods_of_a_run
    assert not methods_of_a_run & set(inspect.signature(getattr(finetune, name)).parameters)


def test_these_are_heads():
    assert {"classifier", "tagger", "segmenter", "span_finder", "pair_head", "pooled_head", "multi_head"} <= {*HEADS}
