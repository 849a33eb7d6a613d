"""Distillation: the loss by hand, its limit at high temperatures, rows without labels, replicas, the teacher's column."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import checks
from tfpretune.backbones import SmallCNN
from tfpretune.data.batches.mixing import Mixed
from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.errors import UsageError
from tfpretune.finetune import classifier, pooled_head, segmenter
from tfpretune.finetune.methods.distillation import SoftClassification, teacher_answers, with_teacher, without_teacher
from tfpretune.objectives import Classification
from tfpretune.settings.run import OptimizerConfig, RunConfig
from tfpretune.training import fit

RNG = np.random.default_rng(0)
IMAGES = RNG.random((5, 8, 8, 1)).astype("float32")
LABELS = np.array([0, 1, 2, -1, -1], "int32")
ANSWERS = RNG.normal(size=(5, 3)).astype("float32")
BATCH = {"images": IMAGES, "labels": LABELS, "teacher_logits": ANSWERS}


def make_student(**settings):
    return pooled_head(SmallCNN((8, 8, 1), (8,)), SoftClassification(3, **settings), dropout=0.0)


def term(target, student, teacher, labels):
    outputs = tf.constant([student], tf.float32)
    batch = {"labels": np.array(labels, "int32"), "teacher_logits": np.log([teacher]).astype("float32")}
    return {name: (float(t.total), float(t.count), t.weight) for name, t in target.terms(outputs, batch, True).items()}


def test_the_loss_by_hand():
    """Teacher (1/2, 1/2), student (1/4, 3/4), label 0, T = 1: cross-entropy ln 4, divergence ln 2 - ln(3) / 2."""
    found = term(SoftClassification(2, share=0.25, temperature=1.0), [0.0, math.log(3)], [0.5, 0.5], [0])
    np.testing.assert_allclose(found["cross_entropy"], (math.log(4), 1, 0.75), rtol=1e-6)
    np.testing.assert_allclose(found["distillation"], (math.log(2) - math.log(3) / 2, 1, 0.25), rtol=1e-6)
    assert found["accuracy"] == (0, 1, 0)


def test_the_temperature_by_hand():
    """T = 2 takes roots: (1/10, 9/10) to (1/4, 3/4). Times T^2: 4 * (ln(1/4) / 4 + 3 ln(3/4) / 4 + ln 2)."""
    found = term(SoftClassification(2, temperature=2.0), [0.0, 0.0], [0.1, 0.9], [0])
    expected = 4 * (math.log(1 / 4) / 4 + 3 * math.log(3 / 4) / 4 + math.log(2))
    np.testing.assert_allclose(found["distillation"][0], expected, rtol=1e-5)


def test_at_high_temperatures_it_matches_logits():
    """Hinton et al., equation 4: for logits of mean zero the gradient is (z - v) / N, once T^2 is put to it."""
    z, v = tf.constant([[1.0, -3.0, 2.0]]), tf.constant([[0.5, 0.5, -1.0]])
    with tf.GradientTape() as tape:
        tape.watch(z)
        terms = SoftClassification(3, temperature=1000.0).terms(
            z, {"labels": tf.constant([0]), "teacher_logits": v}, True
        )
        total = terms["distillation"].total
    np.testing.assert_allclose(tape.gradient(total, z), (z - v) / 3, atol=5e-3)


def test_rows_without_a_label_have_the_teacher_only():
    student = make_student(share=0.5)
    all_rows, three = student.terms(BATCH, True), student.terms({k: v[:3] for k, v in BATCH.items()}, True)
    assert [int(all_rows[name].count) for name in student.term_names] == [3, 5, 3]
    for name in ("cross_entropy", "accuracy"):
        np.testing.assert_allclose(all_rows[name].total, three[name].total, rtol=1e-5)
    changed = student.terms(BATCH | {"labels": np.array([0, 1, 2, 0, 0], "int32")}, True)
    np.testing.assert_allclose(changed["distillation"].total, all_rows["distillation"].total)
    apart = student.target.divergence(tf.constant(ANSWERS), tf.constant(ANSWERS[::-1]), BATCH)
    assert int(apart.count) == 5


def test_with_a_share_of_0_it_is_the_plain_loss():
    """The same steps to the bit: label smoothing, class weights and all."""
    weights = []
    settings = {"label_smoothing": 0.1, "class_weights": (1.0, 2.0, 3.0)}
    for target in (SoftClassification(3, share=0.0, **settings), Classification(3, **settings)):
        keras.utils.set_random_seed(3)
        model = pooled_head(SmallCNN((8, 8, 1), (8,)), target, dropout=0.0)
        model.compile(keras.optimizers.SGD(0.1))
        model.fit(tf.data.Dataset.from_tensors(BATCH).repeat(3), verbose=0, shuffle=False)
        weights.append(model.get_weights())
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-7)


def test_proofs(tmp_path):
    checks.check_learns(make_student(share=0.9), BATCH)
    model = make_student(class_weights=(1.0, 2.0, 3.0), temperature=3.0)
    checks.check_round_trip(model, BATCH, tmp_path)
    assert keras.models.load_model(tmp_path / "model.keras").target == model.target
    checks.check_export(model, BATCH, tmp_path)
    checks.check_replicas(lambda: make_student(share=0.7), BATCH)


def test_a_validation_set_needs_no_teacher():
    found = make_student().terms({"images": IMAGES, "labels": np.zeros(5, "int32")}, training=False)
    assert float(found["distillation"].total) == float(found["distillation"].count) == 0
    with pytest.raises(ValueError, match="the batch lacks the column teacher_logits: add it with `with_teacher`"):
        make_student().terms({"images": IMAGES, "labels": LABELS}, training=True)


def test_the_answers_are_the_teachers_and_follow_their_rows():
    teacher = classifier(SmallCNN((8, 8, 1), (8, 8)), 3, dropout=0.5)
    plain = StepIndexed({"images": IMAGES, "labels": LABELS}, 2, seed=7)
    answers = teacher_answers(teacher, plain.in_order())
    np.testing.assert_allclose(answers, teacher({"images": IMAGES}), atol=1e-6)

    def darker(batch, seed):
        return batch | {"images": batch["images"] * 0.5}

    student = with_teacher(StepIndexed({"images": IMAGES, "labels": LABELS}, 2, seed=7, transform=darker), answers)
    for step, batch in enumerate(student.from_step(0, 4)):
        rows = student.rows(step)
        np.testing.assert_allclose(batch["teacher_logits"], answers[rows])  # of the images as they are
        np.testing.assert_allclose(batch["images"], IMAGES[rows] * 0.5)
    with pytest.raises(ValueError, match="columns must have the same number of rows"):
        with_teacher(plain, answers[:4])
    with pytest.raises(UsageError, match="a teacher has one answer per example"):
        teacher_answers(segmenter(SmallCNN((8, 8, 1), (8,)), 3), plain.in_order())


def test_a_student_learns_from_unlabelled_rows_what_two_labels_do_not_say(tmp_path):
    """Stripes up and down or across, in noise; the teacher knows them apart, the two labelled rows are noise alone."""
    keras.utils.set_random_seed(0)
    kinds = np.arange(40) % 2
    stripes = np.indices((8, 8))[kinds] % 2
    images = (stripes[..., np.newaxis] + RNG.normal(size=(40, 8, 8, 1)) * 0.1).astype("float32")
    answers = np.where(kinds[:, np.newaxis] == [0, 1], 2.0, -2.0)
    unlabelled = with_teacher(StepIndexed({"images": images}, 8, seed=1), answers)
    few = {"images": IMAGES[:2], "labels": np.array([0, 1], "int32")}
    labelled = with_teacher(StepIndexed(few, 2, seed=1), np.zeros((2, 2)))
    batches = Mixed([labelled, unlabelled], fill={"labels": -1})
    student = pooled_head(SmallCNN((8, 8, 1), (8,)), SoftClassification(2, share=0.9), dropout=0.0)
    optimizer = OptimizerConfig(learning_rate=0.02, warmup=0.1)
    run = RunConfig(source="toy", out_dir=str(tmp_path), steps=40, batch_size=10, optimizer=optimizer, jit="off")
    fit(student, batches, run)
    assert (student({"images": images}).numpy().argmax(axis=1) == kinds).all()


def test_a_student_becomes_a_plain_classifier():
    student = make_student(label_smoothing=0.1)
    plain = without_teacher(student)
    assert plain.target == Classification(3, label_smoothing=0.1)
    assert plain.get_layer("logits") is student.get_layer("logits")
    with pytest.raises(
        ValueError, match="expected a student with the target SoftClassification, received Classification"
    ):
        without_teacher(plain)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"share": 1.5}, r"share must be in \[0, 1\], temperature above 0, received 1.5 and 2.0"),
        ({"temperature": 0.0}, "received 0.5 and 0.0"),
        ({"label_smoothing": 1.0}, "label_smoothing must be in"),
        ({"class_weights": (1.0,)}, "class_weights needs 3 values, received 1"),
    ],
)
def test_settings_that_cannot_work(settings, message):
    with pytest.raises(ValueError, match=message):
        SoftClassification(3, **settings)
