"""Features and token ids beside those of Transformers, for a tiny BERT and for the packaged one: `make oracle`."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tests.backbones.hugging_face.test_folder import needs_minilm, write
from tfpretune.backbones.by_name import load_backbone, load_tokenizer
from tfpretune.backbones.hugging_face.folder import packaged_folder
from tfpretune.data.text.tokens import encode

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.filterwarnings("ignore"),  # of libraries that are in no other test
]
TEXTS = [
    "The quick brown fox jumped over the lazy dog.",
    "Crème brûlée, naïve façade; Ångström İstanbul Łódź Ελλάδα ΟΔΥΣΣΕΥΣ Straße Привет Ёлка",
    "e\u0301 a\u030a\u0323 ﬁne ½ ² Ⅷ ＡＢＣ１２３ ǅ",
    "你好，世界！中文 mixed 混合text𠀀\uf900",
    "日本語のテキスト、カタカナ 한국어 텍스트",
    "🤣 emoji 👩‍👩‍👧 flags 🇫🇷 ❤️ plain :-)",
    "x" * 100 + " " + "y" * 101 + " " + "антидисэстеблишментарианизм" * 3,
    "ภาษาไทยไม่มีช่องว่างระหว่างคำ العربية بدون تشكيل عَرَبِيّ עברית हिन्दी",
    "zero\u200bwidth soft\u00adhyphen bell\x07 null\x00 tab\there line\nbreak\r\n vertical\x0btab",
    "\ufeffmark \ufffd next\x85line",
    "no\u00a0break thin\u2009space ideographic\u3000space line\u2028separator private\ue000use",
    "$100 + 5% = <b>~tilde~</b> | `code` ^ caret € £ ¥ © ™ ≠ – — “quotes” ‘single’ … ¿qué?",
    "http://example.com/a_b?c=d&e=f user@example.com don't can't U.S.A. 3.14 1,000,000",
    "[[CLS] ] ##ing un##known -- --- ...",
    "",
    "   ",
]


@pytest.fixture(params=["tiny", "tiny tanh", pytest.param("minilm", marks=needs_minilm)])
def folder(request, tmp_path):
    if request.param == "minilm":
        return packaged_folder("demo:minilm")
    write(tmp_path / "bert", config={"hidden_act": "gelu_new"} if "tanh" in request.param else None)
    return str(tmp_path / "bert")


def test_features_equal_those_of_transformers(folder):
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    theirs = transformers.BertModel.from_pretrained(folder).eval()
    rng, length = np.random.default_rng(0), min(64, theirs.config.max_position_embeddings)
    mask = (np.arange(length) < np.array([[length], [length // 2], [1]])).astype("int32")
    token_ids = rng.integers(1, theirs.config.vocab_size, mask.shape).astype("int32") * mask
    segment_ids = rng.integers(0, 2, mask.shape).astype("int32") * mask
    with torch.no_grad():
        inputs = {"input_ids": token_ids, "token_type_ids": segment_ids, "attention_mask": mask}
        expected = theirs(**{name: torch.tensor(value).long() for name, value in inputs.items()})
    inputs = {"token_ids": token_ids, "segment_ids": segment_ids, "padding_mask": mask}
    found = load_backbone(folder)({name: tf.constant(value) for name, value in inputs.items()})
    hidden, pooled = expected.last_hidden_state.numpy(), expected.pooler_output.numpy()
    np.testing.assert_allclose(found["sequence_output"].numpy()[mask == 1], hidden[mask == 1], atol=1e-5)
    np.testing.assert_allclose(found["pooled_output"].numpy(), pooled, atol=1e-5)


@pytest.mark.parametrize("case", [None, {"do_lower_case": False}, {"strip_accents": False}])
def test_token_ids_equal_those_of_transformers(folder, case, tmp_path):
    transformers = pytest.importorskip("transformers")
    if case is not None:
        if folder != str(tmp_path / "bert"):
            pytest.skip("the packaged tokenizer has one setting")
        write(tmp_path / "bert", tokenizer=case)
    theirs, ours = transformers.BertTokenizer.from_pretrained(folder), load_tokenizer(folder)
    expected = theirs(TEXTS)["input_ids"]
    rows = tf.function(lambda texts: encode(ours, texts, sequence_length=400))(tf.constant(TEXTS))
    lengths = rows["padding_mask"].numpy().sum(axis=1)
    found = [row[:length].tolist() for row, length in zip(rows["token_ids"].numpy(), lengths, strict=True)]
    for text, one, other in itertools.zip_longest(TEXTS, found, expected):
        assert one == other, text


@needs_minilm
def test_news_have_the_same_token_ids():
    transformers = pytest.importorskip("transformers")
    from tfpretune.data.sources.examples import open_source

    folder = packaged_folder("demo:minilm")
    texts = list(open_source("demo:bbc").inputs)[::20]
    expected = transformers.BertTokenizer.from_pretrained(folder)(texts)["input_ids"]
    tokenizer = load_tokenizer(folder)
    found = tf.function(lambda texts: tokenizer(texts))(tf.constant(texts)).to_list()
    assert found == [ids[1:-1] for ids in expected]
