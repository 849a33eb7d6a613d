"""Rows with a question, a context and answers, as Hugging Face's `datasets` has SQuAD. Imports no TensorFlow."""

from collections.abc import Mapping
from typing import Any

KEYS = ("question", "context", "answers")


def is_flat(row: Any) -> bool:
    """Returns whether a row is a question with its context."""
    return isinstance(row, Mapping) and all(key in row for key in KEYS)


def as_squad(row: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the question of a row in the form of SQuAD's files: {"text": […], "answer_start": […]} becomes a list of answers.

    A row without an answer is a question that has none. Answers in any other form are left as they are.
    """
    question = {key: value for key, value in row.items() if key not in ("context", "title") and value is not None}
    answers = row.get("answers")
    if (
        isinstance(answers, Mapping)
        and isinstance(answers.get("text"), list)
        and isinstance(answers.get("answer_start"), list)
    ):
        texts, starts = answers["text"], answers["answer_start"]
        if len(texts) == len(starts):
            question["answers"] = [{"text": text, "answer_start": at} for text, at in zip(texts, starts, strict=True)]
    if "is_impossible" not in question and question.get("answers") == []:
        question["is_impossible"] = True
    return question
