"""A tagger is served on the words of its training file, in five languages, and on words that cannot be seen."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from tests.serving.test_tasks import encoder, spread
from tfpretune.backbones.text.text_encoder import TextEncoder, TextEncoderTokenizer
from tfpretune.data.batches.tagged import tag_inputs
from tfpretune.data.sources.tagged import open_tagged
from tfpretune.data.text.tokens import train_wordpiece
from tfpretune.errors import UsageError
from tfpretune.finetune import regressor, tagger
from tfpretune.serving import export, predict, raw
from tfpretune.serving.heads.tags import GivenTagHead, TagHead
from tfpretune.serving.loading import filled, load

SENTENCES = {
    "Japanese": "彼 は 東京 で \u3000 寿司 を 食べ まし た 。",
    "Chinese": "他 在 北京 大学 学习 １ ９ ９ ８ 年",
    "English": "I do n't know Ada 's U.S. address \U0001f469\u200d\U0001f469\u200d\U0001f467 .",
    "German": "Das kostet 3,50\u00a0Euro in Köln \u200b , geht's ?",
    "Thai": "ผม ไป โรงเรียน \u0e48 ที่ กรุงเทพ",
}
TAGS = ("O", "B-LOC", "I-LOC")
LENGTH = 12


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A CoNLL file of all of them."""
    path = tmp_path_factory.mktemp("words") / "all.conll"
    blocks = [
        "\n".join(f"{word}\t{TAGS[number % 2]}" for number, word in enumerate(text.split(" ")))
        for text in SENTENCES.values()
    ]
    path.write_text("\n\n".join(blocks) + "\n", "utf-8")
    return open_tagged(f"conll:{path}")


@pytest.fixture(scope="module")
def tokenizer(source):
    return TextEncoderTokenizer(train_wordpiece(source.texts(), 400), lowercase=True)


@pytest.fixture(scope="module")
def model(tokenizer):
    return spread(tagger(TextEncoder(tokenizer.vocabulary_size(), 1, num_heads=2, hidden_dim=8, intermediate_dim=4), 3))


def serve(reading, head, model, *sent):
    """What a signature does, without the SavedModel around it."""

    @tf.function(autograph=False, input_signature=[tf.TensorSpec(reading.shape, tf.string)])
    def call(strings):
        rows = reading.rows(reading.clean(strings))
        return head.answers(model(rows.inputs), rows.context)

    found = [call(tf.constant(each, tf.string)) for each in sent]
    return [{name: values.numpy() for name, values in one.items()} for one in found]


def test_every_word_survives(source):
    assert [" ".join(words) for words in source.words] == [text.replace("\u00a0", " ") for text in SENTENCES.values()]
    assert [len(words) for words in source.words] == [len(text.split(" ")) for text in SENTENCES.values()]


@pytest.mark.parametrize("joiner", [" ", ""])
def test_words_get_the_tags_that_the_model_gives_to_training_rows(source, tokenizer, model, joiner):
    examples = dataclasses.replace(source, joiner=joiner)
    rows = tag_inputs(examples, tokenizer=tokenizer, sequence_length=LENGTH)
    inputs = {name: rows.columns[name] for name in model.input}
    expected = rows.words_of(model(inputs).numpy().argmax(-1))
    reading = raw.given_word_preprocessing(tokenizer, LENGTH, joiner)
    sent = filled([text.split(" ") for text in SENTENCES.values()])  # as they stand in the file
    (answers,) = serve(reading, GivenTagHead(model.target, TAGS), model, sent)
    assert answers["tags"].shape == np.shape(sent)
    for row, (words, tags) in enumerate(zip(source.words, expected, strict=True)):
        assert [tag.decode() for tag in answers["tags"][row, : len(words)]] == [TAGS[tag] for tag in tags]
        assert not any(answers["tags"][row, len(words) :])
        assert (answers["probabilities"][row, : len(words)] > 0).all()
        assert not answers["probabilities"][row, len(words) :].any()


def test_raw_text_is_split_otherwise_and_words_are_not(source, tokenizer, model):
    texts = ["彼は東京で\u3000寿司を食べました。", "ผมไปโรงเรียน"]
    (answers,) = serve(raw.word_preprocessing(tokenizer, LENGTH), TagHead(model.target, TAGS), model, texts)
    words = [[word.decode() for word in row if word] for row in answers["words"]]
    assert words[0][-2:] == ["べました", "。"]  # three words of the file
    assert words[1] == ["ผมไปโรงเรียน"]


def test_a_gap_is_a_word_and_what_fills_up_is_none(tokenizer, model):
    reading = raw.given_word_preprocessing(tokenizer, LENGTH, " ")
    head = GivenTagHead(model.target, TAGS)
    sent = [["", "a", "", ""], ["", "", "", ""], ["b", b"\xff\xfe", "\u3000", "\u00a0"]]
    answers, none, nothing = serve(reading, head, model, sent, np.zeros((0, 3), "str"), np.zeros((2, 0), "str"))
    assert [[bool(tag) for tag in row] for row in answers["tags"]] == [
        [True, True, False, False],
        [False] * 4,
        [True] * 4,
    ]
    assert (none["tags"].shape, nothing["tags"].shape) == ((0, 3), (2, 0))


def test_an_export_of_words_alone(tmp_path, model, tokenizer, source):
    facts = {
        "words": {"sentences": 5, "exact": 0.0, "alike": 0.25, "instead": ["べました", "べ まし た"]},
        "source": "all.conll",
    }
    settings = {"tokenizer": tokenizer, "sequence_length": LENGTH, "class_names": TAGS, "metadata": facts}
    folder = export(model, tmp_path, name="words", words_only=True, examples=source.texts(), **settings)
    served = load(folder)
    assert served.signatures == ("serving_default", "words")
    assert served.input_names == ("words",)
    sentences = [list(words) for words in source.words]
    answers = predict(folder, sentences)
    assert [len([tag for tag in answer["tags"] if tag]) for answer in answers] == [len(words) for words in sentences]
    # What a REST client sends: rows of one length, as JSON has them.
    body = json.loads(
        json.dumps({"signature_name": "words", "instances": [{"words": row} for row in filled(sentences)]})
    )
    sent = tf.constant([instance["words"] for instance in body["instances"]])
    found = served.loaded.signatures[body["signature_name"]](words=sent)
    assert found["tags"].numpy().tolist() == [[tag.encode() for tag in answer["tags"]] for answer in answers]
    with pytest.raises(UsageError, match="this tagger takes words as they were split for its training"):
        predict(folder, ["彼は東京で"])
    card = (folder / "assets.extra" / "model_card.md").read_text("utf-8")
    assert "Words in, every word with one of 3 tags" in card
    assert (
        "in 0.0% of its sentences, and into what training has read in 25.0%. So this model takes words alone." in card
    )
    assert "| `words` | `words`: strings `(batch, n)`" in card
    assert "some text" not in card


def test_words_only_is_for_taggers(tmp_path, tokenizer):
    with pytest.raises(UsageError, match="words_only is for taggers, and regressor is none"):
        export(regressor(encoder()), tmp_path, name="x", tokenizer=tokenizer, sequence_length=6, words_only=True)
