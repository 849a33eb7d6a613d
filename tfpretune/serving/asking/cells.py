"""An answer as the values of a row: what a table or an object has of it. Imports no TensorFlow."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tfpretune.serving.asking.lines import tasks_in
from tfpretune.serving.asking.models import Answer

Cells = dict[str, Any]
"""Numbers, texts, lists, and objects of numbers by name."""
DIGITS = 7
"""That a float has: those of float32, whichever way it came."""


def cells_of(answer: Answer, value: Any, class_names: Mapping[str, Sequence[str]]) -> Cells:
    """Returns the values of an answer; those of several tasks with `TASK_` before their names.

    Args:
        answer: of `Model.ask`.
        value: what was asked, of `Row`.
        class_names: of `Model`; where they are not known classes are named by their numbers.
    """
    found: Cells = {}
    for task in tasks_in(answer):
        start = f"{task}_" if task else ""
        own = {name.removeprefix(start): given for name, given in answer.items() if name.startswith(start)}
        found |= {f"{start}{name}": cell for name, cell in _said(own, value, class_names.get(task, ())).items()}
    return found


def _said(answer: Mapping[str, Any], value: Any, names: Sequence[str]) -> Cells:
    if "label" in answer:
        shares = _by_name(answer["probabilities"], names)
        return {
            "label": answer["label"],
            "probability": _rounded(max(answer["probabilities"])),
            "probabilities": shares,
        }
    if "fits" in answer:
        fitting = [label for label, fits in zip(answer["labels"], answer["fits"], strict=True) if fits]
        return {"labels": fitting, "probabilities": _by_name(answer["probabilities"], answer["labels"])}
    if "values" in answer:
        values = _rounded(answer["values"])
        return {"value": values[0]} if len(values) == 1 else {"values": values}
    if "tags" in answer:
        return _tags(answer, value)
    if "answer" in answer:
        there = answer["score"] >= answer["no_answer"]
        found = {name: answer[name] if there else None for name in ("answer", "start", "end")}
        return found | {name: _rounded(answer[name]) for name in ("score", "no_answer")}
    if "classes" in answer:
        return {"pixels": _pixels(answer["classes"], names)}
    return {"embedding": _rounded(answer["embedding"])}


def _pixels(classes: Sequence[Sequence[int]], names: Sequence[str]) -> dict[str, int]:
    """Counts the pixels of each class of a map; -1, where the model saw nothing, is none."""
    counts = Counter(index for row in classes for index in row if index >= 0)
    known = names or [str(number) for number in range(max(counts, default=-1) + 1)]
    return {name: counts[number] for number, name in enumerate(known)}


def _tags(answer: Mapping[str, Any], value: Any) -> Cells:
    """Words, their tags, and the entities that tags in BIO make."""
    if "words" not in answer:  # the words were sent; places count words
        words, number = list(value), len(value)
        places = [(place, place + 1) for place in range(number)]
    else:
        number = answer["num_words"]
        words = answer["words"][:number]
        places = list(zip(answer["starts"][:number], answer["ends"][:number], strict=True))
    tags = answer["tags"][:number]
    entities = [
        {
            "type": kind,
            "text": _text(value, words, first, last, places),
            "start": places[first][0],
            "end": places[last][1],
        }
        for kind, first, last in entities_of(tags)
    ]
    return {
        "words": words,
        "tags": tags,
        "probabilities": _rounded(answer["probabilities"][:number]),
        "entities": entities,
    }


def entities_of(tags: Sequence[str]) -> list[tuple[str, int, int]]:
    """Returns type, first and last word of each entity. An I- that nothing begins begins one, as seqeval and CoNLL read it."""
    found: list[tuple[str, int, int]] = []
    before = ""
    for place, tag in enumerate(tags):
        letter, _, kind = tag.partition("-")
        if letter not in ("B", "I") or not kind:
            before = ""
            continue
        if letter == "I" and kind == before:
            found[-1] = (kind, found[-1][1], place)
        else:
            found.append((kind, place, place))
        before = kind
    return found


def _text(value: Any, words: Sequence[str], first: int, last: int, places: Sequence[tuple[int, int]]) -> str:
    if isinstance(value, tuple):  # the text that was sent
        return str(value[0])[places[first][0] : places[last][1]]
    return " ".join(words[first : last + 1])


def _by_name(shares: Sequence[float], names: Sequence[str]) -> dict[str, float]:
    return dict(zip(names or map(str, range(len(shares))), _rounded(shares), strict=True))


def _rounded(value: Any) -> Any:
    return [_rounded(one) for one in value] if isinstance(value, list) else float(f"{value:.{DIGITS}g}")
