"""A whole run with LoRA: resume to the bit, presets, float32 copies and exports without a trace of it."""

import keras
import keras_hub
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework.config import disable_op_determinism

from tests.finetune.methods.test_lora import IMAGES, KINDS, NAMES, TEXTS, make_bert, make_encoder, make_vit, spread
from tests.serving.conftest import VOCABULARY
from tests.training.loop.toys import Interrupt, make_run
from tfpretune.backbones import TextEncoderTokenizer
from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.errors import UsageError
from tfpretune.finetune.methods.lora import enable_lora, lora_settings, lora_variables
from tfpretune.serving import export
from tfpretune.training import fit
from tfpretune.training.presets import in_float32, load_task, save_preset
from tfpretune.training.run_variables import run_variables

TASK = {"kind": "text", "class_names": ["no", "yes"]}
ROWS = {
    "token_ids": np.random.default_rng(0).integers(5, 11, (10, 4)).astype("int32"),
    "padding_mask": np.ones((10, 4), "int32"),
    "labels": np.random.default_rng(1).integers(0, 2, 10).astype("int32"),
}


@pytest.fixture
def determinism():
    tf.config.experimental.enable_op_determinism()
    yield
    disable_op_determinism()


def make_model(make=make_encoder, seed=3):
    keras.utils.set_random_seed(seed)
    model = make()
    enable_lora(model, 2, dropout=0.3)
    return model


def values(model):
    return {name: variable.numpy() for name, variable in run_variables(model).items()}


@pytest.mark.parametrize("make", [make_encoder, make_bert])
def test_resume_gives_the_same_bits(make, tmp_path, determinism):
    """Nine steps with LoRA dropout in one go; and stopped in step 6, saved at 4, begun again from another backbone."""
    whole, first, second = make_model(make), make_model(make), make_model(make, seed=99)
    batches = StepIndexed(ROWS, 4, seed=5)
    fit(whole, batches, make_run(tmp_path / "whole"))
    with pytest.raises(KeyboardInterrupt):
        fit(first, batches, make_run(tmp_path / "cut"), callbacks=[Interrupt(6)])
    fit(second, batches, make_run(tmp_path / "cut"))
    for name, value in values(whole).items():
        np.testing.assert_array_equal(values(second)[name], value, err_msg=name)
    start = make_model(make)
    moved = [b for a, b in zip(start.weights, whole.weights, strict=True) if not np.array_equal(a, b)]
    assert {v.path for v in moved} == {v.path for v in whole.trainable_variables}


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize(("make", "batch"), KINDS, ids=NAMES)
def test_a_float32_copy_is_merged_and_the_model_is_not(make, batch, dtype):
    model, exact = make(dtype), make("float32")
    for one in (model, exact):
        enable_lora(one, 2, alpha=6.0, dropout=0.1, layers=".")
    spread(model)
    exact.set_weights(model.get_weights())
    copy = in_float32(model)
    assert type(copy) is type(model)
    assert [w.path for w in copy.weights] == [w.path for w in model.weights if "lora" not in w.path]
    np.testing.assert_allclose(copy(batch), exact(batch), atol=1e-5)
    assert len(lora_variables(model)) == len(lora_variables(exact)) > 0


def test_a_preset_is_merged_and_training_goes_on(tmp_path):
    model = make_model()
    spread(model)
    model.compile(keras.optimizers.SGD(0.1))
    before = {weight.path: weight.numpy() for weight in model.weights}
    folder = save_preset(tmp_path / "preset", model, task=TASK)
    assert all(np.array_equal(weight, before[weight.path]) for weight in model.weights)
    assert lora_settings(model) is not None
    model.fit(tf.data.Dataset.from_tensor_slices(ROWS).batch(5), shuffle=False, verbose=0)
    assert not all(np.array_equal(v, before[v.path]) for v in lora_variables(model).values())

    fresh = make_model()
    fresh.set_weights(list(before.values()))
    loaded, _ = load_task(folder)
    np.testing.assert_allclose(loaded(TEXTS), fresh(TEXTS), atol=1e-5)
    backbone = keras_hub.models.Backbone.from_preset(str(folder))
    np.testing.assert_allclose(backbone(TEXTS), fresh.backbone(TEXTS), atol=1e-5)
    assert not [weight.path for weight in (*loaded.weights, *backbone.weights) if "lora" in weight.path]
    assert all(weight.trainable for weight in backbone.weights)


def test_exports_hold_no_lora(tmp_path):
    model = make_model()
    spread(model)
    settings = {
        "name": "films",
        "kind": "text",
        "class_names": ("no", "yes"),
        "tokenizer": TextEncoderTokenizer(vocabulary=[*VOCABULARY, "x"], lowercase=True),
        "sequence_length": 4,
    }
    with pytest.raises(UsageError, match=r"has 4 variables of LoRA \(block_0/query_key_value/lora_a, …\): export what"):
        export(model, tmp_path, **settings)
    assert not (tmp_path / "films" / "1").exists()
    folder = export(in_float32(model), tmp_path, **settings)
    names = [name for name, _ in tf.train.list_variables(str(folder / "variables" / "variables"))]
    assert names
    assert not [name for name in names if "lora" in name]


def test_exports_of_images_hold_no_lora(tmp_path):
    model = make_model(make_vit)
    spread(model)
    folder = export(
        in_float32(model), tmp_path, name="spots", kind="image", class_names=("no", "yes"), image_shape=(8, 8, 1)
    )
    loaded = tf.saved_model.load(str(folder))
    assert not [variable.name for variable in loaded.variables if "lora" in variable.name]
    np.testing.assert_allclose(in_float32(model)(IMAGES), model(IMAGES), atol=1e-5)
