"""The tokenizer of a BERT as Hugging Face's Transformers saves it: vocabulary, added tokens, case."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tfpretune.backbones.hugging_face.files import check_size, read_if_there, refuse_pointer
from tfpretune.backbones.hugging_face.tokenizer_json import case_of, require_ends, require_splitting, vocabulary_of
from tfpretune.backbones.notes import note
from tfpretune.backbones.text.bert import BertEncoderTokenizer
from tfpretune.backbones.text.electra import ElectraEncoderTokenizer
from tfpretune.data.text.learner import SPECIAL_TOKENS
from tfpretune.data.text.wordpiece import AddedToken
from tfpretune.errors import RunError, UsageError

KINDS: Mapping[str, type[BertEncoderTokenizer]] = {
    "bert": BertEncoderTokenizer,
    "distilbert": BertEncoderTokenizer,
    "electra": ElectraEncoderTokenizer,
}
"""Kinds of models whose tokenizer this is, and its class beside them in a preset."""
_CLASSES = ("BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer")  # any other one stands in tokenizer.json alone
_LEFT_OUT = {
    "do_basic_tokenize": True,
    "never_split": None,
    "word_tokenizer_type": "basic",
    "subword_tokenizer_type": "wordpiece",
}
_GONE = "\ue000"  # no text holds it after the "bert" rule, so what is called so is never found
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


def read_bert_tokenizer(folder: str, kind: str) -> BertEncoderTokenizer:
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
    name_of_class = str(settings.get("tokenizer_class") or _CLASSES[0]).removesuffix("Fast")
    if name_of_class not in _CLASSES and not whole:
        raise UsageError(
            f"{path}: tokenizer_class {name_of_class} is not known here without a tokenizer.json: "
            f"expected {', '.join(_CLASSES)}"
        )
    for name, usual in _LEFT_OUT.items():
        if settings.get(name, usual) not in (usual, None, []):
            raise UsageError(f"{path}: {name} {settings[name]} is not known here: expected {usual}")
    for said in (read_if_there(place / "special_tokens_map.json"), settings):
        for role, token in _ROLES.items():
            if (found := _text(said.get(role))) not in (None, token):
                raise UsageError(f"{path}: {role} {found} is not known here: expected {token}")
    base = _base(whole, place)
    vocabulary, added = _with_added(base, list(_added(place, settings, whole)), place)
    if whole:
        require_splitting(whole, whole_path)
        require_ends(whole, vocabulary, whole_path)
    check_size(folder, len(vocabulary), vocabulary[-1])
    case: dict[str, Any] = _case(name_of_class in _CLASSES, settings, case_of(whole, whole_path) if whole else {}, path)
    try:
        return KINDS[kind](vocabulary, added_tokens=added, **case)
    except ValueError as error:  # a special token is missing
        where = whole_path if whole else place / "vocab.txt"
        raise RunError(f"{where}: {str(error).splitlines()[0]}") from error


def _base(whole: dict[str, Any], place: Path) -> list[str]:
    lines = place / "vocab.txt"
    if not whole:
        return _vocabulary_of_lines(lines)
    base = vocabulary_of(whole, place / "tokenizer.json")
    if lines.is_file() and _vocabulary_of_lines(lines)[: len(base)] != base:
        note(
            f"{place}: vocab.txt and tokenizer.json give other ids: those of tokenizer.json are taken, as by Transformers"
        )
    return base


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
    tokens = [line.rstrip() for line in lines]
    last = {token: number for number, token in enumerate(tokens)}
    if len(last) < len(tokens):
        note(
            f"{path}: {len(tokens) - len(last)} tokens stand there twice: the last id of each is taken, as by Transformers"
        )
    return [token if token and last[token] == number else f"{_GONE}{number}" for number, token in enumerate(tokens)]


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
        for name in ("additional_special_tokens", "extra_special_tokens"):  # the second is Transformers 5's, or by name
            tokens = source.get(name) or ()
            for token in tokens.values() if isinstance(tokens, dict) else tokens:
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


def _case(named: bool, settings: dict[str, Any], whole: dict[str, Any], path: Path) -> dict[str, bool]:
    """What is done to capitals, accents and Chinese: a class of BERT's takes it from its settings, any other from the whole.

    What the settings do not say is taken from `tokenizer.json`, where the tokenizer was trained.
    """
    said = {
        name: settings[name]
        for name in ("do_lower_case", "strip_accents", "tokenize_chinese_chars")
        if name in settings
    }
    other = {name: value for name, value in said.items() if named and name in whole and whole[name] != value}
    for name, value in other.items():
        note(f"{path}: {name} is {value}, and {whole[name]} in tokenizer.json: {value} is taken, as by Transformers")
    found = whole | (said if named else {})
    lowercase, strip_accents = bool(found.get("do_lower_case", True)), found.get("strip_accents")
    return {
        "lowercase": lowercase,
        "strip_accents": lowercase if strip_accents is None else bool(strip_accents),
        "split_on_cjk": bool(found.get("tokenize_chinese_chars", True)),
    }
