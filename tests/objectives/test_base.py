"""The training step of `Objective`, on a model of one weight."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpretune.objectives import Objective, Term
from tfpretune.training import make_strategy


class OneWeight(Objective):
    """Predicts w * x; the squared error of each row whose `use` is 1."""

    term_names = ("squared", "shown")

    def __init__(self):
        x = keras.Input((1,), name="x")
        y = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones", name="w")(x)
        super().__init__(inputs={"x": x}, outputs=y)
        self.add_term_metrics()

    def terms(self, batch, training):
        errors = tf.square(self({"x": batch["x"]})[:, 0] - batch["y"]) * batch["use"]
        count = tf.reduce_sum(batch["use"])
        return {
            "squared": Term(tf.reduce_sum(errors), count),
            "shown": Term(tf.reduce_sum(batch["y"]), tf.size(batch["y"]), 0.0),
        }


BATCH = {
    "x": np.array([[1.0], [2.0], [3.0], [4.0]], "float32"),
    "y": np.array([0.0, 0.0, 0.0, 0.0], "float32"),
    "use": np.array([1.0, 0.0, 0.0, 1.0], "float32"),
}


def data(repeat=1):
    return tf.data.Dataset.from_tensor_slices(BATCH).batch(4).repeat(repeat)


def test_step_by_hand():
    """Loss (1 + 16) / 2 = 8.5; gradient (2*1*1 + 2*4*4) / 2 = 17; SGD at 0.1 moves w from 1 to -0.7."""
    model = OneWeight()
    model.compile(keras.optimizers.SGD(0.1))
    history = model.fit(data(), verbose=0, shuffle=False).history
    assert history["loss"] == [8.5]
    assert history["gradient_norm"] == [17.0]
    np.testing.assert_allclose(model.get_layer("w").kernel, [[-0.7]], atol=1e-6)


def test_a_subclass_that_forgets_its_means_has_them():
    class Forgetful(OneWeight):
        def add_term_metrics(self):
            pass

    model = Forgetful()
    Forgetful.add_term_metrics = Objective.add_term_metrics
    model.compile(keras.optimizers.SGD(0.1))
    assert model.evaluate(data(), verbose=0, return_dict=True)["squared"] == 8.5


def test_clip_norm_by_hand():
    """A gradient of 17 is cut to 1: w moves from 1 to 0.9."""
    model = OneWeight()
    model.compile(keras.optimizers.SGD(0.1), clip_norm=1.0)
    model.fit(data(), verbose=0, shuffle=False)
    np.testing.assert_allclose(model.get_layer("w").kernel, [[0.9]], atol=1e-6)


@pytest.mark.parametrize(
    ("clip", "moved"), [(0.5, 0.05), (16.0, 1.6), (17.0, 1.7), (20.0, 1.7)], ids=["below 1", "cut", "just", "longer"]
)
@pytest.mark.parametrize("parts", [1, 2])
def test_every_length_to_clip_to_by_hand(clip, moved, parts):
    """The gradient of 17 is cut to what is longer only, and never stretched; in two parts with one item each, too."""
    model = OneWeight()
    model.compile(keras.optimizers.SGD(0.1), clip_norm=clip, accumulate_steps=parts)
    assert model.fit(data(), verbose=0, shuffle=False).history["gradient_norm"] == [17.0]
    np.testing.assert_allclose(model.get_layer("w").kernel, [[1.0 - moved]], atol=1e-6)


def test_a_short_gradient_is_not_stretched_to_1():
    """The gradient is 17 * 0.01: below 1 and below the length to clip to, or cut to 0.1."""
    small = BATCH | {"x": BATCH["x"] / 10, "y": BATCH["y"]}
    rows = tf.data.Dataset.from_tensor_slices(small).batch(4)
    for clip, moved in ((0.5, 0.017), (2.0, 0.017), (0.1, 0.01)):
        model = OneWeight()
        model.compile(keras.optimizers.SGD(0.1), clip_norm=clip)
        model.fit(rows, verbose=0, shuffle=False)
        np.testing.assert_allclose(model.get_layer("w").kernel, [[1.0 - moved]], atol=1e-6)


def test_uneven_parts_by_hand():
    """Rows 0, 1 hold two items, rows 2, 3 one: losses 1, 4 and 16, their mean is 7 and its gradient 2 * 21 / 3 = 14."""
    uneven = BATCH | {"use": np.array([1.0, 1.0, 0.0, 1.0], "float32")}
    model = OneWeight()
    model.compile(keras.optimizers.SGD(0.1), accumulate_steps=2)
    history = model.fit(tf.data.Dataset.from_tensor_slices(uneven).batch(4), verbose=0, shuffle=False).history
    np.testing.assert_allclose([history["loss"][0], history["gradient_norm"][0]], [7.0, 14.0], rtol=1e-6)
    np.testing.assert_allclose(model.get_layer("w").kernel, [[-0.4]], atol=1e-6)


def test_uneven_replicas_by_hand():
    """Rows 0, 1 on one replica hold two items, rows 2, 3 on the other hold one."""
    BATCH_UNEVEN = BATCH | {
        "use": np.array([1.0, 1.0, 0.0, 1.0], "float32")
    }  # losses 1, 4 | 16: mean 7, mean of means 9.25
    strategy = make_strategy(2)
    with strategy.scope():
        model = OneWeight()
        model.compile(keras.optimizers.SGD(0.1))
    uneven = tf.data.Dataset.from_tensor_slices(BATCH_UNEVEN).batch(4)
    history = model.fit(uneven, verbose=0, shuffle=False).history
    np.testing.assert_allclose(history["loss"], [7.0], rtol=1e-6)
    np.testing.assert_allclose(model.get_layer("w").kernel.numpy(), [[1 - 0.1 * 2 * 21 / 3]], rtol=1e-6)


def test_l2_penalty_counts_once():
    """Loss 8.5 + 0.5 * 1 squared = 9."""
    model = OneWeight()
    model.get_layer("w").kernel.regularizer = keras.regularizers.L2(0.5)
    model.compile(keras.optimizers.SGD(0.1))
    np.testing.assert_allclose(model.fit(data(), verbose=0, shuffle=False).history["loss"], [9.0])


def test_optimizer_with_its_own_clipping_is_refused():
    with pytest.raises(ValueError, match=r"global_clipnorm=1.0: use compile\(clip_norm"):
        OneWeight().compile(keras.optimizers.SGD(0.1, global_clipnorm=1.0))


def test_missing_column_is_named():
    with pytest.raises(ValueError, match="the batch lacks"):
        OneWeight().pick_inputs({"y": 1})


def test_unknown_term_is_named():
    model = OneWeight()
    model.term_names = ()
    model.term_metrics = []
    model.compile("sgd")
    with pytest.raises(ValueError, match="term_names"):
        model.fit(data(), verbose=0, shuffle=False)


def test_a_weight_that_the_loss_does_not_use_stays():
    """It has no gradient, so it neither warns nor decays; BERT's pooler is such a one."""
    x = keras.Input((1,), name="x")
    unused = keras.layers.Dense(1, name="unused")
    outputs = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones", name="w")(x)

    class TwoWeights(OneWeight):
        def __init__(self):
            Objective.__init__(self, inputs={"x": x}, outputs={"used": outputs, "unused": unused(x)})
            self.add_term_metrics()

        def __call__(self, *args, **kwargs):
            return super().__call__(*args, **kwargs)["used"]

    model = TwoWeights()
    before = unused.kernel.numpy()
    model.compile(keras.optimizers.AdamW(0.1, weight_decay=0.5))
    model.train_step({name: tf.constant(column) for name, column in BATCH.items()})
    np.testing.assert_array_equal(unused.kernel, before)
    assert model.get_layer("w").kernel[0, 0] < 1
