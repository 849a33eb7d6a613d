"""Checkpoints, presets and rows that are another model's: refused before anything is restored, saying what differs."""

import dataclasses

import numpy as np
import pytest

from tests.faults import state
from tests.faults.children import recipe
from tests.faults.children import run as run_child
from tests.faults.tiny import VOCABULARY_SIZE, WORDS, make_encoder, make_tokenizer, options
from tests.training.loop.toys import make_run
from tfpretune.backbones import SmallCNN
from tfpretune.backbones.by_name import load_backbone
from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.data.examples.examples import Examples
from tfpretune.errors import RunError, UsageError
from tfpretune.finetune import classifier
from tfpretune.objectives import MaskedLM
from tfpretune.training import fit
from tfpretune.training.loop.checkpoints import CheckpointFolder
from tfpretune.training.loop.fingerprint import fingerprint_of
from tfpretune.training.presets import save_preset
from tfpretune.training.run_variables import LoadReport, restore

IMAGES = {"images": np.random.default_rng(0).random((12, 8, 8, 1)).astype("float32"), "labels": np.arange(12) % 2}
TOKENS = {
    "token_ids": np.random.default_rng(0).integers(5, VOCABULARY_SIZE, (12, 6)).astype("int32"),
    "padding_mask": np.ones((12, 6), "int32"),
    "labels": np.arange(12, dtype="int32") % 2,
}


def image_identity(shape=(8, 8, 1), filters=(4, 8), names=("cat", "dog"), data=None):
    backbone = SmallCNN(shape, filters, groups=2)
    rows = {"images": np.zeros((12, *shape), "float32"), "labels": np.arange(12, dtype="int32") % 2}
    batches = StepIndexed(rows, 4)
    model = classifier(backbone, len(names))
    return model, batches, fingerprint_of(backbone, batches, class_names=names, data=data)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"names": ("dog", "cat")}, r'class_names: \["cat", "dog"\] -> \["dog", "cat"\]'),
        ({"shape": (16, 16, 1)}, r"backbone.image_shape: \[8, 8, 1\] -> \[16, 16, 1\]; shape of images: .*"),
        ({"filters": (4, 16)}, r"backbone.\w+: \[4, 8\] -> \[4, 16\]"),
    ],
)
def test_what_differs_is_listed_before_anything_is_restored(tmp_path, monkeypatch, other, said):
    model, batches, about = image_identity()
    run = make_run(tmp_path, steps=1)
    fit(model, batches, run, identity=about)
    model, batches, about = image_identity(**other)
    monkeypatch.setattr(CheckpointFolder, "load", None)
    with pytest.raises(UsageError, match=rf"does not fit this run \({said}\): choose another `out_dir`"):
        fit(model, batches, run, identity=about)
    assert state.steps(tmp_path) == [1]


TEXTS = Examples(
    "text", [f"text {row}" for row in range(12)], np.arange(12, dtype=np.int32) % 2, ("a", "b"), ["t"] * 12, "t"
)
CHANGED = {
    "a label": (dataclasses.replace(TEXTS, labels=np.roll(TEXTS.labels, 1)), r"labels of the training examples: [^;]*"),
    "a text": (
        dataclasses.replace(TEXTS, inputs=["other", *TEXTS.inputs[1:]]),
        "contents of the training examples: .*",
    ),
    "the order": (TEXTS.take(np.roll(np.arange(12), 2)), "contents of the training examples: [^;]*"),
}


def test_other_training_examples_are_refused_and_a_run_from_before_goes_on_with_a_line(tmp_path, monkeypatch, capsys):
    """Of the same number, with the same classes: the rows on the disk changed while the run was not at work."""
    model, batches, about = image_identity()  # as a version wrote it that knew nothing of the examples
    fit(model, batches, make_run(tmp_path, steps=1), identity=about)
    model, batches, about = image_identity(data=TEXTS)
    assert fit(model, batches, make_run(tmp_path, steps=2), identity=about).steps == 2
    said = f"note: {tmp_path} was begun by an earlier version: whether its data are the same cannot be seen"
    assert capsys.readouterr().out.count(said) == 1
    monkeypatch.setattr(CheckpointFolder, "load", None)
    for changed, said in CHANGED.values():
        about = fingerprint_of(model.backbone, batches, class_names=("cat", "dog"), data=changed)
        with pytest.raises(UsageError, match=rf"does not fit this run \({said}\): choose another `out_dir`"):
            fit(model, batches, make_run(tmp_path), identity=about)
    assert state.steps(tmp_path)[-1] == 2


def test_another_vocabulary_or_backbone_is_named():
    batches = StepIndexed(TOKENS, 4)
    one = fingerprint_of(make_encoder(), batches, tokenizer=make_tokenizer())
    two = fingerprint_of(make_encoder(hidden_dim=4), batches, tokenizer=make_tokenizer(WORDS[::-1]))
    assert sorted(name for name in one if one[name] != two[name]) == ["backbone.hidden_dim", "vocabulary"]
    assert one["vocabulary"].startswith(f"{VOCABULARY_SIZE} tokens, sha256 ")
    assert one["shape of token_ids"] == [6]
    assert fingerprint_of(make_encoder(), batches, tokenizer=make_tokenizer()) == one


def test_a_recipe_says_it(tmp_path, tiny):
    """The source grew a class: the same command is refused with exit code 2 and one line."""
    out = tmp_path / "run"
    given = options("finetune_text", tiny, out, "--steps", 1, "--no-init-head-from-probe", "--devices.replicas", 1)
    assert run_child(tmp_path / "log", recipe, "finetune_text", *given)[0] == 0
    text = (tiny / "texts.csv").read_text().replace(",b\n", ",c\n")
    (tmp_path / "texts.csv").write_text(text)
    code, printed = run_child(
        tmp_path / "log",
        recipe,
        "finetune_text",
        *[arg.replace(str(tiny / "texts.csv"), f"{tmp_path}/texts.csv") for arg in given],
    )
    assert code == 2
    assert "other settings (source: " in printed.splitlines()[-1]
    (tiny / "texts.csv").write_text(text)
    try:
        code, printed = run_child(tmp_path / "log", recipe, "finetune_text", *given)
    finally:
        (tiny / "texts.csv").write_text(text.replace(",c\n", ",b\n"))
    assert code == 2
    assert 'does not fit this run (class_names: ["a", "b"] -> ["a", "c"])' in printed.splitlines()[-1]


def test_a_report_counts_and_nothing_loaded_is_an_error(tmp_path):
    model = classifier(make_encoder(), 2)
    variables = {variable.path: variable for variable in model.variables}
    report = restore(variables, {"other": np.zeros(3)})
    assert (report.loaded, len(report.missing), report.unused) == ([], len(variables), ["other"])
    with pytest.raises(RunError, match=rf"does not fit the model, 0 of {len(variables)} variables loaded; missing: "):
        report.require_all(tmp_path)
    with pytest.raises(RunError, match="0 of 0 variables loaded"):
        LoadReport([], [], [], []).require_all(tmp_path)


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")  # Keras warns before it refuses
@pytest.mark.parametrize("kind", ["wider", "none"])
def test_a_preset_whose_weights_are_another_models_is_refused(tmp_path, kind):
    """The weights of another backbone under this one's config, with a manifest that says that all is well."""
    from tests.faults.test_untrusted import seal

    preset = save_preset(tmp_path / "preset", MaskedLM(make_encoder()), tokenizer=make_tokenizer())
    other = make_encoder(hidden_dim=16) if kind == "wider" else SmallCNN((8, 8, 1), (4, 8), groups=2)
    other.save_weights(preset / "model.weights.h5")
    seal(preset)
    with pytest.raises(UsageError, match=f"`preset` {preset}: ") as refused:
        load_backbone(str(preset))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        (
            "token_ids",
            VOCABULARY_SIZE,
            f"token_ids holds {VOCABULARY_SIZE}, outside 0..{VOCABULARY_SIZE - 1}, the vocabulary",
        ),
        ("token_ids", -1, "token_ids holds -1, outside"),
        ("labels", 2, r"labels holds 2, outside 0..1, the classes of the model"),
        ("labels", -1, "labels holds -1, outside 0..1"),
    ],
)
@pytest.mark.parametrize("jit", ["off", "on"])
def test_ids_and_labels_that_xla_would_hide_are_found_before_step_1(tmp_path, column, value, said, jit):
    rows = {name: values.copy() for name, values in TOKENS.items()}
    rows[column][7] = value
    with pytest.raises(UsageError, match=f"training row 7: {said}"):
        fit(classifier(make_encoder(), 2), StepIndexed(rows, 4), make_run(tmp_path, jit=jit))
    assert state.steps(tmp_path) == []


@pytest.mark.parametrize("name", ["pretrain_text", "finetune_text"])
def test_a_tokenizer_with_more_tokens_than_the_backbone_exits_2_in_one_line(tmp_path, tiny, name):
    preset = save_preset(tmp_path / "preset", MaskedLM(make_encoder(20)), tokenizer=make_tokenizer())
    given = options(
        name,
        tiny,
        tmp_path / "run",
        "--preset",
        preset,
        "--no-init-head-from-probe" if name[0] == "f" else "--lowercase",
    )
    code, printed = run_child(tmp_path / "log", recipe, name, *given)
    assert code == 2, printed
    last = printed.splitlines()[-1]
    assert last.startswith("error: training row 0: token_ids holds ")
    assert "outside 0..19, the vocabulary of the backbone" in last
    assert "Traceback" not in printed
