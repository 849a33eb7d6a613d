"""Answers of a served model as lines for people, and what it can be asked to try it out. Imports no TensorFlow."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfpretune.serving.loading import ASSETS, WORDS

MOST_LETTERS = 80
_SHOWN = 4


def as_line(answer: Mapping[str, Any]) -> str:
    """Returns one line of what `client.predict` gives for a model that is not a classifier.

    Args:
        answer: the answers by their names; those of several tasks have the task's name before theirs.
    """
    prefixes = tasks_in(answer)
    if "" in prefixes:
        return _said(answer)
    return "; ".join(
        f"{task}: {_said({name[len(task) + 1 :]: answer[name] for name in answer if name.startswith(task + '_')})}"
        for task in prefixes
    )


def tasks_in(answer: Mapping[str, Any]) -> list[str]:
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
        words = answer.get("words", [""] * len(answer["tags"]))  # of words that were sent the tags alone come back
        shown = " ".join(
            f"{word}/{tag}" if word else tag for word, tag in zip(words, answer["tags"], strict=True) if tag
        )
        return shown or "no words"
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


def example_inputs(folder: Path) -> list[str]:
    """Returns an input for `tfpretune predict`, of a model of pairs two: a text that is stored with the export, or a name.

    Before those of a tagger that takes words alone stands `-w`.

    Args:
        folder: saved_models/NAME/VERSION.

    Examples:
        >>> from pathlib import Path
        >>> from tfpretune.serving import example_inputs
        >>> example_inputs(Path("saved_models/digits/1"))  # of images the place of a file of one's own
        ['IMAGE.png']
    """
    settings, checks = (
        json.loads((folder / ASSETS / name).read_text("utf-8")) for name in ("preprocessing.json", "checks.json")
    )
    names, first = settings["inputs"], checks["inputs"][0]
    if settings["kind"] != "text":
        return ["IMAGE.png"] * len(names)
    if names == [WORDS]:
        return ["-w", _short(" ".join(first))]
    stored = [first] if len(names) == 1 else [first.get(name, {}) for name in names]
    return [_short(one.get("text") if isinstance(one, dict) else one) for one in stored]


def _short(text: object) -> str:
    """A text that fits into a line, cut between words; "some text" in place of none."""
    words = " ".join(text.split()) if isinstance(text, str) and text.isprintable() else ""
    cut = (
        words[:MOST_LETTERS].rpartition(" ")[0] if len(words) > MOST_LETTERS and " " in words[:MOST_LETTERS] else words
    )
    return cut[:MOST_LETTERS] if cut and not cut.startswith("-") else "some text"
