"""Weights as people have them: of several kinds, in several files, in half precision, under any prefix, with leftovers."""

import json
import shutil

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from tests.backbones.hugging_face.test_folder import (
    CONFIG,
    IDS,
    INNER,
    LAYERS,
    LONGEST,
    VOCABULARY,
    WIDTH,
    features,
    plain_bert,
    refused,
    write,
)  # fmt: skip
from tfpretune.backbones.by_name import load_backbone, load_tokenizer
from tfpretune.backbones.notes import note
from tfpretune.errors import RunError, UsageError
from tfpretune.finetune import classifier
from tfpretune.training.presets import save_preset

DISTIL = {
    "attention.self.query": "attention.q_lin", "attention.self.key": "attention.k_lin",
    "attention.self.value": "attention.v_lin", "attention.output.dense": "attention.out_lin",
    "attention.output.LayerNorm": "sa_layer_norm", "intermediate.dense": "ffn.lin1", "output.dense": "ffn.lin2",
    "output.LayerNorm": "output_layer_norm", "encoder.layer": "transformer.layer",
}  # fmt: skip
DISTIL_CONFIG = {
    "model_type": "distilbert", "vocab_size": len(VOCABULARY), "dim": WIDTH, "n_layers": LAYERS, "n_heads": 2,
    "hidden_dim": INNER, "max_position_embeddings": LONGEST, "activation": "gelu", "dropout": 0.1,
}  # fmt: skip


def save(folder, weights, config):
    safetensors.numpy.save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))


def distil_name(name):
    for theirs, ours in DISTIL.items():
        name = name.replace(theirs, ours) if theirs != "output.dense" or "attention" not in name else name
    return name


def without_segments(rows):
    return {name: values for name, values in rows.items() if name != "segment_ids"}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "model"


@pytest.mark.parametrize("prefix", ["", "distilbert.", "model.distilbert."])
def test_a_distilbert_with_and_without_a_head(folder, prefix):
    weights = write(folder)
    weights["embeddings.token_type_embeddings.weight"][:] = 0
    theirs = {
        prefix + distil_name(name): value
        for name, value in weights.items()
        if "pooler" not in name and "token_type" not in name
    }
    save(folder, theirs | {"vocab_projector.bias": np.zeros(3, "float32")}, DISTIL_CONFIG)
    backbone = load_backbone(str(folder))
    assert type(backbone).__name__ == "DistilBertBackbone"
    found = backbone(without_segments(IDS)).numpy()
    np.testing.assert_allclose(found, plain_bert(weights, **IDS, epsilon=1e-12), atol=2e-6)
    saved = save_preset(folder / "ours", classifier(backbone, 2), tokenizer=load_tokenizer(str(folder)))
    again = load_backbone(str(saved))(without_segments(IDS)).numpy()
    np.testing.assert_array_equal(again, found)
    assert load_tokenizer(str(saved))(["hello you"]) == load_tokenizer(str(folder))(["hello you"])


@pytest.mark.parametrize("width", [4, WIDTH])
def test_an_electra_with_and_without_a_projection(folder, width):
    weights = {name: value for name, value in write(folder).items() if "pooler" not in name}
    if width != WIDTH:
        for name in [name for name in weights if name.startswith("embeddings.")]:
            weights[name] = np.ascontiguousarray(weights[name][..., :width])
        rng = np.random.default_rng(0)
        weights["embeddings_project.weight"] = rng.normal(0, 0.5, (WIDTH, width)).astype("float32")
        weights["embeddings_project.bias"] = rng.normal(0, 0.5, WIDTH).astype("float32")
    head = {"discriminator_predictions.dense.bias": np.zeros(WIDTH, "float32")}
    config = CONFIG | {"model_type": "electra", "embedding_size": width}
    save(folder, {f"electra.{name}": value for name, value in weights.items()} | head, config)
    backbone = load_backbone(str(folder))
    expected = plain_bert(weights, **IDS)
    np.testing.assert_allclose(features(backbone), expected, atol=2e-6)  # the tanh GELU: 2e-3
    saved = save_preset(folder / "ours", classifier(backbone, 2), tokenizer=load_tokenizer(str(folder)))
    np.testing.assert_array_equal(features(load_backbone(str(saved))), features(backbone))
    assert load_tokenizer(str(saved))(["hello you"]) == load_tokenizer(str(folder))(["hello you"])


@pytest.mark.parametrize("prefix", ["", "roberta."])
@pytest.mark.parametrize("kind", ["roberta", "xlm-roberta"])
def test_a_roberta_with_and_without_a_head(folder, prefix, kind):
    """Its positions begin behind the padding id, and its one segment has a row that is added."""
    weights = write(folder)
    theirs = dict(weights)
    table = weights["embeddings.position_embeddings.weight"]
    theirs["embeddings.position_embeddings.weight"] = np.concatenate([np.full((2, WIDTH), 9, "float32"), table])
    theirs["embeddings.token_type_embeddings.weight"] = np.ascontiguousarray(
        weights["embeddings.token_type_embeddings.weight"][:1]
    )
    config = CONFIG | {
        "model_type": kind,
        "max_position_embeddings": LONGEST + 2,
        "layer_norm_eps": 1e-5,
        "pad_token_id": 1,
    }
    save(folder, {f"{prefix}{name}": value for name, value in theirs.items() if "pooler" not in name}, config)
    backbone = load_backbone(str(folder))
    assert backbone.max_sequence_length == LONGEST
    found = backbone(without_segments(IDS)).numpy()
    rows = IDS | {"segment_ids": np.zeros_like(IDS["segment_ids"])}
    np.testing.assert_allclose(found, plain_bert(weights, **rows, epsilon=1e-5), atol=2e-6)


def shards(folder, weights, count=3):
    (folder / "model.safetensors").unlink()
    names, places = sorted(weights), {}
    for index in range(count):
        name = f"model-{index + 1:05}-of-{count:05}.safetensors"
        part = {key: weights[key] for key in names[index::count]}
        safetensors.numpy.save_file(part, folder / name)
        places |= dict.fromkeys(part, name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return places


def test_weights_in_several_files(folder):
    weights = write(folder)
    places = shards(folder, weights)
    np.testing.assert_allclose(features(load_backbone(str(folder))), plain_bert(weights, **IDS), atol=2e-6)
    one = folder / next(iter(places.values()))
    kept = one.read_bytes()
    one.write_bytes(kept[:-9])
    refused(folder, RunError, f"{one.name} is damaged: .*; fetch it again")
    one.unlink()
    refused(folder, UsageError, f"{one.name} is missing: fetch it again")
    safetensors.numpy.save_file({"other": np.zeros(1, "float32")}, one)
    refused(folder, RunError, f"{one.name} is damaged: it lacks .*, which model.safetensors.index.json says it holds")
    for places in (3, {"a": 3}, {"a": "../../a.safetensors"}, {}):
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
        refused(folder, RunError, "model.safetensors.index.json (is damaged|lacks)")


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float64"])
def test_weights_of_other_precision(folder, name):
    weights = write(folder)
    dtype = {"bfloat16": ml_dtypes.bfloat16}.get(name, name)
    save(folder, {key: value.astype(dtype) for key, value in weights.items()}, CONFIG)
    backbone = load_backbone(str(folder))
    assert {weight.dtype for weight in backbone.weights} == {"float32"}
    rounded = {key: value.astype(dtype).astype("float32") for key, value in weights.items()}
    np.testing.assert_allclose(features(backbone), plain_bert(rounded, **IDS), atol=2e-6)
    weights["encoder.layer.0.output.dense.weight"] = np.ones((WIDTH, INNER), "int8")
    save(folder, weights, CONFIG)
    refused(
        folder, UsageError, "encoder.layer.0.output.dense.weight is int8, so quantized: save the weights as float32"
    )


@pytest.mark.parametrize("prefix", ["bert.", "model.", "module.bert.", ""])
def test_any_prefix(folder, prefix):
    weights = write(folder, rename=lambda name: prefix + name)
    np.testing.assert_allclose(features(load_backbone(str(folder))), plain_bert(weights, **IDS), atol=2e-6)


def test_what_is_left_over_is_said_or_refused(folder, capsys):
    note.cache_clear()
    weights = write(folder)
    one = np.zeros(1, "float32")
    heads = {"cls.predictions.bias": one, "cls.seq_relationship.bias": one, "classifier.bias": one, "qa.bias": one}
    buffers = {"embeddings.position_ids": np.zeros((1, LONGEST), "int64")}
    save(folder, weights | heads | buffers, CONFIG)
    load_backbone(str(folder))
    load_backbone(str(folder))
    printed = capsys.readouterr().out
    assert printed.count("4 weights are not read, as of heads: classifier.bias, cls.predictions.bias, ") == 1
    save(folder, weights, CONFIG | {"num_hidden_layers": 1})
    refused(folder, RunError, "holds encoder.layer.1.* which a bert as in config.json has not: more layers")
    save(folder, weights | {"encoder.layer.0.attention.self.query.lora_A.weight": one}, CONFIG)
    refused(folder, RunError, "lora_A.weight, which a bert as in config.json has not: .* an adapter")
    twice = {f"{side}.{name}": value for name, value in weights.items() for side in ("question", "context")}
    save(folder, twice, CONFIG)
    refused(folder, UsageError, "holds several models: context., question.: save one of them alone")
    save(folder, {f"roberta.{name}": value for name, value in weights.items()}, CONFIG)
    refused(folder, RunError, "holds a roberta: it is not the bert that config.json beside it says")


@pytest.mark.parametrize(
    ("kind", "config", "message"),
    [
        ("roberta", {"hidden_act": "relu"}, "hidden_act relu is not known here: KerasHub's roberta has gelu"),
        ("roberta", {"layer_norm_eps": 1e-12}, "layer_norm_eps 1e-12 is not known here: KerasHub's roberta has 1e-05"),
        ("distilbert", {"activation": "relu"}, "activation relu is not known here"),
        ("albert", {"hidden_act": "gelu"}, "hidden_act gelu is not known here: KerasHub's albert has gelu_new"),
        ("electra", {"hidden_act": "mish"}, "hidden_act mish is not known here: expected one of"),
        ("bert", {"quantization_config": {"bits": 4}}, "its weights are quantized"),
    ],
)
def test_what_the_network_does_not_compute_is_refused(folder, kind, config, message):
    write(folder)
    whole = {"distilbert": DISTIL_CONFIG}.get(kind, CONFIG | {"embedding_size": WIDTH}) | {"model_type": kind} | config
    (folder / "config.json").write_text(json.dumps(whole))
    refused(folder, UsageError, message)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"num_attention_heads": 3}, "num_attention_heads 3 does not divide hidden_size 8"),
        ({"vocab_size": 10**12}, r"word_embeddings.weight has the shape \(101, 8\): by config.json"),
        ({"type_vocab_size": 0}, "type_vocab_size should be a positive integer, found 0"),
        ({"hidden_size": True}, "hidden_size should be a positive integer, found True"),
        ({"layer_norm_eps": "small"}, r"layer_norm_eps should be a number in \[0, 1\), found 'small'"),
        ({"hidden_dropout_prob": 2}, r"hidden_dropout_prob should be a number in \[0, 1\), found 2"),
    ],
)
def test_a_damaged_config_is_refused_before_memory_is_asked_for(folder, config, message):
    write(folder, config=config)
    refused(folder, RunError, message)


def test_the_pooling_of_sentence_transformers_is_said(folder, capsys):
    note.cache_clear()
    for mode, words_of_it in (
        ("mean_tokens", "is the mean of the tokens, as here"),
        ("cls_token", "asks for cls_token: here"),
    ):
        shutil.rmtree(folder, ignore_errors=True)
        write(folder)
        (folder / "modules.json").write_text("[]")
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling" / "config.json").write_text(json.dumps({f"pooling_mode_{mode}": True}))
        load_backbone(str(folder))
        assert words_of_it in capsys.readouterr().out
