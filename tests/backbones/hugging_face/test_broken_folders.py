"""Folders as they lie about: whatever is wrong with one, it is one line that says what and what to do, never a wrong load."""

import json
import shutil
import struct

import keras_hub
import numpy as np
import pytest
import safetensors.numpy

from tests.backbones.hugging_face.test_folder import CONFIG, write
from tests.backbones.hugging_face.test_tokenizer_json import save_whole
from tfpretune.backbones.by_name import load_backbone, load_tokenizer
from tfpretune.backbones.feeding import read_pixels
from tfpretune.errors import RunError, UsageError

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 4404497\n"
TAKEN = (
    "taken are bert, electra, distilbert, roberta, xlm-roberta, albert for texts and vit, deit, dinov2, swin for images"
)


def remove(*names):
    return lambda folder: [(folder / name).unlink() for name in names]


def put(name, content):
    def change(folder):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    return change


def config(**values):
    return put("config.json", json.dumps(CONFIG | values))


def instead(name, content=b"x"):
    """Other weights than safetensors."""
    return lambda folder: (remove("model.safetensors")(folder), put(name, content)(folder))


def cut(name, size):
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:size])


def flip(name, place):
    def change(folder):
        content = bytearray((folder / name).read_bytes())
        content[place] ^= 0xFF
        (folder / name).write_bytes(bytes(content))

    return change


def only(*names):
    def change(folder):
        for path in folder.iterdir():
            path.unlink()
        for name in names:
            put(name, b"x")(folder)

    return change


def header(folder):
    """A header that claims more bytes than there are."""
    text = json.dumps({"a": {"dtype": "F32", "shape": [99], "data_offsets": [0, 396]}}).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text)


def moved(folder):
    (folder / "inner").mkdir()
    for path in [path for path in folder.iterdir() if path.name != "inner"]:
        path.rename(folder / "inner" / path.name)


def weights(change):
    """Weights that were changed by their names."""

    def write_again(folder):
        held = dict(safetensors.numpy.load_file(folder / "model.safetensors"))
        change(held)
        safetensors.numpy.save_file(held, folder / "model.safetensors")

    return write_again


def widen(held):
    held["embeddings.word_embeddings.weight"] = np.zeros((200, 8), "float32")


MODELS = {  # name: what is done to a whole folder, what its backbone is refused with
    "pointer": (put("model.safetensors", POINTER), "is a pointer of git-lfs, not the file: run git lfs pull"),
    "pointer of the config": (put("config.json", POINTER), "config.json is a pointer of git-lfs"),
    "pointer of the index": (instead("model.safetensors.index.json", POINTER), "index.json is a pointer of git-lfs"),
    "cut weights": (cut("model.safetensors", -100), "model.safetensors is damaged: .*; fetch it again"),
    "cut header": (cut("model.safetensors", 50), "model.safetensors is damaged"),
    "no bytes": (cut("model.safetensors", 0), "model.safetensors is damaged"),
    "flipped header": (flip("model.safetensors", 3), "model.safetensors is damaged"),
    "claims too much": (header, "model.safetensors is damaged"),
    "a page of HTML": (put("model.safetensors", "<!DOCTYPE html><html>"), "model.safetensors is damaged"),
    "other rows": (weights(widen), r"word_embeddings.weight has the shape \(200, 8\): by config.json .* was expected"),
    "other width": (config(hidden_size=16), r"word_embeddings.weight has the shape \(\d+, 8\): .* 16\) was expected"),
    "fewer layers": (config(num_hidden_layers=1), "holds encoder.layer.1.* which a bert as in config.json has not"),
    "more layers": (config(num_hidden_layers=3), "lacks encoder.layer.2"),
    "a layer lost": (
        weights(lambda held: held.pop("encoder.layer.0.output.dense.bias")),
        "lacks encoder.layer.0.output",
    ),
    "no config": (remove("config.json"), "no config.json: model.safetensors|no config.json: .*vocab.txt"),
    "empty config": (put("config.json", ""), "config.json is damaged"),
    "half a config": (put("config.json", '{"model_type": "bert", '), "config.json is damaged"),
    "a list": (put("config.json", "[]"), "config.json is damaged: expected an object"),
    "no kind": (
        put("config.json", '{"hidden_size": 8}'),
        f'names no model: add "model_type": "bert", if it is one; {TAKEN}',
    ),
    "GPT-2": (config(model_type="gpt2", architectures=["GPT2LMHeadModel"]), rf"a gpt2 \(GPT2LMHeadModel\), .* {TAKEN}"),
    "T5": (config(model_type="t5"), f"a t5, which is not read here: {TAKEN}"),
    "ViT": (config(model_type="vit", image_size=32, patch_size=16, qkv_bias=True), "config.json is damaged|lacks"),
    "CLIP": (config(model_type="clip"), "a clip, which is not read here"),
    "a DistilBERT's config": (config(model_type="distilbert"), "n_layers should be a positive integer, found None"),
    "an ALBERT's config": (
        config(model_type="albert", hidden_act="gelu_new", layer_norm_eps=1e-12),
        "is damaged: .*embedding_size",
    ),
    "an unknown function": (config(hidden_act="mish"), "hidden_act mish is not known here: expected one of gelu"),
    "a function of words": (config(hidden_act={"a": 1}), "hidden_act .* is not known here"),
    "relative positions": (
        config(position_embedding_type="relative_key_query"),
        "relative_key_query is not known here",
    ),
    "a decoder": (config(is_decoder=True), "is_decoder is not known here"),
    "heads that do not fit": (config(num_attention_heads=5), "num_attention_heads 5 does not divide hidden_size 8"),
    "no sizes": (put("config.json", '{"model_type": "bert"}'), "vocab_size should be a positive integer, found None"),
    "only PyTorch": (
        instead("pytorch_model.bin"),
        "pytorch_model.bin can hold code and is not read: convert it where PyTorch",
    ),
    "PyTorch in parts": (instead("pytorch_model-00001-of-00002.bin"), "can hold code and is not read"),
    "only TensorFlow": (
        instead("tf_model.h5"),
        "tf_model.h5 holds TensorFlow weights of Transformers: fetch or save model.saf",
    ),
    "only Flax": (instead("flax_model.msgpack"), "flax_model.msgpack holds weights of Flax"),
    "only ONNX": (instead("onnx/model.onnx"), "onnx/model.onnx is an ONNX graph, which cannot be trained on"),
    "only GGUF": (instead("model-q4.gguf"), "model-q4.gguf holds quantized weights for llama.cpp"),
    "a part without index": (instead("model-00001-of-00002.safetensors"), "is one of several files, and their index"),
    "another name": (instead("weights.safetensors"), "weights.safetensors is not read: expected model.safetensors"),
    "only an adapter": (
        only("adapter_config.json", "adapter_model.safetensors"),
        "holds an adapter alone .* merge_and_unload",
    ),
    "a saved model": (only("saved_model.pb"), "an export, which cannot be trained on: give the preset of its run"),
    "Google's BERT": (only("bert_config.json", "bert_model.ckpt.index"), "a BERT as its authors saved it"),
    "one level up": (moved, "no config.json: did you mean .*inner"),
    "empty": (only(), "the folder is empty"),
    "a README": (only("README.md"), "no config.json: it holds README.md, and no model of Hugging Face or KerasHub"),
    "quantized": (config(quantization_config={"bits": 4}), "its weights are quantized: fetch or save them as float32"),
}
TOKENIZERS = {  # the same for its tokenizer
    "no vocabulary": (remove("vocab.txt"), "vocab.txt: No such file or directory, and no tokenizer.json beside it"),
    "pointer": (put("vocab.txt", POINTER), "vocab.txt is a pointer of git-lfs"),
    "pointer of the JSON": (put("tokenizer.json", POINTER), "tokenizer.json is a pointer of git-lfs"),
    "half a JSON": (put("tokenizer.json", '{"model": {'), "tokenizer.json is damaged"),
    "empty JSON": (put("tokenizer.json", "{}"), "vocab.txt|tokenizer.json is damaged"),
    "no text": (put("vocab.txt", b"\xff\xfe\x00"), "vocab.txt is damaged: it is not UTF-8"),
    "too many tokens": (put("vocab.txt", "\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *map(str, range(999))])),
                        r"the tokenizer has 1004 tokens, the last is 998, the model \d+ \(vocab_size"),
    "no special tokens": (put("vocab.txt", "a\nb\nc\n"), "vocab.txt: Cannot find"),
    "sentences": (put("tokenizer_config.json", '{"tokenizer_class": "XLMRobertaTokenizer"}'), "XLMRobertaTokenizer is not"),
    "other specials": (put("special_tokens_map.json", '{"mask_token": "<mask>"}'), "mask_token <mask> is not known here"),
    "added in words": (put("added_tokens.json", '{"<a>": "first"}'), "cannot be read|has the id first"),
    "added twice": (put("added_tokens.json", '{"<a>": 3}'), "the added token <a> has the id 3"),
    "added without text": (put("tokenizer_config.json", '{"added_tokens_decoder": {"5": {}}}'), "'content' is missing"),
}  # fmt: skip


# Keras says so of lists of layers that it does not save; the layers are saved by another way.
pytestmark = pytest.mark.filterwarnings("ignore:Skipping nested container:UserWarning")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "bert"
    write(folder)
    return folder


def refused(folder, read, words_of_it):
    with pytest.raises((UsageError, RunError), match=words_of_it) as refusal:
        read(str(folder))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", MODELS)
def test_a_broken_model_is_one_line(whole, tmp_path, name):
    shutil.copytree(whole, tmp_path / "bert")
    change, words_of_it = MODELS[name]
    change(tmp_path / "bert")
    refused(tmp_path / "bert", load_backbone, words_of_it)


@pytest.mark.parametrize("name", TOKENIZERS)
def test_a_broken_tokenizer_is_one_line(whole, tmp_path, name):
    shutil.copytree(whole, tmp_path / "bert")
    change, words_of_it = TOKENIZERS[name]
    change(tmp_path / "bert")
    if name != "empty JSON":
        refused(tmp_path / "bert", load_tokenizer, words_of_it)
    else:  # says nothing: vocab.txt does
        assert load_tokenizer(str(tmp_path / "bert")).get_vocabulary() == load_tokenizer(str(whole)).get_vocabulary()


def one_line_or_nothing(folder, read):
    error = ""
    try:
        read(str(folder))
    except (UsageError, RunError) as refusal:
        error = str(refusal)
    assert "\n" not in error


@pytest.mark.parametrize("seed", range(4))
def test_flipped_bytes_of_settings_never_end_in_a_traceback(tmp_path, seed):
    """Any byte of config.json, tokenizer_config.json and tokenizer.json: one line, or a load."""
    save_whole(tmp_path / "bert")
    rng = np.random.default_rng(seed)
    for name in ("config.json", "tokenizer_config.json", "tokenizer.json"):
        kept = (tmp_path / "bert" / name).read_bytes()
        read = load_tokenizer if "tokenizer" in name else lambda folder: load_backbone(folder, random_weights=True)
        for place in rng.integers(0, len(kept), 12):
            content = bytearray(kept)
            content[place] = rng.integers(0, 256)
            (tmp_path / "bert" / name).write_bytes(bytes(content))
            one_line_or_nothing(tmp_path / "bert", read)
        (tmp_path / "bert" / name).write_bytes(kept)


def test_a_path_that_is_none_names_the_nearest(whole, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "reviews" / "preset").mkdir(parents=True)
    for read in (load_backbone, load_tokenizer, read_pixels):
        refused("runs/revews/preset", read, "no such folder, .*, did you mean runs/reviews/preset\\?$")
        refused(
            "bert_bas_en", read, "did you mean bert_base_en\\?; from the hub of Hugging Face: hf://OWNER/bert_bas_en$"
        )
        refused("bert-base-uncased", read, "; from the hub of Hugging Face: hf://OWNER/bert-base-uncased$")
        refused("google-bert/bert-base-uncased", read, "hf://google-bert/bert-base-uncased$")
        refused(f"{whole}/model.safetensors", read, "a file: give the folder that holds it")
    (tmp_path / "runs" / "reviews" / "config.json").write_text('{"source": "demo:bbc"}')
    refused("runs/reviews", load_backbone, "the folder of a run: give runs/reviews/preset$")


def test_a_hub_that_cannot_be_reached_is_one_line(monkeypatch):
    import huggingface_hub

    def fail(name, **settings):
        raise huggingface_hub.errors.LocalEntryNotFoundError(f"no {name}\nmore")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    for read in (load_backbone, load_tokenizer, read_pixels):
        refused(
            "hf://a/b",
            read,
            "not fetched from huggingface.co: no a/b; without a network .* hf download a/b --local-dir",
        )


def test_a_name_that_kerashub_cannot_fetch_is_one_line(monkeypatch):
    def fail(*given, **settings):
        raise OSError("HTTPSConnectionPool: no such host\nmore")

    for owner in (keras_hub.models.Backbone, keras_hub.tokenizers.Tokenizer, keras_hub.layers.ImageConverter):
        monkeypatch.setattr(owner, "from_preset", fail)
    for name in ("bert_tiny_en_uncased", "kaggle://keras/bert/keras/a"):
        for read in (load_backbone, load_tokenizer, read_pixels):
            refused(name, read, f"{name}: not fetched: .* no such host; without a network give a folder that holds it$")
    refused("s3://a/b", load_backbone, "no such folder, and no preset that KerasHub knows")


def test_what_the_hub_gives_is_read_as_a_folder(whole, monkeypatch):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **settings: str(whole))
    assert type(load_backbone("hf://a/b")).__name__ == "BertEncoder"
    assert load_tokenizer("hf://a/b")("hello").numpy().tolist() == load_tokenizer(str(whole))("hello").numpy().tolist()


@pytest.fixture(scope="module")
def hub_preset(tmp_path_factory):
    """A preset of KerasHub's, without a manifest."""
    folder = tmp_path_factory.mktemp("hub") / "preset"
    keras_hub.models.BertBackbone(9, 1, 2, 8, 8, max_sequence_length=8).save_to_preset(str(folder))
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "c", "d"]
    keras_hub.tokenizers.BertTokenizer(tokens).save_to_preset(str(folder))
    return folder


@pytest.mark.parametrize(
    ("change", "read", "words_of_it"),
    [
        pytest.param(remove("model.weights.h5"), load_backbone, "no model.weights.h5: copy or save", id="no weights"),
        pytest.param(cut("model.weights.h5", 3000), load_backbone, "damaged: .*: copy or save it again", id="cut"),
        pytest.param(cut("model.weights.h5", 0), load_backbone, "damaged: .*: copy or save it again", id="no bytes"),
        pytest.param(put("model.weights.h5", POINTER), load_backbone, "is a pointer of git-lfs", id="pointer"),
        pytest.param(put("config.json", "{"), load_backbone, "config.json is damaged", id="config"),
        pytest.param(put("config.json", '{"registered_name": "a>B"}'), load_backbone, "cannot be read", id="class"),
        pytest.param(remove("tokenizer.json"), load_tokenizer, "no tokenizer: save it there, too", id="no tokenizer"),
        pytest.param(put("tokenizer.json", "{"), load_tokenizer, "tokenizer.json is damaged|damaged: ", id="tokenizer"),
        pytest.param(
            remove("assets/tokenizer/vocabulary.txt"), load_tokenizer, "damaged: |cannot be read", id="assets"
        ),
    ],
)
def test_a_damaged_preset_without_a_manifest_is_one_line(hub_preset, tmp_path, change, read, words_of_it):
    shutil.copytree(hub_preset, tmp_path / "preset")
    change(tmp_path / "preset")
    refused(tmp_path / "preset", read, words_of_it)


def test_weights_of_another_preset_are_refused(hub_preset, tmp_path):
    shutil.copytree(hub_preset, tmp_path / "preset")
    settings = json.loads((tmp_path / "preset" / "config.json").read_text())
    for name, value in (("num_layers", 2), ("hidden_dim", 16), ("vocabulary_size", 12)):
        changed = settings | {"config": settings["config"] | {name: value}}
        (tmp_path / "preset" / "config.json").write_text(json.dumps(changed))
        refused(tmp_path / "preset", load_backbone, "its weights do not fit its config.json|shape")
