"""A RoBERTa's tokenizer beside that of Hugging Face's tokenizers."""

import json

import pytest
import tensorflow as tf
import tokenizers
from tokenizers import models, pre_tokenizers, processors, trainers

from tests.backbones.hugging_face.test_folder import refused
from tests.backbones.hugging_face.test_oracle import TEXTS
from tfpretune.backbones.by_name import load_tokenizer
from tfpretune.errors import RunError, UsageError

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
MORE = ["Hello  world  and   more\n\nlines", " lead", "trail ", "it's I'LL we'd", "a<mask>b <mask> c </s>"]


@pytest.fixture(scope="module")
def oracle():
    whole = tokenizers.Tokenizer(models.BPE())
    whole.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=500, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    whole.train_from_iterator(TEXTS * 3, trainer)
    whole.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return whole


@pytest.fixture
def folder(oracle, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "roberta", "vocab_size": 500}))
    oracle.save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def test_ids_are_those_of_tokenizers(oracle, folder):
    tokenizer = load_tokenizer(str(folder))
    texts = [*TEXTS, *MORE[1:]]  # outside of a graph KerasHub takes several spaces otherwise
    assert tokenizer(texts) == [oracle.encode(text, add_special_tokens=False).ids for text in texts]
    assert (tokenizer.start_token_id, tokenizer.end_token_id, tokenizer.mask_token_id) == (0, 2, 4)


def test_ids_in_a_graph_are_those_of_tokenizers(oracle, folder):
    tokenizer = load_tokenizer(str(folder))
    texts = [text[:40] for text in TEXTS + MORE if "\x00" not in text]  # at which KerasHub's ends
    found = tf.function(lambda given: tokenizer(given))(tf.constant(texts)).to_list()
    assert found == [oracle.encode(text, add_special_tokens=False).ids for text in texts]


def test_files_of_before_give_the_same(oracle, folder):
    whole = load_tokenizer(str(folder)).get_vocabulary()
    model = json.loads((folder / "tokenizer.json").read_text())["model"]
    (folder / "tokenizer.json").unlink()
    refused(folder, UsageError, "vocab.json is missing, and no tokenizer.json beside it", load_tokenizer)
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *map(" ".join, model["merges"])]), "utf-8")
    assert load_tokenizer(str(folder)).get_vocabulary() == whole


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"model": {"type": "WordPiece"}}, "model WordPiece is not known here: expected a RoBERTa's"),
        ({"normalizer": {"type": "NFC"}}, "normalizer NFC is not known here"),
        ({"pre_tokenizer": {"type": "Whitespace"}}, "pre_tokenizer Whitespace is not known here"),
        ({"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True}}, "add_prefix_space True is not known here"),
        ({"added_tokens": [{"id": 7, "content": "<user>"}]}, "the added token <user> is not known here"),
    ],
)
def test_options_are_refused_by_name(folder, parts, message):
    whole = json.loads((folder / "tokenizer.json").read_text())
    (folder / "tokenizer.json").write_text(json.dumps(whole | parts))
    refused(folder, UsageError, message, load_tokenizer)


def test_a_damaged_one_and_one_of_another_model(folder):
    whole = json.loads((folder / "tokenizer.json").read_text())
    (folder / "tokenizer.json").write_text(json.dumps(whole | {"model": {"type": "BPE"}}))
    refused(folder, RunError, "tokenizer.json is damaged: it holds no vocabulary and merges", load_tokenizer)
    (folder / "tokenizer.json").write_text(json.dumps(whole))
    (folder / "config.json").write_text(json.dumps({"model_type": "roberta", "vocab_size": 400}))
    refused(folder, UsageError, "the tokenizer has 500 tokens, .*, the model 400", load_tokenizer)
