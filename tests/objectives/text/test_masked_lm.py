import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import checks
from tfpretune.backbones import SmallCNN, TextEncoder
from tfpretune.backbones.layers import fused as islands
from tfpretune.objectives import MaskedLM


def make_model(vocabulary_size=11, hidden_dim=4):
    backbone = TextEncoder(vocabulary_size, 1, num_heads=2, hidden_dim=hidden_dim, intermediate_dim=8)
    return MaskedLM(backbone)


def make_batch(rows=4):
    rng = np.random.default_rng(0)
    return {
        "token_ids": rng.integers(5, 11, (rows, 6)).astype("int32"),
        "padding_mask": np.ones((rows, 6), "int32"),
        "mask_positions": np.tile([[1, 4]], (rows, 1)).astype("int32"),
        "mask_ids": rng.integers(5, 11, (rows, 2)).astype("int32"),
        "mask_weights": np.array([[1, 1], [1, 1], [1, 0], [0, 0]], "float32")[
            :rows
        ],  # 4 items on one replica, 1 on the other
    }


def test_loss_by_hand():
    """Biases alone decide when the embedding is 0: one token has bias ln 10, so its share is 10 of 10 + 10."""
    model = make_model()
    model.backbone.token_embedding.embeddings.assign(tf.zeros((11, 4)))
    model.get_layer("head_logits").bias.assign([0.0] * 10 + [math.log(10.0)])
    batch = make_batch(1) | {"mask_ids": np.array([[10, 5]], "int32")}
    terms = model.terms(batch, training=False)
    np.testing.assert_allclose(terms["masked_lm"].total, math.log(2) + math.log(20), rtol=1e-6)
    assert float(terms["masked_lm"].count) == 2
    assert float(terms["masked_accuracy"].total) == 1


def test_unused_slots_do_not_count():
    model = make_model()
    batch = make_batch()
    terms = model.terms(batch, training=False)
    assert float(terms["masked_lm"].count) == 5
    changed = batch | {"mask_ids": np.where(batch["mask_weights"] > 0, batch["mask_ids"], 7).astype("int32")}
    np.testing.assert_allclose(model.terms(changed, training=False)["masked_lm"].total, terms["masked_lm"].total)


@pytest.mark.parametrize("vocabulary_size", [1000, 8000])
def test_random_model_starts_at_ln_v(vocabulary_size):
    model = make_model(vocabulary_size, 128)
    rng = np.random.default_rng(0)
    batch = {
        name: rng.integers(0, vocabulary_size, shape).astype("int32")
        for name, shape in {"token_ids": (64, 6), "mask_ids": (64, 2)}.items()
    }
    batch |= {
        "padding_mask": np.ones((64, 6), "int32"),
        "mask_positions": np.tile([[1, 4]], (64, 1)).astype("int32"),
        "mask_weights": np.ones((64, 2), "float32"),
    }
    model.compile("sgd")
    loss = model.evaluate(tf.data.Dataset.from_tensor_slices(batch).batch(64), verbose=0, return_dict=True)["loss"]
    assert abs(loss / math.log(vocabulary_size) - 1) < 0.02


def test_proofs(tmp_path):
    """Of a model that has learnt in compiled pieces: none of them is in what it exports."""
    model = make_model()
    checks.check_learns(model, make_batch())
    checks.check_round_trip(model, make_batch(), tmp_path)
    checks.check_export(model, make_batch(), tmp_path)
    assert b"_XlaMustCompile" not in (tmp_path / "export" / "saved_model.pb").read_bytes()


@pytest.mark.parametrize("accumulate_steps", [1, 2])
def test_islands_learn_what_plain_operations_do(monkeypatch, accumulate_steps):
    """Shown figures and every weight after three steps."""
    outcomes = []
    for pay in (islands.pay, lambda training: False):
        monkeypatch.setattr(islands, "pay", pay)
        keras.utils.set_random_seed(3)
        model = make_model()
        model.compile(keras.optimizers.SGD(1.0), accumulate_steps=accumulate_steps)
        data = tf.data.Dataset.from_tensor_slices(make_batch()).batch(4).repeat(3)
        shown = model.fit(data, verbose=0, shuffle=False).history
        outcomes.append(([shown["loss"][0], shown["masked_accuracy"][0]], model.get_weights()))
    np.testing.assert_allclose(*(shown for shown, _ in outcomes), rtol=1e-5)
    for one, other in zip(*(weights for _, weights in outcomes), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("compiled", [False, True], ids=["plain", "compiled"])
def test_replicas(monkeypatch, compiled):
    if not compiled:
        monkeypatch.setattr(islands, "pay", lambda training: False)
    checks.check_replicas(make_model, make_batch())


def test_padding_changes_nothing():
    backbone = make_model().backbone
    ids = np.array([[5, 6, 7, 0, 0, 0]], "int32")
    mask = (ids > 0).astype("int32")
    full = backbone({"token_ids": ids, "padding_mask": mask})[:, :3]
    other = backbone({"token_ids": np.where(mask, ids, 9), "padding_mask": mask})[:, :3]
    short = backbone({"token_ids": ids[:, :3], "padding_mask": mask[:, :3]})
    np.testing.assert_allclose(full, short, atol=1e-5)
    np.testing.assert_allclose(full, other, atol=1e-5)


def test_backbone_without_tokens_is_refused():
    with pytest.raises(ValueError, match="token_embedding, received SmallCNN"):
        MaskedLM(SmallCNN((8, 8, 1), (8,)))
