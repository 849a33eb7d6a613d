"""`distil`: the student alone and taught, what is left, what is refused."""

import json
import types

import keras
import numpy as np
import pytest

from tests.faults.tiny import make_encoder, make_tokenizer, write_texts
from tests.recipes.test_recipes import load, run_recipe
from tfpretune.backbones import SmallCNN
from tfpretune.backbones.by_name import CNN_SIZES, TEXT_SIZES
from tfpretune.data.batches.examples import image_batches, text_batches
from tfpretune.data.examples.examples import Examples
from tfpretune.data.sources.labelled import labelled_splits
from tfpretune.errors import UsageError
from tfpretune.finetune import classifier, pair_classifier, start_head_from_probe
from tfpretune.objectives import Classification
from tfpretune.settings.run import DevicesConfig, OptimizerConfig
from tfpretune.tasks.distillation import comparison as comparing
from tfpretune.tasks.distillation.comparison import milliseconds
from tfpretune.tasks.distillation.teachers import taught_batches
from tfpretune.tasks.finetuning.finetuned_runs import load_finetuned
from tfpretune.training.presets import load_task, save_preset

TINY = {
    "sequence_length": 16,
    "window_length": 8,
    "batch_size": 8,
    "steps": 6,
    "save_every_steps": 6,
    "jit": "off",
    "precision": "float32",
    "most_unknown": 1.0,  # the small preset knows every second word
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Texts of two classes, a teacher that knows them apart, a preset of another vocabulary."""
    folder = tmp_path_factory.mktemp("distil")
    write_texts(folder / "texts.csv")
    keras.utils.set_random_seed(0)
    model = classifier(make_encoder(hidden_dim=16), 2)
    source = f"csv:{folder}/texts.csv"
    examples = labelled_splits(source).train
    reads = {"tokenizer": make_tokenizer(), "sequence_length": 12}
    start_head_from_probe(model, text_batches(examples, 32, **reads).in_order(), strength=10.0)
    task = {"kind": "text", "class_names": ["a", "b"], "source": source, "license": "", "sequence_length": 12}
    save_preset(folder / "teacher" / "preset", model, tokenizer=make_tokenizer(), task=task)
    small = classifier(make_encoder(vocabulary_size=35), 2)
    save_preset(folder / "small", small, tokenizer=make_tokenizer([f"w{number}" for number in range(0, 60, 2)]))
    return folder


def settings(folder, **more):
    source = f"csv:{folder}/texts.csv"
    return TINY | {"teacher_dir": f"{folder}/teacher", "preset": f"{folder}/small", "source": source} | more


def test_half_of_every_batch_is_unlabelled_and_all_rows_have_the_teachers_answers(folder):
    """Also where the student has another vocabulary and reads more tokens than the teacher."""
    teacher = load_finetuned(f"{folder}/teacher")
    examples = labelled_splits(f"csv:{folder}/texts.csv").train
    few = examples.few_labels(3, seed=0)

    def make_batches(part, batch_size, seed=0):
        tokenizer = make_tokenizer(["w1", "w2"])
        return text_batches(part, batch_size, tokenizer=tokenizer, sequence_length=16, seed=seed)

    batches = taught_batches(teacher, make_batches, few, examples, batch_size=7, seed=4)
    assert batches.num_rows == 6 + len(examples)
    (batch,) = batches.from_step(3, 1)
    labelled = batch["labels"].numpy() >= 0
    assert labelled.sum() == 4
    rows = batches.rows(3)
    expected = teacher.model.predict(teacher.batches(examples, 64).in_order(), verbose=0)
    unlabelled = rows >= 6
    np.testing.assert_array_equal(unlabelled, ~labelled)
    np.testing.assert_allclose(batch["teacher_logits"][unlabelled], expected[rows[unlabelled] - 6], atol=1e-5)
    np.testing.assert_array_equal(batch["labels"][labelled], few.labels[rows[labelled]])
    alone = taught_batches(teacher, make_batches, few, None, batch_size=7, seed=4)
    assert (alone.batch_size, alone.num_rows, "teacher_logits" in alone.columns) == (7, 6, True)


def test_a_new_student_with_unlabelled_texts(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(TEXT_SIZES, "mini", (1, 1, 8, 16))
    out = tmp_path / "out"
    run = settings(
        folder,
        backbone="mini",
        unlabelled_source=f"csv:{folder}/texts.csv",
        labels_per_class=1,
        steps=60,
        save_every_steps=60,
        out_dir=str(out),
        optimizer=OptimizerConfig(learning_rate=0.02, warmup=0.1),
    )
    table = run_recipe("distil", **run)
    assert [row[0] for row in table.rows] == ["teacher", "student alone", "student distilled"]
    accuracies, sizes, times = zip(*(row[1:] for row in table.rows), strict=True)
    assert sizes[0] > sizes[1] == sizes[2]
    assert all(time > 0 for time in times)
    assert accuracies[2] > accuracies[1]  # two texts say less of 60 words than the teacher does
    assert table.markdown() in capsys.readouterr().out
    assert (out / "distil.md").read_text("utf-8") == table.markdown()
    model, task = load_task(out / "preset")
    assert model.target == Classification(2)
    assert task["metrics"]["accuracy"] == accuracies[2]
    assert json.loads((out / "report" / "metrics.json").read_text("utf-8"))["accuracy"] == accuracies[2]
    assert "Teacher and student" in (out / "report" / "index.html").read_text("utf-8")
    exported = run_recipe("export", run_dir=str(out), name="toy", saved_models=str(tmp_path / "served"), fast=True)
    assert exported.is_dir()
    again = run_recipe("distil", **run)  # the run is over, nothing is trained
    assert [row[1:3] for row in again.rows] == [row[1:3] for row in table.rows]
    member = load_finetuned(f"{folder}/teacher")
    save_preset(f"{folder}/teacher2/preset", member.model, tokenizer=member.tokenizer, task=member.task | {"x": 1})
    with pytest.raises(UsageError, match="was started with other settings .teacher_dir: "):
        run_recipe("distil", **run | {"teacher_dir": f"{folder}/teacher2"})


@pytest.mark.slow
def test_a_preset_as_student_with_another_vocabulary_and_two_replicas(folder, tmp_path):
    """From labels alone: no texts beside them; the head starts from its probe; all on two replicas."""
    run = settings(folder, out_dir=str(tmp_path / "out"), devices=DevicesConfig(replicas=2), balance_classes=True)
    table = run_recipe("distil", **run)
    assert len(table.rows) == 3
    assert (tmp_path / "out" / "alone" / "run.json").is_file()
    model, _ = load_task(tmp_path / "out" / "preset")
    assert model.backbone.vocabulary_size == 35


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A teacher that knows scikit-learn's digits by a head on random features of many channels."""
    folder = tmp_path_factory.mktemp("digits")
    keras.utils.set_random_seed(0)
    model = classifier(SmallCNN((8, 8, 1), (32, 64)), 10, dropout=0.0)  # a sharp teacher
    parts = labelled_splits("demo:digits")
    start_head_from_probe(model, image_batches(parts.train, 64, image_shape=(8, 8, 1)).in_order(), strength=10.0)
    names = list(parts.class_names)
    task = {"kind": "image", "class_names": names, "source": "demo:digits", "license": "", "image_shape": [8, 8, 1]}
    save_preset(folder / "preset", model, task=task)
    return folder


def image_settings(digits, out, **more):
    sizes = {"batch_size": 32, "steps": 60, "save_every_steps": 60, "jit": "off", "precision": "float32"}
    moves = {"shift": 1, "rotate_degrees": 0.0, "scale": 0.0}
    own = {"teacher_dir": str(digits), "source": "demo:digits", "out_dir": str(out), "labels_per_class": 1}
    return sizes | moves | own | {"optimizer": OptimizerConfig(learning_rate=0.01, warmup=0.1)} | more


def test_a_new_student_of_images(digits, tmp_path, monkeypatch):
    """One label per class and the other digits without: more from the teacher than from the labels, and it is served."""
    monkeypatch.setitem(CNN_SIZES, "cnn-small", (16, 16))
    out = tmp_path / "out"
    run = image_settings(digits, out, backbone="cnn-small", unlabelled_source="demo:digits")
    table = run_recipe("distil", **run)
    assert table.columns[-1] == "ms an image"
    accuracies, sizes, _ = zip(*(row[1:] for row in table.rows), strict=True)
    assert sizes[0] > sizes[1] == sizes[2]
    assert accuracies[2] > accuracies[1] + 0.05
    model, task = load_task(out / "preset")
    assert (task["kind"], task["image_shape"], model.target) == ("image", [8, 8, 1], Classification(10))
    assert "ms an image" in (out / "report" / "index.html").read_text("utf-8")
    exported = run_recipe("export", run_dir=str(out), name="toy", saved_models=str(tmp_path / "served"), fast=True)
    assert exported.is_dir()


def test_images_from_a_preset_and_what_is_refused(digits, tmp_path, capsys):
    """The teacher's own folder is a preset, too; a ViT of patches that do not fit, a dropout that a new one has not."""
    out = tmp_path / "out"
    assert run_recipe("distil", **image_settings(digits, out, preset=f"{digits}/preset", dry_run=True)) is None
    assert "images: float32 (32, 8, 8, 1)" in capsys.readouterr().out
    with pytest.raises(UsageError, match="`patch_size` 3 does not divide the images' 8 x 8 pixels"):
        run_recipe("distil", **image_settings(digits, out, backbone="vit-mini", patch_size=3))
    with pytest.raises(UsageError, match="--backbone-dropout 0.1: a new --backbone cnn-small has no dropout"):
        run_recipe("distil", **image_settings(digits, out, backbone="cnn-small", backbone_dropout=0.1))
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_leaves_nothing(folder, tmp_path, capsys):
    run = settings(folder, out_dir=str(tmp_path / "out"), dry_run=True)
    assert run_recipe("distil", **run) is None
    assert "memory, estimated: " in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_mistakes_are_usage_errors(folder, tmp_path):
    image = classifier(SmallCNN((8, 8, 1), (8,)), 2)
    task = {"kind": "image", "class_names": ["a", "b"], "image_shape": [8, 8, 1], "source": "demo:digits"}
    save_preset(tmp_path / "image" / "preset", image, task=task)
    pairs = pair_classifier(make_encoder(), 2)
    save_preset(
        tmp_path / "pairs" / "preset",
        pairs,
        tokenizer=make_tokenizer(),
        task=task | {"kind": "text", "sequence_length": 12},
    )
    out = str(tmp_path / "out")
    with pytest.raises(UsageError, match="`source` .*texts.csv holds text examples, expected image"):
        run_recipe("distil", **settings(folder, teacher_dir=f"{tmp_path}/image", out_dir=out))
    with pytest.raises(UsageError, match="pairs reads pairs of texts: this recipe is for texts and images"):
        run_recipe("distil", **settings(folder, teacher_dir=f"{tmp_path}/pairs", out_dir=out))
    with pytest.raises(UsageError, match="--source demo:bbc has the classes .* was trained on a, b"):
        run_recipe("distil", **settings(folder, source="demo:bbc", out_dir=out))
    with pytest.raises(UsageError, match="`unlabelled_source` demo:digits holds image examples, expected text"):
        run_recipe("distil", **settings(folder, unlabelled_source="demo:digits", fast=True, out_dir=out))
    for wrong, message in (
        ({"teacher_weight": 1.5}, r"--teacher-weight must be in \[0, 1\] and --temperature above 0"),
        ({"cache_features": True, "frozen": "all"}, "--cache-features is not compatible with a teacher"),
        ({"temperature": 0.0}, "--temperature above 0"),
        ({"window_length": 100}, "--sequence-length 256 is not a multiple of --window-length 100"),
        ({"unlabelled_source": "x", "batch_size": 1}, "--batch-size must be at least 2"),
    ):
        with pytest.raises(UsageError, match=message):
            load("distil").Config(**wrong)


def test_the_time_is_the_median_of_one_example_each(folder, monkeypatch):
    """Also where there are fewer than it asks for: three to warm up, then 2, 9 and 4 ms by the clock."""
    clock = iter([0.0, 0.0, 0.0, 1.0, 1.002, 2.0, 2.009, 3.0, 3.004])
    monkeypatch.setattr(comparing, "time", types.SimpleNamespace(perf_counter=lambda: next(clock)))
    teacher = load_finetuned(f"{folder}/teacher")
    examples = Examples("text", ["w1", "w2 w3", "w4"], None, (), ["1", "2", "3"], "toy")
    batches = teacher.batches(examples, 1).in_order()
    assert milliseconds(teacher.model, batches) == pytest.approx(4.0)
    assert not list(clock)
