"""What data says of itself at a prompt: kind, number, classes; never its contents."""

import numpy as np

from tfpretune.data import StepIndexed, open_masks, open_questions, open_source, open_tagged


def test_examples():
    assert repr(open_source("demo:bbc")) == (
        "<Examples of demo:bbc: 2,225 texts, 5 classes (business, entertainment, politics, sports, …)>"
    )
    digits = open_source("demo:digits").take(range(3))
    assert repr(digits) == "<Examples of demo:digits: 3 images, 10 classes (0, 1, 2, 3, …)>"


def test_labels_of_every_kind(tmp_path):
    (tmp_path / "a.csv").write_text("text,text_pair,label,tone\nx,y,a;b,good\nz,u,b,bad\n")
    source = f"csv:{tmp_path}/a.csv"
    found = open_source(source, pair_column="text_pair", label_kind="multi-label", more_labels=("tone",))
    assert repr(found) == (f"<Examples of {source}: 2 pairs of texts, 2 labels (a, b), more labels: tone>")
    (tmp_path / "n.csv").write_text("text,label\nx,1.5\nz,2.5\n")
    numbers = open_source(f"csv:{tmp_path}/n.csv", label_kind="regression")
    assert repr(numbers) == f"<Examples of csv:{tmp_path}/n.csv: 2 texts, numbers>"
    (tmp_path / "t.txt").write_text("one\ntwo\n")
    assert repr(open_source(f"text:{tmp_path}/t.txt")) == f"<Examples of text:{tmp_path}/t.txt: 2 texts, no labels>"


def test_other_forms(tmp_path):
    (tmp_path / "a.conll").write_text("One B-X\ntwo O\n\nthree O\n")
    assert repr(open_tagged(f"conll:{tmp_path}/a.conll")).endswith("a.conll: 2 sentences, 3 words, 3 tags>")
    assert repr(open_masks("demo:mnist5k-masks")).startswith("<MaskExamples of demo:mnist5k-masks: 5,000 images, ")
    assert "questions, " in repr(open_questions("demo:people-daily-qa"))


def test_batches():
    batches = StepIndexed({"x": np.zeros((10, 3), "float32"), "labels": np.zeros(10, "int32")}, 4)
    assert repr(batches) == "<StepIndexed: 10 rows in batches of 4: x float32 (3,), labels int32 ()>"
