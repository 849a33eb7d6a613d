"""The tokenizer of a RoBERTa by its `tokenizer.json`, as Transformers 5 saves it; without one KerasHub reads its own files."""

from pathlib import Path
from typing import Any

import keras_hub

from tfpretune.backbones.hugging_face.files import check_size, read_json, refuse_pointer
from tfpretune.errors import RunError, UsageError

_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
_EXPECTED = "expected a RoBERTa's byte-level BPE"


def read_roberta_tokenizer(folder: str) -> keras_hub.tokenizers.RobertaTokenizer:
    """Builds KerasHub's tokenizer from `tokenizer.json` or, without one, from `vocab.json` and `merges.txt`.

    Raises:
        UsageError: a file is missing, an option is not known here, or there are more tokens than the model has.
        RunError: a file is damaged.
    """
    path = Path(folder) / "tokenizer.json"
    if path.is_file():
        vocabulary, merges = _parts(read_json(path), path)
        tokenizer = keras_hub.tokenizers.RobertaTokenizer(vocabulary, merges)
    else:
        files = [Path(folder) / name for name in ("vocab.json", "merges.txt")]
        for file in files:
            refuse_pointer(file)
            if not file.is_file():
                raise UsageError(f"{file} is missing, and no tokenizer.json beside it: fetch one of them")
        tokenizer = keras_hub.tokenizers.RobertaTokenizer(*map(str, files))
    size = tokenizer.vocabulary_size()
    check_size(folder, size, str(tokenizer.id_to_token(size - 1)))
    return tokenizer


def _parts(whole: dict[str, Any], path: Path) -> tuple[dict[str, int], list[str]]:
    model, splitter, ends = (whole.get(name) or {} for name in ("model", "pre_tokenizer", "post_processor"))
    found = {
        "model": model.get("type", "BPE"),
        "normalizer": (whole.get("normalizer") or {}).get("type"),
        "pre_tokenizer": splitter.get("type"),
        "add_prefix_space": splitter.get("add_prefix_space", False),
        "post_processor": ends.get("type"),
        "dropout": model.get("dropout"),
        "continuing_subword_prefix": model.get("continuing_subword_prefix") or None,
        "end_of_word_suffix": model.get("end_of_word_suffix") or None,
    }
    for name, known in (
        ("model", ("BPE",)),
        ("normalizer", (None,)),
        ("pre_tokenizer", ("ByteLevel",)),
        ("add_prefix_space", (False,)),
        ("post_processor", ("RobertaProcessing", "TemplateProcessing")),
        ("dropout", (None,)),
        ("continuing_subword_prefix", (None,)),
        ("end_of_word_suffix", (None,)),
    ):
        if found[name] not in known:
            raise UsageError(f"{path}: {name} {found[name]} is not known here: {_EXPECTED}")
    for entry in whole.get("added_tokens") or ():
        if entry["content"] not in _SPECIAL:
            raise UsageError(
                f"{path}: the added token {entry['content']} is not known here: they are read for BERT only"
            )
    vocabulary, merges = model.get("vocab"), model.get("merges")
    if not isinstance(vocabulary, dict) or not isinstance(merges, list):
        raise RunError(f"{path} is damaged: it holds no vocabulary and merges")
    added = {entry["content"]: entry["id"] for entry in whole.get("added_tokens") or ()}
    return vocabulary | added, [pair if isinstance(pair, str) else " ".join(pair) for pair in merges]
