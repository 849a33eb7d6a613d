"""The proofs that every objective gives, as functions that its test calls."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from tfpretune.objectives import Objective
from tfpretune.training import make_strategy

Batch = dict[str, tf.Tensor]


def check_replicas(make_model: Callable[[], Objective], batch: Batch, *, steps: int = 3) -> None:
    """Two replicas learn what one learns from the same batches: weights and shown loss, with clipping."""
    rows = len(next(iter(batch.values())))
    data = tf.data.Dataset.from_tensor_slices(batch).batch(rows).repeat(steps)

    def train(strategy: tf.distribute.Strategy) -> tuple[list[np.ndarray], list[float]]:
        keras.utils.set_random_seed(3)
        with strategy.scope():
            model = make_model()
            model.compile(keras.optimizers.Adam(1e-2, epsilon=1e-3), clip_norm=0.5)
        history = model.fit(data, epochs=1, verbose=0, shuffle=False)
        evaluated = model.evaluate(data, verbose=0, return_dict=True)
        return [v.numpy() for v in model.trainable_variables], [history.history["loss"][0], evaluated["loss"]]

    one, one_loss = train(tf.distribute.get_strategy())
    two, two_loss = train(make_strategy(2))
    np.testing.assert_allclose(two_loss, one_loss, atol=1e-5)
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(b, a, atol=1e-5)


def check_learns(model: Objective, batch: Batch, *, steps: int = 20) -> None:
    """The loss of one batch falls when it is learnt."""
    model.compile(keras.optimizers.Adam(1e-2), clip_norm=1.0)
    rows = len(next(iter(batch.values())))
    data = tf.data.Dataset.from_tensor_slices(batch).batch(rows)
    before = model.evaluate(data, verbose=0, return_dict=True)["loss"]
    model.fit(data.repeat(steps), verbose=0, shuffle=False)
    after = model.evaluate(data, verbose=0, return_dict=True)["loss"]
    assert after < 0.9 * before, (before, after)


def check_round_trip(model: Objective, batch: Batch, folder) -> None:
    """A saved model loads and answers the same."""
    model.save(folder / "model.keras")
    loaded = keras.models.load_model(folder / "model.keras")
    assert type(loaded) is type(model)
    inputs = model.pick_inputs(batch)
    tf.nest.map_structure(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), loaded(inputs), model(inputs))


def check_export(model: Objective, batch: Batch, folder) -> None:
    """A SavedModel answers what `predict` answers."""
    archive = keras.export.ExportArchive()
    archive.track(model)
    signature = {name: tf.TensorSpec((None, *x.shape[1:]), x.dtype, name=name) for name, x in model.input.items()}
    archive.add_endpoint("serve", lambda inputs: model(inputs, training=False), [signature])
    archive.write_out(str(folder / "export"), verbose=False)
    loaded = tf.saved_model.load(str(folder / "export"))  # the functions live no longer than this object
    served = loaded.serve(model.pick_inputs(batch))
    rows = len(next(iter(batch.values())))
    predicted = model.predict(tf.data.Dataset.from_tensor_slices(batch).batch(rows), verbose=0)
    tf.nest.map_structure(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), served, predicted)
