"""What each target's outputs become, worked by hand."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from tests.serving.conftest import VOCABULARY
from tfpretune.backbones.text.text_encoder import TextEncoderTokenizer
from tfpretune.objectives.targets.contrastive import SupervisedContrastive
from tfpretune.objectives.targets.extractive_qa import ExtractiveQA
from tfpretune.objectives.targets.standard import Classification, MultiLabel, Regression
from tfpretune.serving import raw
from tfpretune.serving.heads.pixels import PixelsHead
from tfpretune.serving.heads.pooled import ClassHead, LabelsHead, NumbersHead, VectorHead
from tfpretune.serving.heads.spans import SpanHead
from tfpretune.serving.heads.tags import TagHead

STRINGS = tf.TensorSpec((None,), tf.string)
LN3 = np.log(3.0)  # sigmoid(ln 3) = 3/4; softmax(0, ln 3) = (1/4, 3/4)


def plain(answers):
    return {name: values.numpy().tolist() for name, values in answers.items()}


def test_the_likeliest_class_and_a_tie():
    head = ClassHead(Classification(2), ("a", "ß"))
    outputs = tf.constant([[0.0, LN3], [1.0, 1.0]], tf.float32)
    answers = head.answers(outputs)
    assert answers["label"].numpy().tolist() == ["ß".encode(), b"a"]
    np.testing.assert_allclose(answers["probabilities"], [[0.25, 0.75], [0.5, 0.5]], atol=1e-6)
    np.testing.assert_array_equal(answers["scores"], outputs)
    assert plain(head.unsure(outputs)) == {"label": [False, True]}


def test_labels_fit_from_the_threshold_on():
    outputs = tf.constant([[LN3, -LN3, 0.0], [-9.0, -9.0, -9.0]], tf.float32)
    head = LabelsHead(MultiLabel(3), ("x", "y", "z"), 0.5)
    answers = head.answers(outputs)
    np.testing.assert_allclose(answers["probabilities"][0], [0.75, 0.25, 0.5], atol=1e-6)
    assert answers["fits"].numpy().tolist() == [[True, False, True], [False, False, False]]
    assert answers["labels"].numpy().tolist() == [[b"x", b"y", b"z"]] * 2
    assert plain(head.unsure(outputs)) == {"fits": [[False, False, True], [False, False, False]]}
    low = LabelsHead(MultiLabel(3), ("x", "y", "z"), 0.25 - 1e-6)
    assert low.answers(outputs)["fits"].numpy()[0].tolist() == [True, True, True]
    assert low.about()["threshold"] == 0.25 - 1e-6


def test_numbers_are_in_the_units_of_the_data():
    head = NumbersHead(Regression(2, offset=10.0, scale=2.0))
    assert plain(head.answers(tf.constant([[0.0, -1.5]]))) == {"values": [[10.0, 7.0]]}


def test_vectors_have_length_one():
    answers = VectorHead(SupervisedContrastive(2)).answers(tf.constant([[3.0, 4.0], [-0.1, 0.0]]))
    np.testing.assert_allclose(answers["embedding"], [[0.6, 0.8], [-1.0, 0.0]], atol=1e-6)


def test_pixels():
    outputs = tf.constant([[[[0.0, LN3], [LN3, 0.0]]]], tf.float32)  # one image of 1 x 2 pixels
    head = PixelsHead(Classification(2), ("sky", "sea"), (1, 2))
    answers = head.answers(outputs)
    assert answers["classes"].dtype == tf.int32
    assert answers["classes"].numpy().tolist() == [[[1, 0]]]
    np.testing.assert_allclose(answers["probabilities"], [[[0.75, 0.75]]], atol=1e-6)
    assert plain(head.unsure(outputs)) == {"classes": [[[False, False]]]}


@functools.cache
def reader(length):
    """Traced once for texts of all tests."""
    tokenizer = TextEncoderTokenizer(vocabulary=VOCABULARY, lowercase=True)
    reading = raw.word_preprocessing(tokenizer, length)
    return tf.function(lambda sent: reading.rows(reading.clean(sent)), input_signature=[STRINGS])


def rows_of(texts, length):
    return reader(length)(tf.constant(texts))


def test_words_speak_at_their_first_token_and_keep_their_place():
    """Rows of 5: [CLS] good film ##s [SEP] | [CLS] . [SEP] | [CLS] bad [SEP] | [CLS] [SEP]."""
    rows = rows_of(["good \u3000films.", "bad", ""], 5)
    assert rows.inputs["token_ids"].shape == (4, 5)
    outputs = np.zeros((4, 5, 2), np.float32)
    outputs[0, 1, 1] = LN3  # good
    outputs[0, 3, 1] = 9.0  # ##s: goes on, does not speak
    outputs[1, 1] = -LN3, 0.0  # the full stop
    outputs[2, 1, 0] = LN3  # bad
    head = TagHead(Classification(2), ("O", "B-X"))
    answers = head.answers(tf.constant(outputs), rows.context)
    assert answers["words"].numpy().tolist() == [[b"good", b"films", b"."], [b"bad", b"", b""], [b""] * 3]
    assert answers["tags"].numpy().tolist() == [[b"B-X", b"O", b"B-X"], [b"O", b"", b""], [b""] * 3]
    np.testing.assert_allclose(answers["probabilities"], [[0.75, 0.5, 0.75], [0.75, 0, 0], [0, 0, 0]], atol=1e-6)
    assert answers["starts"].numpy().tolist() == [[0, 6, 11], [0, 0, 0], [0, 0, 0]]
    assert answers["ends"].numpy().tolist() == [[4, 11, 12], [3, 0, 0], [0, 0, 0]]
    assert answers["num_words"].numpy().tolist() == [3, 1, 0]
    assert plain(head.unsure(tf.constant(outputs), rows.context))["tags"][0] == [False, True, False]


@pytest.mark.parametrize(
    "sent",
    [
        "  good\tfilms\r\n bad. ",
        "\ufeffgood\x00film\x07s \u2003bad\u00a0film",
        "Cafe\u0301 na\u00efve, \u4eca\u5929 \U0001f600ok\U0001f1e9\U0001f1ea!",
        b"caf\xe9 \xff\xfe\xe4\xbb ok \xed\xa0\x80 good",
    ],
)
def test_offsets_index_the_text_that_was_sent(sent):
    rows = rows_of([sent], 9)
    words, _ = rows.context
    text = sent.decode("utf-8", "replace") if isinstance(sent, bytes) else sent
    places = zip(words.starts[0].numpy(), words.ends[0].numpy(), strict=True)
    assert [word.decode("utf-8") for word in words.words[0].numpy()] == [text[start:end] for start, end in places]


def spans_by_hand(outputs, contexts, windows, longest):
    """All spans of all rows, one by one; the probabilities are those of the row."""
    chances = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
    found = []
    for text, given in enumerate(contexts):
        best = (0.0, 0, 0)
        for row in np.flatnonzero(windows.example_of == text):
            inside = np.flatnonzero(windows.starts[row] >= 0)
            for i, j in ((i, j) for i in inside for j in inside if i <= j < i + longest):
                chance = chances[row, i, 0] * chances[row, j, 1]
                best = max(best, (chance, windows.starts[row, i], windows.ends[row, j]))
        last = [windows.padding_mask[row].sum() - 1 for row in np.flatnonzero(windows.example_of == text)]
        none = min(
            chances[row, at].prod() for row, at in zip(np.flatnonzero(windows.example_of == text), last, strict=True)
        )
        found.append((given.decode()[best[1] : best[2]], best[1], best[2], best[0], none))
    return found


CONTEXTS = [b"good film bad films . bad good", "fílm".encode(), b""]


@functools.cache
def context_reader(length):
    tokenizer = TextEncoderTokenizer(vocabulary=VOCABULARY, lowercase=True)
    reading = raw.context_preprocessing(tokenizer, length, 2)
    return tf.function(lambda *sent: reading.rows(*map(reading.clean, sent)), input_signature=[STRINGS, STRINGS])


def windows_of(contexts, questions, length):
    rows = context_reader(length)(tf.constant(questions), tf.constant(contexts))
    return rows.context


def test_the_best_span_of_all_rows():
    context = windows_of(CONTEXTS, ["bad", "", "good"], 8)
    windows = type(context[1])(*(column.numpy() for column in context[1]))
    assert windows.example_of.tolist() == [0, 0, 0, 1, 2]
    head, random = SpanHead(ExtractiveQA(), longest_answer=2), np.random.default_rng(3)
    for _ in range(20):
        outputs = random.normal(0.0, 3.0, (5, 8, 2)).astype(np.float32)
        outputs[windows.segment_ids == 0] = -1e9  # as `span_finder` gives them
        answers = head.answers(tf.constant(outputs), context)
        expected = spans_by_hand(outputs, CONTEXTS, windows, 2)
        assert [answer.decode() for answer in answers["answer"].numpy()] == [row[0] for row in expected]
        assert answers["start"].numpy().tolist() == [row[1] for row in expected]
        assert answers["end"].numpy().tolist() == [row[2] for row in expected]
        np.testing.assert_allclose(answers["score"], [row[3] for row in expected], rtol=1e-4)
        np.testing.assert_allclose(answers["no_answer"], [row[4] for row in expected], rtol=1e-4)
    assert expected[2] == ("", 0, 0, 0.0, 1.0)
    assert plain(head.unsure(tf.constant(outputs), context))["answer"] == [False, False, False]
    assert plain(head.unsure(tf.zeros((5, 8, 2)), context))["start"] == [True, False, False]


def test_an_end_before_its_start_is_no_span():
    """[CLS] [SEP] good film . bad [SEP]: the most probable start is "." and the most probable end "good"."""
    outputs = np.full((1, 7, 2), -5.0, np.float32)
    outputs[0, 4, 0] = outputs[0, 2, 1] = 5.0
    outputs[0, 4, 1] = 1.0
    answers = SpanHead(ExtractiveQA(), longest_answer=4).answers(
        tf.constant(outputs), windows_of([b"good film. bad"], [""], 7)
    )
    assert answers["answer"].numpy().tolist() == [b"."]
    assert (answers["start"].numpy()[0], answers["end"].numpy()[0]) == (9, 10)
