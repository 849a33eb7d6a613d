"""From a preset to an export: what task.json says, and examples of the data."""

import json

import keras
import numpy as np
import pytest

from tests.serving.conftest import VOCABULARY
from tfpretune.backbones import TextEncoder, TextEncoderTokenizer
from tfpretune.finetune import multi_head, segmenter, tagger
from tfpretune.objectives import Classification, MultiLabel
from tfpretune.serving.loading import load
from tfpretune.tasks.finetuning.exporting import examples_of, export_run
from tfpretune.training.presets import save_preset


@pytest.fixture
def tokenizer():
    return TextEncoderTokenizer(vocabulary=VOCABULARY, lowercase=True)


def encoder():
    return TextEncoder(10, 1, num_heads=1, hidden_dim=4, intermediate_dim=4)


def test_several_tasks_from_a_preset(tokenizer, tmp_path):
    targets = {"mood": Classification(2), "topics": MultiLabel(3, column="topics")}
    keras.utils.set_random_seed(0)
    model = multi_head(encoder(), targets, weighting="uncertainty")
    names = {"mood": ["sad", "glad"], "topics": ["a", "b", "c"]}
    task = {"class_names": names, "sequence_length": 6, "threshold": 0.25}
    save_preset(tmp_path / "both" / "preset", model, tokenizer=tokenizer, task=task)
    served = load(export_run(tmp_path / "both", tmp_path / "saved"))
    assert served.folder == tmp_path / "saved" / "both" / "1"
    assert served.heads["topics"]["threshold"] == 0.25
    probabilities = served.call("topics", ["good"])["probabilities"]
    np.testing.assert_array_equal(served.call("topics", ["good"])["fits"], probabilities >= 0.25)


def test_a_tagger_with_sentences_of_its_source(tokenizer, tmp_path):
    lines = "".join(f"good{number} O\nfilm B-X\n\n" for number in range(60))
    (tmp_path / "all.conll").write_text(lines, "utf-8")
    source = f"conll:{tmp_path}/all.conll"
    task = {"class_names": ["O", "B-X", "I-X"], "sequence_length": 6, "source": source}
    save_preset(tmp_path / "tags" / "preset", tagger(encoder(), 3), tokenizer=tokenizer, task=task)
    folder = export_run(tmp_path / "tags", tmp_path / "saved", name="people", with_examples=True)
    checks = json.loads((folder / "assets.extra" / "checks.json").read_text("utf-8"))
    assert [item["text"].startswith("good") for item in checks["inputs"][:3]] == [True] * 3
    assert folder == tmp_path / "saved" / "people" / "1"


def test_a_source_that_is_gone_leaves_made_inputs_and_a_line(capsys):
    from tfpretune.backbones import SmallCNN

    model = segmenter(SmallCNN((8, 8, 1), (4,), groups=2), 2, hidden_dim=4)
    assert examples_of(model, {"source": "images:/nowhere"}) == []
    assert capsys.readouterr().out.startswith("no examples of the data are stored: ")
    assert examples_of(tagger(encoder(), 3), {}) == []
