"""Adapters: what a file holds, several on one backbone, and what does not fit."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.finetune.methods.test_lora import TEXTS, make_bert, make_encoder, make_vit, spread
from tfpretune.errors import RunError, UsageError
from tfpretune.finetune import freeze
from tfpretune.finetune.methods.lora import enable_lora, lora_settings, lora_variables, merge_lora
from tfpretune.runtime.files import check_manifest
from tfpretune.training.adapters import load_adapter, save_adapter, set_adapter


def make_model(make=make_encoder, *, rank=2, seed=3, dtype=None, **settings):
    keras.utils.set_random_seed(seed)
    model = make(dtype)
    if rank:
        enable_lora(model, rank, **settings)
    return model


def train(model, labels):
    """A few steps on one of several tasks over the same texts."""
    model.compile(keras.optimizers.Adam(0.05))
    data = tf.data.Dataset.from_tensor_slices(TEXTS | {"labels": np.array(labels, "int32")}).batch(4)
    model.fit(data.repeat(5), shuffle=False, verbose=0)
    return model


def answers(model):
    return model.predict(TEXTS, verbose=0)


@pytest.fixture(scope="module")
def adapters(tmp_path_factory):
    """Two tasks on one backbone, and what a model said after each was learnt."""
    folder = tmp_path_factory.mktemp("adapters")
    said = {}
    for name, labels, seed in (("one", [0, 0, 1, 1], 3), ("two", [0, 1, 0, 1], 3)):
        model = train(make_model(seed=seed), labels)
        save_adapter(folder / name, model)
        said[name] = answers(model)
    model = train(make_model(rank=3, alpha=6.0, layers="intermediate"), [1, 1, 0, 0])
    save_adapter(folder / "wide", model)
    said["wide"] = answers(model)
    return folder, said


def test_a_folder_by_hand(adapters):
    folder = adapters[0] / "one"
    check_manifest(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["adapter.json", "adapter.safetensors", "manifest.json"]
    about = json.loads((folder / "adapter.json").read_text())
    paths = [f"block_{block}/query_key_value/{part}" for block in (0, 1) for part in ("query", "value")]
    assert about | {"base": ""} == {
        "rank": 2, "alpha": 2.0, "dropout": 0.0, "layers": paths, "backbone": "TextEncoder", "base": "",
    }  # fmt: skip
    assert len(about["base"]) == 64
    values = 2 * (8 * 4 + 2 * 2 * 8) + 8 * 2 + 2  # A and B of two blocks, and the head
    assert 4 * values < (folder / "adapter.safetensors").stat().st_size < 4 * values + 1000


def test_two_tasks_in_turn_on_one_backbone_to_the_bit(adapters):
    folder, said = adapters
    assert np.abs(said["one"] - said["two"]).max() > 0.1
    model = make_model()
    function = None
    for name in ("one", "two", "one", "one", "two"):
        report = set_adapter(model, folder / name)
        assert len(report.loaded) == 6
        assert (report.missing, report.mismatched, report.unused) == ([], [], [])
        np.testing.assert_array_equal(answers(model), said[name])
        assert function in (None, model.predict_function)  # compiled once
        function = model.predict_function


def test_an_adapter_of_another_kind_takes_the_place(adapters):
    folder, said = adapters
    model = make_model()
    for name in ("wide", "two", "wide"):
        set_adapter(model, folder / name)
        np.testing.assert_array_equal(answers(model), said[name])
    settings = lora_settings(model)
    assert (settings.rank, settings.alpha) == (3, 6.0)
    assert settings.layers == ("block_0/intermediate", "block_1/intermediate")
    train(model, [0, 1, 1, 0])  # it can learn on


def test_a_model_without_lora_gets_it(adapters):
    folder, said = adapters
    model = make_model(rank=0)
    load_adapter(model, folder / "one")
    np.testing.assert_array_equal(answers(model), said["one"])
    merge_lora(model)
    np.testing.assert_allclose(answers(model), said["one"], atol=1e-5)


def test_half_precision_reads_the_same_file(adapters):
    model = make_model(rank=0, dtype="mixed_bfloat16")
    load_adapter(model, adapters[0] / "one")
    np.testing.assert_allclose(answers(model), adapters[1]["one"], atol=0.1)


@pytest.mark.parametrize("make", [make_bert, make_vit])
def test_other_backbones(make, tmp_path):
    model = make_model(make)
    spread(model)
    save_adapter(tmp_path / "a", model)
    other = make_model(make, rank=0)
    load_adapter(other, tmp_path / "a")
    for name, variable in lora_variables(model).items():
        np.testing.assert_array_equal(lora_variables(other)[name], variable)


def test_biases_that_learnt_are_part_of_it(tmp_path):
    def build():
        model = make_model(rank=0)
        freeze(model, "bias")
        enable_lora(model, 2)
        return model

    model = train(build(), [0, 1, 1, 0])
    save_adapter(tmp_path / "a", model)
    for other in (build(), make_model(rank=0)):
        report = load_adapter(other, tmp_path / "a")
        assert any(name.endswith("query_key_value/bias") for name in report.loaded)
        np.testing.assert_array_equal(answers(other), answers(model))


def test_what_does_not_fit_is_refused_by_name_and_changes_nothing(adapters, tmp_path):
    folder = adapters[0]
    model = make_model()
    spread(model)
    before = answers(model)
    with pytest.raises(
        UsageError, match=r"wide has other settings \(rank 3 for 2, alpha 6.0 for 2.0, layers\): set_adapter"
    ):
        load_adapter(model, folder / "wide")
    with pytest.raises(UsageError, match="holds no adapter"):
        load_adapter(model, tmp_path)
    with pytest.raises(UsageError, match="the model has no LoRA: save_preset writes all of it"):
        save_adapter(tmp_path / "x", make_model(rank=0))
    for put_in in (load_adapter, set_adapter):
        with pytest.raises(
            UsageError, match=r"another backbone \(sha256 of its weights [0-9a-f]{12}, here [0-9a-f]{12}\)"
        ):
            put_in(make_model(seed=4), folder / "one")
    shallow = make_model(lambda dtype: make_encoder(dtype, layers=1))
    with pytest.raises(UsageError, match="changes block_1/query_key_value/query, which this TextEncoder does not have"):
        set_adapter(shallow, folder / "one")
    np.testing.assert_array_equal(answers(model), before)


def rewrite(folder, change):
    """A folder whose manifest is right and whose content was changed."""
    import safetensors.numpy

    from tfpretune.runtime.files import atomic_folder

    arrays = safetensors.numpy.load_file(folder / "adapter.safetensors")
    about = json.loads((folder / "adapter.json").read_text())
    change(arrays, about)
    with atomic_folder(folder, replace=True) as temporary:
        safetensors.numpy.save_file(arrays, temporary / "adapter.safetensors")
        (temporary / "adapter.json").write_text(json.dumps(about))
    return folder


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays, about: arrays.clear(), r"0 of 2 variables loaded; missing: head/000/logits/kernel"),
        (
            lambda arrays, about: arrays.update({"head/001/logits/bias": np.zeros(3, "float32")}),
            r"mismatched: head/001/logits/bias \(3,\) for \(2,\)",
        ),
        (
            lambda arrays, about: arrays.pop("lora/block_0/query_key_value/lora_a"),
            "missing: lora/block_0/query_key_value/lora_a",
        ),
        (lambda arrays, about: arrays.update({"other": np.zeros(1)}), "unused: other"),
        (lambda arrays, about: about.update(rank="many"), "adapter.json is not as save_adapter writes it"),
        (lambda arrays, about: about.pop("layers"), "adapter.json is not as save_adapter writes it: 'layers'"),
    ],
)
@pytest.mark.parametrize("settings", [{"rank": 0}, {"rank": 2}, {"rank": 1, "layers": "intermediate"}])
def test_files_that_do_not_fit_change_nothing(change, message, settings, tmp_path):
    model = make_model()
    spread(model)
    folder = rewrite(save_adapter(tmp_path / "a", model), change)
    other = make_model(**settings)
    if settings["rank"]:
        spread(other)
    before, had = answers(other), lora_settings(other)
    with pytest.raises(RunError, match=message):
        set_adapter(other, folder)
    np.testing.assert_array_equal(answers(other), before)
    assert lora_settings(other) == had


def test_damage_and_numbers_that_are_none_are_refused(adapters, tmp_path):
    model = make_model()
    save_adapter(tmp_path / "a", model)
    file = tmp_path / "a" / "adapter.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(RunError, match=r"adapter.safetensors is damaged"):
        load_adapter(model, tmp_path / "a")
    next(iter(lora_variables(model).values())).assign(np.full((8, 4), np.nan))
    with pytest.raises(RunError, match="1 of 6 variables hold values that are not numbers, the first is lora/block_0"):
        save_adapter(tmp_path / "b", model)
    assert not (tmp_path / "b").exists()


def test_an_older_adapter_is_replaced(tmp_path):
    model = make_model()
    save_adapter(tmp_path / "a", model)
    spread(model)
    save_adapter(tmp_path / "a", model)
    other = make_model()
    load_adapter(other, tmp_path / "a")
    np.testing.assert_array_equal(answers(other), answers(model))
