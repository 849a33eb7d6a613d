"""The distance from the start, read back from the event files."""

import numpy as np
import pytest
import tensorflow as tf

from tests.training.loop.test_callbacks import scalars
from tests.training.loop.toys import make_run
from tfpretune.backbones import TextEncoder
from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.finetune import classifier, freeze
from tfpretune.training import fit
from tfpretune.training.tensorboard.distance import DistanceFromInitialization

ROWS = {
    "token_ids": np.random.default_rng(0).integers(1, 11, (8, 4)).astype("int32"),
    "padding_mask": np.ones((8, 4), "int32"),
    "labels": np.arange(8, dtype="int32") % 2,
}


def make_model():
    return classifier(TextEncoder(11, 1, num_heads=1, hidden_dim=4, intermediate_dim=4), 2)


def test_distances_by_hand(tmp_path):
    """All weights 2, the 44 of the embedding moved to 3 and the 8 of the last norm to 4: sqrt(44 + 8 * 4) of sqrt(188 * 4)."""
    model = make_model()
    for variable in model.backbone.weights:
        variable.assign(tf.fill(variable.shape, 2.0))
    assert model.backbone.count_params() == 44 + 136 + 8
    page = DistanceFromInitialization(model, tmp_path)
    page.set_model(model)
    model.compile("sgd")
    for name, value in (("token_embedding", 3.0), ("final_norm", 4.0)):
        for variable in model.backbone.get_layer(name).weights:
            variable.assign(tf.fill(variable.shape, value))
    page.on_epoch_end(0)
    found = {tag: points[0][1] for tag, points in scalars(tmp_path / "validation").items()}
    assert found == pytest.approx(
        {
            "l2_from_initialization/norm": 76**0.5,
            "l2_from_initialization/ratio": (76 / 752) ** 0.5,
            "l2_from_initialization_by_depth/00 token_embedding": 0.5,
            "l2_from_initialization_by_depth/01 block_0": 0.0,
            "l2_from_initialization_by_depth/02 above": 1.0,
        }
    )


def test_a_run_writes_a_point_each_interval(tmp_path):
    run = make_run(tmp_path, steps=4, save_every_steps=2)
    batches = StepIndexed(ROWS, 4, seed=5)
    model = make_model()
    freeze(model, "1")
    start = {v.path: v.numpy() for v in model.backbone.weights}
    pages = [DistanceFromInitialization(model, tmp_path / "logs")]
    fit(model, batches, run, callbacks=pages)
    norm = np.sqrt(sum(np.sum((v.numpy() - start[v.path]) ** 2) for v in model.backbone.weights))
    curves = scalars(tmp_path / "logs" / "validation")
    assert [step for step, _ in curves["l2_from_initialization/norm"]] == [2, 4]
    np.testing.assert_allclose(curves["l2_from_initialization/norm"][-1][1], norm, rtol=1e-5)
    assert [value for _, value in curves["l2_from_initialization_by_depth/00 token_embedding"]] == [0.0, 0.0]
    assert 0.0 < curves["l2_from_initialization/norm"][0][1] < norm
