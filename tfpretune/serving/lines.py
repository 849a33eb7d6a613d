"""Answers of a served model as lines for people. Imports no TensorFlow."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

_SHOWN = 4


def as_line(answer: Mapping[str, Any]) -> str:
    """Returns one line of what `client.predict` gives for a model that is not a classifier.

    Args:
        answer: the answers by their names; those of several tasks have the task's name before theirs.
    """
    prefixes = _tasks(answer)
    if "" in prefixes:
        return _said(answer)
    return "; ".join(
        f"{task}: {_said({name[len(task) + 1 :]: answer[name] for name in answer if name.startswith(task + '_')})}"
        for task in prefixes
    )


def _tasks(answer: Mapping[str, Any]) -> list[str]:
    """Returns the tasks in an answer, or [""] where it has one."""
    firsts = ("label", "fits", "values", "tags", "classes", "answer", "embedding")
    if any(name in answer for name in firsts):
        return [""]
    return sorted(name[: -len(first) - 1] for name in answer for first in firsts if name.endswith(f"_{first}"))


def _said(answer: Mapping[str, Any]) -> str:
    if "label" in answer:
        return f"{answer['label']} {max(answer['probabilities']):.1%}"
    if "fits" in answer:
        rows = zip(answer["labels"], answer["probabilities"], answer["fits"], strict=True)
        return ", ".join(f"{label} {share:.1%}" for label, share, fits in rows if fits) or "no label fits"
    if "values" in answer:
        return " ".join(f"{value:g}" for value in answer["values"])
    if "tags" in answer:
        words = " ".join(f"{word}/{tag}" for word, tag in zip(answer["words"], answer["tags"], strict=True) if word)
        return words or "no words"
    if "answer" in answer:
        place = f"characters {answer['start']} to {answer['end']}, {answer['score']:.1%}"
        return f"{answer['answer']!r} ({place})" if answer["score"] >= answer["no_answer"] else "no answer"
    if "classes" in answer:
        return _shares(answer["classes"])
    return f"{len(answer['embedding'])} numbers: {' '.join(f'{x:.3f}' for x in answer['embedding'][:_SHOWN])} …"


def _shares(classes: list[list[int]]) -> str:
    counts = Counter(index for row in classes for index in row)
    total = sum(counts.values())
    shares = ", ".join(f"class {index} {count / total:.1%}" for index, count in counts.most_common())
    return f"{len(classes)} x {len(classes[0])} pixels: {shares}"
