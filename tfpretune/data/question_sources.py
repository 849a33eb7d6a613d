"""open_questions: questions with answers from SQuAD files and demos. Imports no TensorFlow."""

import json
from collections.abc import Iterator
from typing import Any

from tfpretune.config import RunError, UsageError
from tfpretune.data.demo import read_demo
from tfpretune.data.questions import Answer, QuestionExamples, QuestionRows
from tfpretune.data.rows import Problem, find_files, read_utf8

FORM = 'expected {"data": [{"title": …, "paragraphs": [{"context": …, "qas": [{"question": …, "answers": […]}]}]}]}'


def open_questions(spec: str) -> QuestionExamples:
    """Opens a source of questions and checks all of it.

    Args:
        spec: `squad:GLOB`, JSON files in the form of SQuAD 1.1 or 2.0 (questions marked `is_impossible` have no answer), or
            `demo:people-daily-qa`.

    Raises:
        UsageError: there is no such source, or no question in it.
        RunError: at the first bad place in it.
    """
    rows = read_questions(spec)
    if rows.problems:
        raise RunError(f"{rows.problems[0]}; for all problems run: tfpretune check {spec}")
    return rows.examples(spec)


def read_questions(spec: str) -> QuestionRows:
    """Reads a source with all its problems.

    Raises:
        UsageError: there is no such source.
    """
    scheme, _, rest = spec.partition(":")
    if scheme == "demo" and rest:
        found: QuestionRows = read_demo(rest, kind="questions")
        return found
    if scheme != "squad" or not rest:
        raise UsageError(f"{spec!r} is no source of questions: expected squad:FILES or demo:people-daily-qa")
    rows = QuestionRows()
    for path in find_files(rest, scheme):
        text, problems = read_utf8(path)
        rows.problems += problems
        if problems:
            continue
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            reason = f"{error.msg} in line {error.lineno}" if isinstance(error, json.JSONDecodeError) else str(error)
            rows.problems.append(Problem(path, f"not JSON ({reason})", "give a file of SQuAD's form"))
            continue
        _add_file(rows, data, path)
    return rows


def _add_file(rows: QuestionRows, data: Any, path: str) -> None:
    try:
        for number, (title, context, question) in enumerate(_questions(data)):
            where = f"{path}:{question.get('id', number)}"
            before = len(rows.questions)
            answers = [] if question.get("is_impossible") else question.get("answers", [])
            found = [Answer(answer["text"], int(answer["answer_start"])) for answer in answers]
            rows.add(question["question"], context, found, where)
            if len(rows.questions) > before:
                rows.groups.append(title or context)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        what = f"not of SQuAD's form ({type(error).__name__}: {error})"
        rows.problems.append(Problem(path, what, FORM))


def _questions(data: Any) -> Iterator[tuple[str, str, Any]]:
    for article in data["data"]:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                yield str(article.get("title", "")), paragraph["context"], question
