"""Steps that float16's loss scaling skips: nothing moves but the scale."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.training.loop.toys import ROWS, Net
from tfpretune.backbones import SmallCNN
from tfpretune.finetune.heads.multi_head import multi_head
from tfpretune.objectives import Classification, Regression
from tfpretune.settings.run import OptimizerConfig
from tfpretune.training import make_strategy
from tfpretune.training.optimizers.from_settings import make_optimizer

IMAGES = {
    "images": np.random.default_rng(0).random((6, 8, 8, 1)).astype("float32"),
    "digit": np.array([0, 1, 2, 0, 1, 2], "int32"),
    "size": np.arange(6, dtype="float32"),
}


def net():
    return Net(dtype="mixed_float16"), ROWS


def tasks(weighting):
    targets = {"digit": Classification(3, column="digit"), "size": Regression(column="size", scale=3.0)}
    backbone = SmallCNN((8, 8, 1), (8,), dtype="mixed_float16")
    return multi_head(backbone, targets, weighting=weighting, dropout=0.0), IMAGES


CASES = {
    "normalization": net,
    "uncertainty": lambda: tasks("uncertainty"),
    "gradnorm": lambda: tasks("gradnorm"),
    "pcgrad": lambda: tasks("pcgrad"),
}


def state(model):
    """All that a run keeps, but the metrics and the scale itself."""
    scale = {id(model.optimizer.dynamic_scale), id(model.optimizer.step_counter)}
    metrics = {id(variable) for metric in model.metrics for variable in metric.variables}
    kept = [v for v in (*model.variables, *model.optimizer.variables) if id(v) not in scale | metrics]
    return {f"{index} {v.path}": v.numpy() for index, v in enumerate(kept)}


@pytest.mark.parametrize(("case", "replicas"), [*((case, 1) for case in CASES), ("normalization", 2), ("gradnorm", 2)])
def test_a_step_that_overflows_changes_the_scale_only(case, replicas):
    """Then the scale is halved, and a step with a scale that fits moves weights, statistics, averages and learnt factors."""
    keras.utils.set_random_seed(1)
    strategy = make_strategy(replicas)
    with strategy.scope():
        model, rows = CASES[case]()
        config = OptimizerConfig(learning_rate=0.01, warmup=0.0, schedule="constant", ema=0.5)
        model.compile(make_optimizer(config, 9), clip_norm=1.0)
    model.build_optimizer()
    batch = tf.data.Dataset.from_tensor_slices(rows).batch(len(next(iter(rows.values()))))
    before = state(model)
    model.optimizer.dynamic_scale.assign(2.0**40)
    history = model.fit(batch, verbose=0, shuffle=False).history
    assert not np.isfinite(history["gradient_norm"][0])
    assert np.isfinite(history["loss"][0])
    assert float(model.optimizer.dynamic_scale.numpy()) == 2.0**39
    for name, value in state(model).items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)
    model.optimizer.dynamic_scale.assign(1.0)
    history = model.fit(batch, verbose=0, shuffle=False).history
    assert np.isfinite(history["gradient_norm"][0])
    after = state(model)
    assert all(np.isfinite(value).all() for value in after.values())
    learnt = [
        name for name in before if name.endswith(("moving_mean", "balanced", "first_losses", "kernel", "average"))
    ]
    assert any("moving_mean" in name for name in learnt) or case != "normalization"
    for name in learnt:
        assert not np.array_equal(after[name], before[name]), name
    assert int(model.optimizer.iterations.numpy()) == 1
