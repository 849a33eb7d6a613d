"""The tokenizer of a BERT as Hugging Face's Transformers saves it: vocabulary, added tokens, case."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tfpretune.backbones.hugging_face.files import check_size, read_if_there, refuse_pointer
from tfpretune.backbones.text.bert import BertEncoderTokenizer
from tfpretune.data.text.learner import SPECIAL_TOKENS
from tfpretune.data.text.wordpiece import AddedToken
from tfpretune.errors import RunError, UsageError

KINDS = ("bert", "distilbert")
"""Kinds of models whose tokenizer this is."""
_CLASSES = ("BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer")
_PLAIN = "PreTrainedTokenizer"  # its settings stand in tokenizer.json alone
_ROLES = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}


class _Added(NamedTuple):
    """A token that was added, with the id that the file gives it; None: the next one."""

    content: str
    id: int | None
    normalized: bool


def read_bert_tokenizer(folder: str) -> BertEncoderTokenizer:
    """Builds the tokenizer that Transformers builds: same ids for same texts, added and special tokens in texts included.

    The vocabulary is that of `tokenizer.json` or, without one, of `vocab.txt`; added tokens stand in `tokenizer.json`,
    `tokenizer_config.json` or `added_tokens.json`. Without `tokenizer_config.json`: as for an uncased BERT.

    Raises:
        UsageError: a file is missing, it is no WordPiece tokenizer of BERT, or it has more tokens than the model.
        RunError: a file is damaged.
    """
    place = Path(folder)
    path, whole_path = place / "tokenizer_config.json", place / "tokenizer.json"
    settings, whole = read_if_there(path), read_if_there(whole_path)
    kind = str(settings.get("tokenizer_class") or _CLASSES[0]).removesuffix("Fast")
    if kind not in (*_CLASSES, _PLAIN) or (kind == _PLAIN and not whole):
        raise UsageError(f"{path}: tokenizer_class {kind} is not known here: expected {', '.join(_CLASSES)}")
    for role, token in _ROLES.items():
        if (found := _text(settings.get(role))) not in (None, token):
            raise UsageError(f"{path}: {role} {found} is not known here: expected {token}")
    base = _vocabulary_of_json(whole, whole_path) if whole else _vocabulary_of_lines(place / "vocab.txt")
    vocabulary, added = _with_added(base, list(_added(place, settings, whole)), place)
    check_size(folder, len(vocabulary), vocabulary[-1])
    case: dict[str, Any] = _case(whole, whole_path) if kind == _PLAIN else _case_of_config(settings)
    try:
        return BertEncoderTokenizer(vocabulary, added_tokens=added, **case)
    except ValueError as error:  # a special token is missing
        where = whole_path if whole else place / "vocab.txt"
        raise RunError(f"{where}: {str(error).splitlines()[0]}") from error


def _text(token: Any) -> str | None:
    return token.get("content") if isinstance(token, Mapping) else token


def _vocabulary_of_lines(path: Path) -> list[str]:
    refuse_pointer(path)
    try:
        lines = path.read_text("utf-8").removesuffix("\n").split("\n")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}, and no tokenizer.json beside it") from None
    except UnicodeDecodeError:
        raise RunError(f"{path} is damaged: it is not UTF-8") from None
    return [line.rstrip() for line in lines]


def _vocabulary_of_json(whole: dict[str, Any], path: Path) -> list[str]:
    model = whole.get("model")
    if not isinstance(model, dict) or model.get("type", "WordPiece") != "WordPiece":
        what = model.get("type") if isinstance(model, dict) else None
        raise UsageError(f"{path} holds a model of type {what}: expected WordPiece, as of a BERT")
    expected = {"unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100}
    for name, value in expected.items():
        if model.get(name, value) != value:
            raise UsageError(f"{path}: {name} {model[name]} is not known here: expected {value}")
    vocabulary = model.get("vocab")
    if not isinstance(vocabulary, dict) or sorted(vocabulary.values()) != list(range(len(vocabulary))):
        raise RunError(f"{path} is damaged: the ids of its vocabulary are not 0, 1, 2, …")
    return sorted(vocabulary, key=vocabulary.__getitem__)


def _added(folder: Path, settings: dict[str, Any], whole: dict[str, Any]) -> Iterator[_Added]:
    """Yields what Transformers takes out of texts, as it looks for it: the newest of the files that say it."""
    entries = whole.get("added_tokens")
    if not isinstance(entries, list):
        decoder = settings.get("added_tokens_decoder")
        entries = [{"id": int(key)} | value for key, value in decoder.items()] if isinstance(decoder, dict) else None
    if entries is None:
        for content, number in sorted(read_if_there(folder / "added_tokens.json").items(), key=lambda pair: pair[1]):
            yield _Added(content, number, content not in SPECIAL_TOKENS)
    for entry in entries or ():
        if entry.get("single_word"):
            raise UsageError(f"{folder}: added token {entry['content']!r} with single_word is not known here")
        yield _Added(entry["content"], entry["id"], bool(entry.get("normalized", not entry.get("special"))))
    for source in (settings, read_if_there(folder / "special_tokens_map.json")):
        for token in source.get("additional_special_tokens") or ():
            yield _Added(str(_text(token)), None, False)
    yield from (_Added(token, None, False) for token in SPECIAL_TOKENS)


def _with_added(base: list[str], added: list[_Added], folder: Path) -> tuple[list[str], list[AddedToken]]:
    """Puts added tokens behind the vocabulary, and refuses ids that Transformers would change without a word."""
    ids, found = {token: number for number, token in enumerate(base)}, dict[str, AddedToken]()
    for content, number, normalized in sorted(added, key=lambda token: len(base) if token.id is None else token.id):
        if content not in ids and content in SPECIAL_TOKENS:
            continue  # a missing one is named by the tokenizer itself
        expected = ids.setdefault(content, len(ids))
        if number not in (None, expected):
            raise UsageError(
                f"{folder}: the added token {content} has the id {number}, where {expected} is its place: save the tokenizer "
                "again with Transformers"
            )
        found.setdefault(content, AddedToken(content, normalized))
    return list(ids), list(found.values())


def _case_of_config(settings: dict[str, Any]) -> dict[str, bool]:
    lowercase, strip_accents = bool(settings.get("do_lower_case", True)), settings.get("strip_accents")
    return {
        "lowercase": lowercase,
        "strip_accents": lowercase if strip_accents is None else bool(strip_accents),
        "split_on_cjk": bool(settings.get("tokenize_chinese_chars", True)),
    }


def _case(whole: dict[str, Any], path: Path) -> dict[str, bool]:
    normalizer, splitter = whole.get("normalizer") or {}, whole.get("pre_tokenizer") or {}
    if (normalizer.get("type"), splitter.get("type")) != ("BertNormalizer", "BertPreTokenizer"):
        raise UsageError(
            f"{path}: normalizer {normalizer.get('type')} with pre_tokenizer {splitter.get('type')} is not known here: "
            "expected BertNormalizer and BertPreTokenizer"
        )
    if not normalizer.get("clean_text", True):
        raise UsageError(f"{path}: clean_text false is not known here")
    return _case_of_config(
        {
            "do_lower_case": normalizer.get("lowercase", True),
            "strip_accents": normalizer.get("strip_accents"),
            "tokenize_chinese_chars": normalizer.get("handle_chinese_chars", True),
        }
    )
