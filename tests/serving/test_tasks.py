"""One export of each kind of model: its answers are the Keras model's, in this process and in one without Keras."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.serving.conftest import VOCABULARY
from tfpretune.backbones.image.cnn import SmallCNN
from tfpretune.backbones.text.text_encoder import TextEncoder, TextEncoderTokenizer
from tfpretune.data.batches.questions import question_inputs
from tfpretune.data.batches.tagged import tag_inputs
from tfpretune.data.examples.questions import QuestionExamples
from tfpretune.data.examples.tagged import TaggedExamples
from tfpretune.errors import UsageError
from tfpretune.finetune import (
    embedder,
    multi_head,
    multi_label,
    pair_classifier,
    regressor,
    segmenter,
    span_finder,
    tagger,
)
from tfpretune.objectives import Classification, MultiLabel, Regression
from tfpretune.serving import export, predict, verify
from tfpretune.serving.asking.lines import as_line
from tfpretune.serving.loading import WARMUP, load

LABELS = ("a", "b", "c")


def encoder():
    return TextEncoder(10, 1, num_heads=2, hidden_dim=8, intermediate_dim=4)


def spread(model):
    """Weights far enough from 0 for answers that differ."""
    random = np.random.default_rng(1)
    for weight in model.weights:
        if weight.dtype == "float32":
            weight.assign(random.normal(0.0, 1.0, weight.shape))
    return model


TARGETS = {
    "mood": Classification(2),
    "topics": MultiLabel(3, column="topics"),
    "stars": Regression(1, 3.0, 1.5, column="stars"),
}
TEXTS = ["Good films.", "bad film", "good \u3000bad."]
TEXT = {"sequence_length": 6, "examples": TEXTS}
KINDS = {
    "tags": (lambda: tagger(encoder(), 3), TEXT | {"class_names": ("O", "B-X", "I-X")}),
    "pairs": (
        lambda: pair_classifier(encoder(), 2),
        TEXT | {"class_names": ("other", "same"), "examples": list(zip(TEXTS, TEXTS[::-1], strict=True))},
    ),
    "answers": (
        lambda: span_finder(encoder()),
        TEXT
        | {
            "sequence_length": 8,
            "examples": [("bad", "good film bad films. bad good"), ("good film", "Bad \u4eca films")],
        },
    ),
    "labels": (lambda: multi_label(encoder(), 3), TEXT | {"class_names": LABELS, "threshold": 0.4}),
    "stars": (lambda: regressor(encoder(), offset=3.0, scale=1.5), TEXT),
    "vectors": (lambda: embedder(encoder(), 3), TEXT),
    "tasks": (
        lambda: multi_head(encoder(), TARGETS),
        TEXT | {"class_names": {"mood": ("sad", "glad"), "topics": LABELS}},
    ),
    "scenes": (
        lambda: segmenter(SmallCNN((8, 8, 1), (4,), groups=2), 2, hidden_dim=4),
        {"class_names": ("sky", "sea")},
    ),
}


@pytest.fixture(scope="module")
def tokenizer():
    return TextEncoderTokenizer(vocabulary=VOCABULARY, lowercase=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory, tokenizer):
    """Exports each kind once, when it is asked for: name -> (model, export)."""
    folder, kept = tmp_path_factory.mktemp("saved_models"), {}

    def make(name):
        if name not in kept:
            make_model, settings = KINDS[name]
            keras.utils.set_random_seed(0)
            model = spread(make_model())
            text = {"tokenizer": tokenizer} if "sequence_length" in settings else {}
            kept[name] = model, load(export(model, folder, name=name, **text, **settings))
        return kept[name]

    return make


def encoded(tokenizer, texts):
    from tfpretune.data.text.tokens import encode

    return tf.function(lambda: encode(tokenizer, tf.constant(texts), sequence_length=6), autograph=False)()


@pytest.mark.parametrize("name", ["tags", "answers", "tasks", "scenes"])
def test_a_process_without_keras_answers_as_keras_did(made, name):
    _, served = made(name)
    result = verify(served.folder)
    assert result.examples == {"scenes": 4, "answers": 8, "tags": 9 + 6}.get(name, 9)
    assert result.difference <= 1e-5


def test_files_tell_what_the_model_says(made):
    _, served = made("labels")
    assets = served.folder / "assets.extra"
    head = json.loads((assets / "metadata.json").read_text("utf-8"))["heads"][""]
    assert (head["says"], head["threshold"], head["class_names"]) == ("labels", 0.4, ["a", "b", "c"])
    assert (assets / "labels.txt").read_text("utf-8") == "a\nb\nc\n"
    _, served = made("tasks")
    assets = served.folder / "assets.extra"
    assert (assets / "labels_mood.txt").read_text("utf-8") == "sad\nglad\n"
    assert not (assets / "labels.txt").exists()
    assert not (assets / "labels_stars.txt").exists()
    assert list(json.loads((assets / "metadata.json").read_text("utf-8"))["heads"]) == ["mood", "topics", "stars"]


def test_a_tagger_says_of_raw_text_what_it_says_of_training_rows(made, tokenizer):
    model, served = made("tags")
    sentences = [("good", "films", "bad", "film", ".", "good"), ("bad",)]  # the first needs two rows
    examples = TaggedExamples(sentences, None, ("O", "B-X", "I-X"), ("1", "2"), "toy")
    rows = tag_inputs(examples, tokenizer=tokenizer, sequence_length=6)
    assert rows.columns["token_ids"].shape == (3, 6)
    expected = rows.words_of(model(rows.columns).numpy().argmax(-1))
    answers = served.call("serving_default", ["good films bad film . good", "bad"])
    for row, sentence in enumerate(sentences):
        count = answers["num_words"][row]
        assert [word.decode() for word in answers["words"][row, :count]] == list(sentence)
        assert [tag.decode() for tag in answers["tags"][row, :count]] == [examples.tag_names[i] for i in expected[row]]
    assert served.signatures == ("serving_default", "words")
    assert {name: values.shape for name, values in served.call("serving_default", [""]).items()} == {
        "words": (1, 0),
        "tags": (1, 0),
        "probabilities": (1, 0),
        "starts": (1, 0),
        "ends": (1, 0),
        "num_words": (1,),
    }


def test_pairs_take_two_texts(made, tokenizer):
    from tfpretune.data.batches.pairs import encode_all_pairs

    model, served = made("pairs")
    pairs = [("good film", "bad bad bad bad"), ("", "film"), ("bad", "")]
    rows = encode_all_pairs(tokenizer, *map(list, zip(*pairs, strict=True)), sequence_length=6)
    answers = served.call("serving_default", pairs)
    np.testing.assert_allclose(answers["scores"], model(rows), atol=1e-5)
    swapped = served.call("serving_default", [pair[::-1] for pair in pairs])["scores"]
    assert np.abs(swapped - answers["scores"]).max() > 1e-3
    assert served.call("embed", pairs)["embedding"].shape == (3, 32)
    rows = predict(served.folder, ["good film", "bad bad bad bad", "", "film"])
    assert [row.label.encode() for row in rows] == answers["label"][:2].tolist()
    with pytest.raises(UsageError, match="takes texts and text_pairs: give 2 inputs for each answer, received 3"):
        predict(served.folder, ["a", "b", "c"])


def test_answers_are_cut_from_the_context_as_it_was_sent(made, tokenizer):
    model, served = made("answers")
    examples = QuestionExamples(
        ["bad", "good film"], ["good  Film bad \u4eca films. bad good", "film"], [(), ()], ["1", "2"], "toy"
    )
    rows = question_inputs(examples, tokenizer=tokenizer, sequence_length=8)
    assert len(rows.example_of) > 2
    outputs = model.target.activate(model({name: rows.columns[name] for name in model.input}))
    answers = served.call("serving_default", list(zip(examples.questions, examples.contexts, strict=True)))
    assert [answer.decode() for answer in answers["answer"]] == rows.answers_of(outputs, examples.contexts)
    for row, context in enumerate(examples.contexts):
        assert context[answers["start"][row] : answers["end"][row]] == answers["answer"][row].decode() != ""
    assert ((answers["score"] > 0) & (answers["score"] <= 1)).all()
    assert served.signatures == ("serving_default",)


def test_numbers_labels_and_vectors(made, tokenizer):
    rows = encoded(tokenizer, ["good", "bad film"])
    model, served = made("stars")
    answers = served.call("serving_default", ["good", "bad film"])
    np.testing.assert_allclose(answers["values"], model(rows) * 1.5 + 3.0, atol=1e-5)
    model, served = made("labels")
    answers = served.call("serving_default", ["good", "bad film"])
    np.testing.assert_allclose(answers["probabilities"], tf.sigmoid(model(rows)), atol=1e-5)
    np.testing.assert_array_equal(answers["fits"], tf.sigmoid(model(rows)) >= 0.4)
    model, served = made("vectors")
    expected = model(rows).numpy()
    expected /= np.linalg.norm(expected, axis=-1, keepdims=True)
    for signature in ("serving_default", "embed"):
        np.testing.assert_allclose(served.call(signature, ["good", "bad film"])["embedding"], expected, atol=1e-5)


def test_each_task_has_a_signature(made, tokenizer):
    model, served = made("tasks")
    assert set(served.signatures) == {"serving_default", "mood", "topics", "stars", "embed"}
    outputs = model(encoded(tokenizer, ["good", "bad film"]))
    everything = served.call("serving_default", ["good", "bad film"])
    mood = served.call("mood", ["good", "bad film"])
    np.testing.assert_allclose(mood["scores"], outputs["mood"], atol=1e-5)
    assert [("sad", "glad")[index].encode() for index in np.argmax(outputs["mood"], -1)] == mood["label"].tolist()
    np.testing.assert_allclose(
        served.call("stars", ["good", "bad film"])["values"], outputs["stars"] * 1.5 + 3, atol=1e-5
    )
    np.testing.assert_allclose(everything["topics_probabilities"], tf.sigmoid(outputs["topics"]), atol=1e-5)
    assert {f"mood_{name}" for name in mood} < set(everything)
    assert len(everything) == 3 + 3 + 1
    records = list(tf.data.TFRecordDataset(str(served.folder / "assets.extra" / WARMUP)).as_numpy_iterator())
    assert [name for name in served.signatures if sum(name.encode() in record for record in records) != 1] == []


def test_a_map_of_classes(made):
    model, served = made("scenes")
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8, 1) * 4
    outputs = model({"images": pixels[np.newaxis] / np.float32(255)}).numpy()
    answers = served.call("serving_default", [tf.io.encode_png(pixels).numpy()])
    assert answers["classes"].dtype == np.int32
    np.testing.assert_array_equal(answers["classes"], outputs.argmax(-1))
    np.testing.assert_allclose(answers["probabilities"], tf.reduce_max(tf.nn.softmax(outputs), -1), atol=1e-5)
    assert served.signatures == ("serving_default",)
    assert served.call("serving_default", [])["classes"].shape == (0, 8, 8)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        (
            "tags",
            ["every word with one of 3 tags", "Tags: `O`, `B-X`, `I-X`.", '.outputs["tags"]', "| `serving_default` |"],
        ),
        (
            "pairs",
            ['{"texts": "some text", "text_pairs": "some text"}', 'request.inputs["text_pairs"]', "Two raw texts"],
        ),
        (
            "answers",
            [
                "Two raw texts (questions, contexts) in",
                "`no_answer`",
                '"questions": "some text", "contexts": "some text"',
            ],
        ),
        ("labels", ["Labels: `a`, `b`, `c`.", "probability at least 0.4"]),
        ("stars", ["`values` float32 `(batch, 1)`, in the units of the training labels", "| `embed` | the same |"]),
        ("vectors", ["`embedding` float32 `(batch, 3)`, of length 1"]),
        (
            "tasks",
            ["Classes of mood: `sad`, `glad`.", "| `topics` | the same |", "`stars_values`", '# or "mood", "topics"'],
        ),
        ("scenes", ["one of 2 classes for each pixel", "`classes` int32 `(batch, 8, 8)`", '.outputs["classes"]']),
    ],
)
def test_the_card_names_inputs_and_answers(made, name, parts):
    card = (made(name)[1].folder / "assets.extra" / "model_card.md").read_text("utf-8")
    for part in parts:
        assert part in card
    assert "{" not in card.split("## Use")[0]
    assert "\n\n\n" not in card


def test_predictions_as_lines(made):
    for name, expected in (("tags", r"good/"), ("tasks", "mood: "), ("vectors", "3 numbers: ")):
        (answer,) = predict(made(name)[1].folder, ["good"])
        assert as_line(answer).startswith(expected)
    (answer,) = predict(made("tasks")[1].folder, ["good"])
    assert [part.split(": ")[0] for part in as_line(answer).split("; ")] == ["mood", "stars", "topics"]
    assert isinstance(answer["stars_values"][0], float)


def test_names_that_do_not_fit(tokenizer, tmp_path):
    def refused(model, message, **settings):
        with pytest.raises(UsageError, match=message):
            export(model, tmp_path, name="x", tokenizer=tokenizer, sequence_length=6, **settings)

    refused(tagger(encoder(), 3), r"\(None, None, 3\), which does not fit 2 class_names", class_names=("O", "B-X"))
    refused(regressor(encoder()), "towards Regression has no classes, received", class_names=("a",))
    refused(multi_head(encoder(), TARGETS), "given by task", class_names=("a",))
    refused(multi_head(encoder(), TARGETS), "does not fit 0 class_names", class_names={"mood": ("sad", "glad")})
    refused(multi_label(encoder(), 3), r"threshold must be in \(0, 1\)", class_names=LABELS, threshold=1.0)
    refused(regressor(encoder()), "class_names by task need a model with several tasks", class_names={"x": ("a",)})
    tasks = {"embed": Classification(2), "b": Regression(column="b")}
    refused(multi_head(encoder(), tasks), "the name of a signature", class_names={"embed": ("sad", "glad")})
    assert list(tmp_path.iterdir()) == []
