"""L2-SP and L1: gradients by hand; freezing, replicas, float16, parts, files and resume."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework.config import disable_op_determinism

from tests.checks import check_export, check_replicas, check_round_trip
from tests.training.loop.toys import Interrupt, make_run
from tfpretune.backbones import SmallCNN
from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.errors import UsageError
from tfpretune.finetune import GradualUnfreezing, classifier, freeze
from tfpretune.finetune.heads.multi_head import multi_head
from tfpretune.finetune.methods.penalties import L2SP, add_l1, learnable
from tfpretune.objectives import Classification
from tfpretune.objectives.gradients import penalty_gradients
from tfpretune.settings.run import OptimizerConfig
from tfpretune.training import fit
from tfpretune.training.optimizers.from_settings import make_optimizer
from tfpretune.training.run_variables import run_variables

BATCH = {
    "images": np.random.default_rng(0).random((6, 8, 8, 1)).astype("float32"),
    "labels": np.array([0, 1, 2, 0, 1, 2], "int32"),
}


def make_model(dtype=None, dropout=0.0):
    return classifier(SmallCNN((8, 8, 1), (8,), dtype=dtype), 3, dropout=dropout)


def move(model):
    """Adds 1/8 to every weight: the penalty is 0 where it starts."""
    for variable in model.trainable_variables:
        variable.assign_add(tf.fill(variable.shape, 0.125))


def penalised(model):
    """The penalty, and its gradients by path."""
    if not model.compiled:
        model.compile(keras.optimizers.SGD(0.1))
    penalty, gradients = penalty_gradients(model)
    found = zip(model.trainable_variables, gradients, strict=True)
    return penalty, {v.path: None if g is None else g.numpy() for v, g in found}


def test_l2_sp_by_hand():
    """Every backbone weight is 1/8 from its start: 0.4 / 2 * n / 64 and slopes of 0.4 / 8. The head: 0.2 / 2 * w^2, 0.2 * w."""
    model = make_model()
    L2SP(model, 0.4, head_strength=0.2)
    move(model)
    penalty, gradients = penalised(model)
    head = {v.path: v.numpy() for v in model.get_layer("logits").weights}
    n = model.backbone.count_params()
    expected = 0.2 * n / 64 + 0.1 * sum(np.sum(value**2) for value in head.values())
    np.testing.assert_allclose(penalty, expected, rtol=1e-6)
    for path, gradient in gradients.items():
        np.testing.assert_allclose(gradient, 0.2 * head[path] if path in head else 0.05, rtol=1e-5, err_msg=path)
    assert {"stage_0_norm_0/gamma", "stage_0_norm_0/beta", "logits/bias"} <= gradients.keys()


def test_l1_by_hand():
    model = make_model()
    add_l1(model, 0.5)
    kernels = {v.path: v.numpy() for v in model.trainable_variables if v.name == "kernel"}
    penalty, gradients = penalised(model)
    np.testing.assert_allclose(penalty, 0.5 * sum(np.abs(value).sum() for value in kernels.values()), rtol=1e-5)
    assert kernels.keys() == {"stage_0_conv_0/kernel", "stage_0_conv_1/kernel", "logits/kernel"}
    for path, gradient in gradients.items():
        if path in kernels:
            np.testing.assert_allclose(gradient, 0.5 * np.sign(kernels[path]))
        else:
            assert gradient is None


def test_the_weights_of_the_loss_are_outside_every_penalty():
    """Variances of two tasks at 1: neither pulled, nor counted by L1, nor decayed; their own s / 2 is a term of the loss."""
    targets = {name: Classification(2, column=name) for name in ("a", "b")}
    model = multi_head(SmallCNN((8, 8, 1), (8,)), targets, weighting="uncertainty")
    before, _ = penalised(model)
    assert before is None
    for variable in model.log_variances.values():
        variable.assign(1.0)
    head = sum(float(np.sum(v.numpy() ** 2)) for task in targets for v in model.get_layer(f"{task}_logits").weights)
    L2SP(model, 0.4, head_strength=0.2)
    add_l1(model, 0.5)
    kernels = sum(float(np.abs(v.numpy()).sum()) for v in model.trainable_variables if v.name == "kernel")
    penalty, gradients = penalised(model)
    np.testing.assert_allclose(penalty, 0.1 * head + 0.5 * kernels, rtol=1e-5)
    assert [gradients[v.path] for v in model.log_variances.values()] == [None, None]
    optimizer = make_optimizer(OptimizerConfig(weight_decay=0.1), 4)
    optimizer.build(model.trainable_variables)
    decayed = {v.path for v in model.trainable_variables if optimizer._decays[optimizer._var_key(v)]}
    assert "a_logits/kernel" in decayed
    assert not decayed & {v.path for v in model.log_variances.values()}


def test_penalties_add_up_with_a_layers_own():
    """The backbone's own L2 of 0.1: slopes 2 * 0.1 * w + 0.4 / 8 + 0.5 * sign(w)."""
    model = make_model()
    kernel = model.backbone.get_layer("stage_0_conv_0").kernel
    kernel.regularizer = keras.regularizers.L2(0.1)
    L2SP(model, 0.4)
    add_l1(model, 0.5)
    move(model)
    _, gradients = penalised(model)
    expected = 0.2 * kernel.numpy() + 0.05 + 0.5 * np.sign(kernel)
    np.testing.assert_allclose(gradients["stage_0_conv_0/kernel"], expected, rtol=1e-4, atol=1e-6)


def test_what_learns_later_is_pulled_to_its_pre_trained_values():
    model = make_model()
    freeze(model, "all")
    L2SP(model, 0.4)
    assert model.losses == []
    for variable in learnable(model.backbone):
        variable.assign_add(tf.fill(variable.shape, 0.125))
    freeze(model, "1")
    _, gradients = penalised(model)
    pulled = {path for path, gradient in gradients.items() if gradient is not None}
    assert {path.partition("/")[0] for path in pulled} == {"stage_0_norm_0", "stage_0_conv_1", "stage_0_norm_1"}
    for path in pulled:
        np.testing.assert_allclose(gradients[path], 0.05, rtol=1e-5)


@pytest.mark.parametrize("first", ["penalty", "unfreezing"])
def test_gradual_unfreezing_brings_the_penalty_of_each_layer(first):
    model = make_model()
    made = [lambda: L2SP(model, 0.4, head_strength=0.2), lambda: GradualUnfreezing(model, every_steps=2)]
    for make in made if first == "penalty" else reversed(made):
        make()
    counts = []
    for step in (0, 1, 2):
        model.unfreezing.go_to(step)
        counts.append(len(model.losses))
    assert counts == [2, 2, 10]  # the head; with the one block of two convolutions and their normalisation


def make_penalised(dtype=None):
    model = make_model(dtype)
    L2SP(model, 0.4, head_strength=0.2)
    add_l1(model, 0.05)
    move(model)
    return model


def test_two_replicas_learn_what_one_learns():
    check_replicas(make_penalised, {name: column[:5] for name, column in BATCH.items()})


@pytest.mark.parametrize("settings", [{"accumulate_steps": 3}, {"jit_compile": True}], ids=["parts", "xla"])
def test_parts_and_xla_learn_the_same(settings):
    values = []
    for how in ({}, settings):
        keras.utils.set_random_seed(1)
        model = make_penalised()
        model.compile(keras.optimizers.SGD(0.1), clip_norm=1.0, **how)
        model.fit(tf.data.Dataset.from_tensor_slices(BATCH).batch(6).repeat(3), epochs=1, shuffle=False, verbose=0)
        values.append([v.numpy() for v in model.trainable_variables])
    for a, b in zip(*values, strict=True):
        np.testing.assert_allclose(b, a, atol=1e-5)


def test_float16_scales_the_penalty_and_takes_the_scale_away_again():
    model = make_penalised("mixed_float16")
    before = {v.path: v.numpy() for v in model.trainable_variables}
    model.compile(keras.optimizers.SGD(0.1))
    scale = float(model.optimizer.scale_loss(tf.constant(1.0)))
    assert scale > 1000
    _, gradients = penalised(model)
    kernel = before["logits/kernel"]
    np.testing.assert_allclose(
        gradients["logits/kernel"] / scale, 0.2 * kernel + 0.05 * np.sign(kernel), rtol=1e-5, atol=1e-6
    )
    model.fit(tf.data.Dataset.from_tensor_slices(BATCH).batch(6), shuffle=False, verbose=0)
    moved = np.concatenate([(before[v.path] - v.numpy()).ravel() for v in model.trainable_variables])
    assert 1e-4 < np.abs(moved).max() < 1.0  # neither a step of the scaled gradient nor one of none


def test_files_know_nothing_of_it(tmp_path):
    """A model with penalties is saved, read and exported as one without; what is read has none."""
    model = make_penalised()
    model.compile(keras.optimizers.SGD(0.1))
    model.fit(tf.data.Dataset.from_tensor_slices(BATCH).batch(6), shuffle=False, verbose=0)
    check_round_trip(model, BATCH, tmp_path)
    assert keras.models.load_model(tmp_path / "model.keras").losses == []
    found = []
    for name, exported in (("with", model), ("without", make_model())):
        check_export(exported, BATCH, tmp_path / name)
        found.append(tf.train.list_variables(str(tmp_path / name / "export" / "variables" / "variables")))
    assert sorted(shape for _, shape in found[0]) == sorted(shape for _, shape in found[1])


@pytest.fixture
def determinism():
    tf.config.experimental.enable_op_determinism()
    yield
    disable_op_determinism()


def run_model():
    """As a run makes it: the preset's weights, the penalties, then what `fit` restores."""
    keras.utils.set_random_seed(5)
    model = make_model(dropout=0.5)
    L2SP(model, 0.4, head_strength=0.2)
    add_l1(model, 0.01)
    return model


def test_resume_gives_the_same_bits(tmp_path, determinism):
    """Seven steps in one go; and stopped in step 5, saved at 3 and 6, begun again: the same start values, the same pull."""
    batches = StepIndexed(BATCH, 4, seed=5)
    settings = {"steps": 7, "save_every_steps": 3}
    whole, first, second = run_model(), run_model(), run_model()
    fit(whole, batches, make_run(tmp_path / "whole", **settings))
    with pytest.raises(KeyboardInterrupt):
        fit(first, batches, make_run(tmp_path / "cut", **settings), callbacks=[Interrupt(5)])
    result = fit(second, batches, make_run(tmp_path / "cut", **settings))
    assert result.steps == 7
    for name, variable in run_variables(whole).items():
        np.testing.assert_array_equal(run_variables(second)[name], variable, err_msg=name)


def test_what_cannot_work_is_refused():
    model = make_model()
    with pytest.raises(UsageError, match=r"`L2SP\(strength\)` must not be negative, received -0.1"):
        L2SP(model, -0.1)
    with pytest.raises(UsageError, match=r"`L2SP\(head_strength\)` must not be negative, received nan"):
        L2SP(model, 0.1, head_strength=float("nan"))
    with pytest.raises(
        UsageError, match=r"`L2SP\(strength\)` pulls towards pre-trained weights, and `from_scratch` has none"
    ):
        L2SP(model, 0.1, from_scratch=True)
    with pytest.raises(UsageError, match=r"`add_l1\(strength\)` must not be negative, received -1"):
        add_l1(model, -1)
    assert model.losses == []
    L2SP(model, 0.0, head_strength=0.1, from_scratch=True)
    assert len(model.losses) == 2
    with pytest.raises(ValueError, match="logits/kernel has the penalty Pull already"):
        L2SP(model, 0.1, head_strength=0.1)
