"""A WordPiece tokenizer by its `tokenizer.json`: each option is honoured, or refused by its name."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tfpretune.backbones.notes import note
from tfpretune.errors import RunError, UsageError

_FIXED = {"unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100}
_ENDS = ["[CLS]", "A", "[SEP]"]


def vocabulary_of(whole: dict[str, Any], path: Path) -> list[str]:
    """Returns the tokens of its model by id.

    Raises:
        UsageError: another model than WordPiece, or one with settings that are not known here.
        RunError: the vocabulary is damaged.
    """
    model = whole.get("model")
    if not isinstance(model, dict):
        raise RunError(f"{path} is damaged: it holds no model")
    vocabulary = model.get("vocab")
    # files of before 2020 name no type: WordPiece alone has such a prefix
    kind = model.get("type", "WordPiece" if isinstance(vocabulary, dict) and "merges" not in model else "BPE")
    if kind != "WordPiece":
        raise UsageError(f"{path} holds a model of type {kind}: expected WordPiece, as of a BERT")
    for name, value in _FIXED.items():
        if model.get(name, value) != value:
            raise UsageError(f"{path}: {name} {model[name]} is not known here: expected {value}")
    vocabulary = vocabulary if isinstance(vocabulary, dict) else {}
    ids = list(vocabulary.values())
    if not ids or not all(type(number) is int for number in ids) or sorted(ids) != list(range(len(ids))):
        raise RunError(f"{path} is damaged: the ids of its vocabulary are not 0, 1, 2, …")
    return [token for token, _ in sorted(vocabulary.items(), key=lambda pair: pair[1])]


def require_splitting(whole: dict[str, Any], path: Path) -> None:
    """Refuses what splits texts otherwise than BERT.

    Raises:
        UsageError: names the part.
    """
    splitter = _steps(whole.get("pre_tokenizer"), "pretokenizers", path)
    if [step.get("type") for step in splitter] != ["BertPreTokenizer"]:
        raise UsageError(f"{path}: pre_tokenizer {_names(splitter)} is not known here: expected BertPreTokenizer")
    for step in normalizers(whole, path):
        if step.get("type") != "BertNormalizer":
            raise UsageError(
                f"{path}: normalizer {_names(normalizers(whole, path))} is not known here: expected BertNormalizer"
            )
        if not step.get("clean_text", True):
            raise UsageError(f"{path}: clean_text false is not known here")
    if len(normalizers(whole, path)) != 1:
        raise UsageError(f"{path}: normalizer none is not known here: expected one BertNormalizer")


def case_of(whole: dict[str, Any], path: Path) -> dict[str, Any]:
    """Returns what its normalizer says, by the names of `tokenizer_config.json`; empty without a BertNormalizer."""
    for step in normalizers(whole, path):
        if step.get("type") == "BertNormalizer":
            return {
                "do_lower_case": step.get("lowercase", True),
                "strip_accents": step.get("strip_accents"),
                "tokenize_chinese_chars": step.get("handle_chinese_chars", True),
            }
    return {}


def normalizers(whole: dict[str, Any], path: Path) -> list[dict[str, Any]]:
    """Returns its normalizers one by one, those of sequences, too."""
    return _steps(whole.get("normalizer"), "normalizers", path)


def require_ends(whole: dict[str, Any], vocabulary: list[str], path: Path) -> None:
    """Refuses other tokens around a text than [CLS] and [SEP], or other ids of them.

    Raises:
        UsageError: says what was expected.
        RunError: the part is damaged.
    """
    parts = _steps(whole.get("post_processor"), "processors", path)
    if not parts:
        note(f"{path} puts nothing around a text: here [CLS] and [SEP] are, as a BERT needs them")
    for part in parts:
        if part.get("type") not in _READ:
            raise UsageError(
                f"{path}: post_processor {part.get('type')} is not known here: expected [CLS] and [SEP] of a BERT"
            )
        try:
            found, ids = _READ[part["type"]](part)
        except (KeyError, TypeError, IndexError, ValueError, AttributeError):
            raise RunError(f"{path} is damaged: its post_processor is not as one is written") from None
        if found != _ENDS:
            raise UsageError(f"{path}: post_processor {' '.join(found)} is not known here: expected [CLS] $A [SEP]")
        for token in ("[CLS]", "[SEP]"):
            if token in vocabulary and ids.get(token) != [vocabulary.index(token)]:
                raise UsageError(
                    f"{path}: post_processor gives {token} the id {ids.get(token)}, its vocabulary "
                    f"{vocabulary.index(token)}: save the tokenizer again with Transformers"
                )


def _template(part: dict[str, Any]) -> tuple[list[str], dict[str, list[int]]]:
    pieces = [piece["SpecialToken"] if "SpecialToken" in piece else piece["Sequence"] for piece in part["single"]]
    return [piece["id"] for piece in pieces], {token: entry["ids"] for token, entry in part["special_tokens"].items()}


def _bert_ends(part: dict[str, Any]) -> tuple[list[str], dict[str, list[int]]]:
    (cls, cls_id), (sep, sep_id) = part["cls"], part["sep"]
    return [cls, "A", sep], {cls: [cls_id], sep: [sep_id]}


_READ = {"TemplateProcessing": _template, "BertProcessing": _bert_ends}
"""Type of a post-processor -> what it puts around a text, and the ids of that."""


def _steps(part: Any, inner: str, path: Path) -> list[dict[str, Any]]:
    return list(_flat(part, inner, path))


def _flat(part: Any, inner: str, path: Path) -> Iterator[dict[str, Any]]:
    if part is None:
        return
    if not isinstance(part, dict) or not isinstance(part.get(inner, []), list):
        raise RunError(f"{path} is damaged: its {inner} are not as they are written")
    if part.get("type") != "Sequence":
        yield part
        return
    for step in part.get(inner, []):
        yield from _flat(step, inner, path)


def _names(steps: list[dict[str, Any]]) -> str:
    return " and ".join(str(step.get("type")) for step in steps) or "none"
