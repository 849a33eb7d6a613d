"""The first calls of a Keras user work, or say in one line what to do."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfpretune
from tests.training.loop.toys import Toy
from tfpretune.backbones import SmallCNN, TextEncoder
from tfpretune.data import image_batches, labelled_splits
from tfpretune.finetune import classifier, embedder, multi_head, multi_label, regressor
from tfpretune.objectives import Autoencoder, Classification, DeepCoral, MaskedLM, Regression

IMAGES = np.random.default_rng(0).random((12, 8, 8, 1)).astype("float32")
LABELS = np.arange(12) % 3


def make(head=classifier, *args, **settings):
    keras.utils.set_random_seed(0)
    model = head(SmallCNN((8, 8, 1), (8,)), *(args or (3,)), dropout=0.0, **settings)
    model.compile(keras.optimizers.SGD(0.1))
    return model


def weights(model):
    return np.concatenate([weight.ravel() for weight in model.get_weights()])


def trained(*data, **settings):
    model = make()
    model.fit(*data, batch_size=4, epochs=2, shuffle=False, verbose=0, **settings)
    return weights(model)


def test_all_ways_to_give_arrays_learn_the_same():
    expected = trained({"images": IMAGES, "labels": LABELS.astype("int32")})
    assert np.abs(expected - weights(make())).max() > 1e-3
    pairs = tf.data.Dataset.from_tensor_slices((IMAGES, LABELS)).batch(4)
    columns = tf.data.Dataset.from_tensor_slices({"images": IMAGES, "labels": LABELS}).batch(4)
    for data in (
        (IMAGES, LABELS),
        (IMAGES, LABELS.astype("float64")),
        (IMAGES.astype("float64"), LABELS.astype("uint8")),
        ({"images": IMAGES}, LABELS),
        (tf.constant(IMAGES), LABELS.tolist()),
    ):
        np.testing.assert_allclose(trained(*data), expected, atol=1e-6)
    for data in (pairs, columns):
        model = make()
        model.fit(data, epochs=2, verbose=0)
        np.testing.assert_allclose(weights(model), expected, atol=1e-6)


def test_labels_of_two_classes_may_be_bools():
    model = make(classifier, 2)
    history = model.fit(IMAGES, LABELS == 1, batch_size=4, verbose=0, validation_data=(IMAGES, LABELS == 1)).history
    assert {"accuracy", "cross_entropy", "loss", "val_accuracy", "val_loss"} <= history.keys()


def test_evaluation_and_predictions_of_arrays():
    model = make()
    probabilities = keras.ops.softmax(model({"images": IMAGES})).numpy()
    outputs = model.predict(IMAGES, verbose=0, batch_size=5)
    np.testing.assert_allclose(keras.ops.softmax(outputs), probabilities, atol=1e-6)
    np.testing.assert_allclose(model.predict({"images": IMAGES, "labels": LABELS}, verbose=0), outputs, atol=1e-6)
    found = model.evaluate(IMAGES, LABELS, verbose=0, return_dict=True)
    assert found["accuracy"] == pytest.approx((probabilities.argmax(1) == LABELS).mean())
    assert found["cross_entropy"] == pytest.approx(-np.log(probabilities[np.arange(12), LABELS]).mean(), rel=1e-5)


def test_batches_as_they_are():
    """`StepIndexed` batches: as many steps as see all rows; an epoch goes on where the last one stopped."""
    parts = labelled_splits("demo:digits")
    train, test = (image_batches(part, 64, image_shape=(8, 8, 1)) for part in (parts.train, parts.test))
    one, other = make(classifier, 10), make(classifier, 10)
    history = one.fit(train, epochs=2, verbose=0, validation_data=test).history
    other.fit(train.from_step(0, 2 * train.steps_per_epoch), verbose=0, shuffle=False)
    np.testing.assert_allclose(weights(one), weights(other), atol=1e-6)
    assert len(history["val_accuracy"]) == 2
    assert one.evaluate(test, verbose=0, return_dict=True)["accuracy"] == pytest.approx(history["val_accuracy"][-1])
    assert one.predict(test, verbose=0).shape == (len(parts.test), 10)
    few = make(classifier, 10)
    assert len(few.fit(train, epochs=3, steps_per_epoch=2, verbose=0).history["loss"]) == 3
    assert few.optimizer.iterations == 6


def test_labels_of_every_kind():
    some = (np.arange(24).reshape(12, 2) % 3 == 0).astype(float)
    make(multi_label, 2).fit(IMAGES, some, verbose=0)
    numbers = regressor(SmallCNN((8, 8, 1), (8,)))
    numbers.compile("adam")
    numbers.fit(IMAGES, LABELS, verbose=0)
    make(embedder, 4).fit(IMAGES, LABELS.astype("int64"), verbose=0)
    tasks = multi_head(SmallCNN((8, 8, 1), (8,)), {"a": Classification(3, column="a"), "b": Regression(column="of_b")})
    tasks.compile("adam")
    tasks.fit(IMAGES, {"a": LABELS, "b": LABELS / 2}, verbose=0)
    with pytest.raises(ValueError, match="give the labels of each task: a dict of a, b"):
        tasks.fit(IMAGES, LABELS, verbose=0)


def test_two_domains_take_labels_beside_their_domains():
    """A model with a target that is no `Supervised`."""
    model = DeepCoral(classifier(SmallCNN((8, 8, 1), (8,)), 3))
    model.compile("adam")
    domains = (np.arange(12) % 2).astype("int32")
    model.fit({"images": IMAGES, "domains": domains}, LABELS, verbose=0)
    with pytest.raises(ValueError, match="labels: expected whole numbers from -1 to 2, received 3"):
        model.fit({"images": IMAGES, "domains": domains}, LABELS + 1, verbose=0)
    with pytest.raises(ValueError, match="DeepCoral needs the column 'domains' .0 for rows of the source"):
        model.fit(IMAGES, LABELS, verbose=0)


def test_images_alone():
    model = Autoencoder(SmallCNN((8, 8, 1), (8,)))
    model.compile("adam")
    model.fit(IMAGES, verbose=0)
    with pytest.raises(ValueError, match="Autoencoder learns from its inputs alone: leave y out"):
        model.fit(IMAGES, IMAGES, verbose=0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"metrics": ["accuracy"]},
            r"compile\(metrics=…\): Supervised has .* \(cross_entropy, accuracy\)",
        ),
        ({"loss": "mse"}, r"compile\(loss=…\): Supervised has its own loss and metrics"),
        ({"weighted_metrics": []}, r"compile\(weighted_metrics=…\)"),
    ],
)
def test_losses_and_metrics_are_the_models_own(settings, message):
    with pytest.raises(ValueError, match=message):
        make().compile("adam", **settings)
    with pytest.raises(ValueError, match=r"compile\(loss=…\)"):
        make().compile("adam", "sparse_categorical_crossentropy")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((IMAGES, LABELS + 1), "labels: expected whole numbers from 0 to 2, received 3"),
        ((IMAGES, LABELS / 2), "labels: expected whole numbers from 0 to 2, received 0.5"),
        ((IMAGES, np.where(LABELS == 0, np.nan, 1.0)), "labels: expected whole numbers from 0 to 2, received nan"),
        ((IMAGES, np.where(LABELS == 0, np.inf, 1.0)), "labels: expected whole numbers from 0 to 2, received inf"),
        ((IMAGES, np.array(["a", "b", "c"] * 4)), "labels: expected numbers, received <U1: turn names of classes into"),
        (
            ((IMAGES * 255).astype("uint8"), LABELS),
            "images: Supervised reads float32, received uint8: pixels are floats",
        ),
        ((IMAGES,), "Supervised needs the column 'labels', the batch has images"),
        (({"pixels": IMAGES}, LABELS), "Supervised needs the column 'images', the batch has pixels, labels"),
        ((tf.data.Dataset.from_tensors(IMAGES), LABELS), "a data set has its labels within, leave y out"),
    ],
)
def test_what_does_not_fit_is_said_in_a_line(data, message):
    with pytest.raises(ValueError, match=message):
        make().fit(*data, verbose=0)


def test_weights_of_examples_are_refused():
    for settings in ({"class_weight": {0: 1.0}}, {"sample_weight": np.ones(12)}):
        with pytest.raises(ValueError, match=r"fit\((class|sample)_weight=…\)"):
            make().fit(IMAGES, LABELS, verbose=0, **settings)
    with pytest.raises(ValueError, match="evaluate.sample_weight"):
        make().evaluate(IMAGES, LABELS, sample_weight=np.ones(12))
    with pytest.raises(ValueError, match="Supervised takes no sample_weight"):
        make().fit(tf.data.Dataset.from_tensors((IMAGES, LABELS, np.ones(12))), verbose=0)


def test_several_inputs_need_their_names():
    model = classifier(TextEncoder(9, 1, num_heads=1, hidden_dim=8, intermediate_dim=8), 2)
    model.compile("adam")
    ids = np.ones((4, 6), "int32")
    with pytest.raises(ValueError, match="Supervised reads token_ids, padding_mask: give a dict of them"):
        model.fit(ids, np.array([0, 1, 0, 1]))
    model.fit({"token_ids": ids, "padding_mask": ids}, np.array([0, 1, 0, 1]), verbose=0)


def test_a_masked_lm_says_what_it_lacks():
    model = MaskedLM(TextEncoder(9, 1, num_heads=1, hidden_dim=8, intermediate_dim=8))
    model.compile("adam")
    ids = np.ones((4, 6), "int32")
    with pytest.raises(ValueError, match="MaskedLM needs the column"):
        model.fit({"token_ids": ids, "padding_mask": ids}, verbose=0)


def test_saved_and_loaded_as_keras_does(tmp_path):
    model = make()
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.predict(IMAGES, verbose=0), model.predict(IMAGES, verbose=0), atol=1e-6)
    assert tfpretune.finetune.classifier is classifier


def test_parts_and_replicas_take_named_batches():
    """The batch that knows what it lacks goes through parts and XLA like any other."""
    model = Toy()
    model.compile(keras.optimizers.SGD(0.1), accumulate_steps=2)
    rows = {"x": np.ones((4, 3), "float32"), "y": np.ones(4, "float32")}
    model.fit(rows, verbose=0)
    with pytest.raises(ValueError, match="Toy needs the column 'y', the batch has x"):
        model.fit({"x": rows["x"]}, verbose=0)
