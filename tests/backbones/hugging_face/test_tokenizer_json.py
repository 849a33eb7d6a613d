"""Token ids beside those of Hugging Face's tokenizers, by whatever class, file and option; the rest is refused by name."""

import itertools
import json

import pytest
import tensorflow as tf
import tokenizers
from tokenizers import normalizers, pre_tokenizers, processors

from tests.backbones.hugging_face.test_folder import VOCABULARY, refused, write
from tests.backbones.hugging_face.test_oracle import TEXTS
from tfpretune.backbones.by_name import load_tokenizer
from tfpretune.backbones.notes import note
from tfpretune.data.text.tokens import encode
from tfpretune.errors import RunError, UsageError

MORE = [
    "Hello, WÖRLD! héllo",
    "a[MASK]b [mask] [SEP]",
    "ab<user>12 <User> €uro",
    "你好ab ÉÀ ß ΣΑΣ",
    "a\x00b\u200bc\u00ad",
]
CLASSES = (
    *("BertTokenizer", "BertTokenizerFast", "DistilBertTokenizer", "DistilBertTokenizerFast", "ElectraTokenizer"),
    *("ElectraTokenizerFast", "PreTrainedTokenizerFast", "TokenizersBackend", "MobileBertTokenizer", None),
)


def save_whole(folder, *, vocabulary=VOCABULARY, added=(), **normalizer):
    """A folder as Transformers 5 saves it: tokenizer.json alone, by the library that makes such files. Returns the oracle."""
    write(folder, config={"vocab_size": len(vocabulary) + len(added)})
    ids = {token: number for number, token in enumerate(vocabulary)}
    whole = tokenizers.Tokenizer(tokenizers.models.WordPiece(ids, unk_token="[UNK]"))
    whole.normalizer = normalizers.BertNormalizer(**normalizer)
    whole.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    whole.add_special_tokens([token for token in VOCABULARY[:5] if token in ids])
    whole.add_tokens(list(added))
    ends = [(token, ids[token]) for token in ("[CLS]", "[SEP]") if token in ids]
    whole.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=ends)
    whole.enable_truncation(8)
    whole.enable_padding()
    (folder / "vocab.txt").unlink()
    whole.save(str(folder / "tokenizer.json"))
    whole.no_truncation()
    whole.no_padding()
    return whole


def set_class(folder, name, **settings):
    path = folder / "tokenizer_config.json"
    if name is None:
        path.unlink(missing_ok=True)
    else:
        path.write_text(json.dumps({"tokenizer_class": name} | settings))


def change(folder, **parts):
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | parts))


def same_ids(folder, oracle):
    ours = load_tokenizer(str(folder))
    texts = TEXTS + MORE
    rows = tf.function(lambda given: encode(ours, given, sequence_length=400))(tf.constant(texts))
    lengths = rows["padding_mask"].numpy().sum(axis=1)
    found = [row[:length].tolist() for row, length in zip(rows["token_ids"].numpy(), lengths, strict=True)]
    expected = [oracle.encode(text).ids for text in texts]
    for text, one, other in itertools.zip_longest(texts, found, expected):
        assert one == other, text


def same_tokenizer(one, other):
    return (one.get_vocabulary(), one.get_config() | {"name": ""}) == (
        other.get_vocabulary(),
        other.get_config() | {"name": ""},
    )


@pytest.mark.parametrize(("lowercase", "strip_accents"), [(True, None), (False, None), (True, False), (False, True)])
def test_case_and_accents_alone_in_tokenizer_json(tmp_path, lowercase, strip_accents):
    oracle = save_whole(tmp_path / "bert", lowercase=lowercase, strip_accents=strip_accents)
    set_class(tmp_path / "bert", "TokenizersBackend")
    same_ids(tmp_path / "bert", oracle)


def test_every_class_reads_tokenizer_json(tmp_path):
    oracle = save_whole(tmp_path / "bert", added=["<user>", "12"], lowercase=False, handle_chinese_chars=False)
    found = []
    for name in CLASSES:
        set_class(tmp_path / "bert", name)
        found.append(load_tokenizer(str(tmp_path / "bert")))
    assert all(same_tokenizer(one, found[0]) for one in found)
    texts = ["ab<user>12 <User> Hello hello", "a你好b É"]
    assert found[0](texts) == [oracle.encode(text, add_special_tokens=False).ids for text in texts]


def test_sequences_and_other_spellings_of_the_same(tmp_path):
    folder = tmp_path / "bert"
    save_whole(folder, lowercase=True)
    set_class(folder, "PreTrainedTokenizerFast")
    normalizer = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "lowercase": False}
    change(
        folder,
        normalizer={"type": "Sequence", "normalizers": [normalizer | {"strip_accents": True}]},
        pre_tokenizer={"type": "Sequence", "pretokenizers": [{"type": "BertPreTokenizer"}]},
        post_processor={"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
    )
    oracle = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    oracle.no_truncation()
    oracle.no_padding()
    same_ids(folder, oracle)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"normalizer": None}, "normalizer none is not known here"),
        (
            {"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "Lowercase"}]}},
            "NFD and Lowercase",
        ),
        ({"normalizer": {"type": "BertNormalizer", "clean_text": False}}, "clean_text false"),
        ({"pre_tokenizer": {"type": "Whitespace"}}, "pre_tokenizer Whitespace is not known here"),
        ({"pre_tokenizer": None}, "pre_tokenizer none is not known here"),
        ({"post_processor": {"type": "RobertaProcessing"}}, "post_processor RobertaProcessing is not known here"),
        (
            {"post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 7], "cls": ["[CLS]", 2]}},
            r"gives \[SEP\] the id",
        ),
        (
            {"post_processor": {"type": "BertProcessing", "sep": ["[PAD]", 0], "cls": ["[CLS]", 2]}},
            r"\[CLS\] A \[PAD\]",
        ),
        ({"model": {"type": "Unigram", "vocab": []}}, "a model of type Unigram: expected WordPiece"),
        ({"model": {"type": "BPE", "vocab": {}, "merges": []}}, "a model of type BPE"),
        (
            {"model": {"type": "WordPiece", "vocab": {"a": 0}, "max_input_chars_per_word": 50}},
            "max_input_chars_per_word 50",
        ),
        ({"model": {"type": "WordPiece", "vocab": {"a": 0}, "continuing_subword_prefix": "@@"}}, "subword_prefix @@"),
        ({"model": {"type": "WordPiece", "vocab": {"a": 0}, "unk_token": "<unk>"}}, "unk_token <unk>"),
        ({"added_tokens": [{"id": 5, "content": "hello", "single_word": True}]}, "'hello' with single_word"),
    ],
    ids=lambda value: value.replace("\\", "") if isinstance(value, str) else "",
)
def test_what_is_not_honoured_is_refused_by_name(tmp_path, parts, message):
    save_whole(tmp_path / "bert")
    for name in ("BertTokenizerFast", "TokenizersBackend"):
        set_class(tmp_path / "bert", name)
        change(tmp_path / "bert", **parts)
        refused(tmp_path / "bert", UsageError, message, load_tokenizer)


@pytest.mark.parametrize(
    "parts",
    [{"model": 3}, {"model": {"vocab": {"a": "b"}}}, {"normalizer": 3}, {"post_processor": {"type": "BertProcessing"}}],
)
def test_a_damaged_part_is_refused(tmp_path, parts):
    save_whole(tmp_path / "bert")
    change(tmp_path / "bert", **parts)
    refused(tmp_path / "bert", RunError, "tokenizer.json is damaged", load_tokenizer)


def test_slow_and_fast_give_the_same_ids(tmp_path):
    """The slow class reads vocab.txt and its settings, the fast one tokenizer.json."""
    oracle = save_whole(tmp_path / "fast", lowercase=True)
    set_class(tmp_path / "fast", "BertTokenizerFast", do_lower_case=True)
    write(tmp_path / "slow")
    same_ids(tmp_path / "slow", oracle)
    assert same_tokenizer(*(load_tokenizer(str(tmp_path / name)) for name in ("fast", "slow")))


def test_tokens_that_stand_twice_have_their_last_id(tmp_path):
    twice = [*VOCABULARY[:-1], "hello"]
    write(tmp_path / "bert")
    (tmp_path / "bert" / "vocab.txt").write_text("\n".join(twice), "utf-8")
    oracle = tokenizers.BertWordPieceTokenizer(str(tmp_path / "bert" / "vocab.txt"))
    found = load_tokenizer(str(tmp_path / "bert"))(["hello world"])
    assert found == [oracle.encode("hello world", add_special_tokens=False).ids] == [[len(VOCABULARY) - 1, 8]]


def test_what_is_said_once(tmp_path, capsys):
    note.cache_clear()
    save_whole(tmp_path / "bert", lowercase=False)
    write(tmp_path / "other")
    (tmp_path / "bert" / "vocab.txt").write_text("\n".join([*VOCABULARY[:5], *reversed(VOCABULARY[5:])]), "utf-8")
    set_class(tmp_path / "bert", "BertTokenizer", do_lower_case=True)
    config = json.loads((tmp_path / "bert" / "config.json").read_text())
    (tmp_path / "bert" / "config.json").write_text(json.dumps(config | {"vocab_size": len(VOCABULARY) + 3}))
    for _ in range(2):
        load_tokenizer(str(tmp_path / "bert"))
    printed = capsys.readouterr().out
    assert printed.count("vocab.txt and tokenizer.json give other ids: those of tokenizer.json are taken") == 1
    assert printed.count("do_lower_case is True, and False in tokenizer.json: True is taken") == 1
    assert printed.count(f"the tokenizer has {len(VOCABULARY)} tokens, the model {len(VOCABULARY) + 3}") == 1


def test_a_slow_class_of_another_language_is_refused(tmp_path):
    write(tmp_path / "bert", tokenizer={"tokenizer_class": "BertJapaneseTokenizer"})
    refused(tmp_path / "bert", UsageError, "BertJapaneseTokenizer is not known here", load_tokenizer)
    write(tmp_path / "bert", tokenizer={"do_basic_tokenize": False})
    refused(tmp_path / "bert", UsageError, "do_basic_tokenize False is not known here", load_tokenizer)
