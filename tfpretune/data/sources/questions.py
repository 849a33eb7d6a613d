"""open_questions: questions with answers from SQuAD files and demos. Imports no TensorFlow."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from tfpretune.data.demo.catalogue import read_demo
from tfpretune.data.examples.questions import QuestionExamples
from tfpretune.data.readers.question_records import Answer, QuestionRecords
from tfpretune.data.readers.records import Problem, Records, find_files, read_utf8
from tfpretune.data.readers.source_form import require_encoding
from tfpretune.data.readers.tables.objects import read_objects
from tfpretune.data.readers.tables.parquet import open_parquet, parquet_rows
from tfpretune.data.readers.tables.questions import KEYS, as_squad, is_flat
from tfpretune.data.sources.naming import full_name
from tfpretune.data.sources.schemes import parquet_files
from tfpretune.data.text.cleaning import text_key
from tfpretune.errors import RunError, UsageError
from tfpretune.runtime.phases import phase

FORM = 'expected {"data": [{"title": …, "paragraphs": [{"context": …, "qas": [{"question": …, "answers": […]}]}]}]}'


@phase("reading the questions")
def open_questions(spec: str, *, encoding: str = "") -> QuestionExamples:
    """Opens a source of questions and checks all of it.

    Args:
        spec: `squad:GLOB`, JSON files in the form of SQuAD 1.1 or 2.0 (questions marked `is_impossible` have no answer);
            `jsonl:GLOB` or `parquet:GLOB`, rows as Hugging Face's `datasets` has them: question, context and answers,
            {"text": […], "answer_start": […]}; or `demo:people-daily-qa`.
        encoding: how files of text are encoded, such as "gb18030"; "" is UTF-8.

    Returns:
        One example a question.

    Raises:
        UsageError: there is no such source, or no question in it.
        RunError: at the first bad place in it.

    Examples:
        >>> import json
        >>> from pathlib import Path
        >>> from tfpretune.data import open_questions
        >>> asked = {"id": "1", "question": "Where is she?", "answers": [{"text": "Paris", "answer_start": 10}]}
        >>> paragraph = {"context": "She is in Paris.", "qas": [asked]}
        >>> _ = Path("asked.json").write_text(json.dumps({"data": [{"title": "She", "paragraphs": [paragraph]}]}))
        >>> examples = open_questions("squad:asked.json")
        >>> examples, examples.answer_texts
        (<QuestionExamples of squad:asked.json: 1 questions, 1 with an answer>, [['Paris']])
    """
    rows = read_questions(spec, encoding=encoding)
    add_spec_problems(rows, spec)
    if rows.problems:
        raise RunError(f"{rows.problems[0]}; for all problems run: tfpretune check {spec}")
    if not rows.questions:
        raise UsageError(f"{spec}: there are no questions: nothing to learn from")
    return QuestionExamples(
        rows.questions, rows.contexts, rows.answers, rows.where, spec, rows.license, rows.groups or None, rows.in_order
    )


def add_spec_problems(rows: QuestionRecords, spec: str) -> None:
    """Notes that no question has an answer, and questions on one context that have one here and none there."""
    if rows.questions and not any(rows.answers):
        todo = "give questions with answers, too: there is nothing to learn to find"
        rows.problems.append(Problem(spec, f"none of {len(rows.questions):,} questions has an answer", todo))
    first: dict[bytes, int] = {}
    for row, (question, context) in enumerate(zip(rows.questions, rows.contexts, strict=True)):
        before = first.setdefault(text_key(question) + text_key(context), row)
        if bool(rows.answers[before]) != bool(rows.answers[row]):
            has = ("an answer", "none") if rows.answers[row] else ("no answer", "one")
            what = f"the question has {has[0]}, and the same question on the same context at {rows.where[before]} has {has[1]}"
            rows.problems.append(Problem(rows.where[row], what, "correct one or remove both"))


def read_questions(spec: str, *, encoding: str = "", answers: bool = True) -> QuestionRecords:
    """Reads a source with all its problems.

    Args:
        spec: as for `open_questions`.
        encoding: of the files.
        answers: the questions of a squad file have answers, or say that they have none. Without, none is asked for or read.

    Raises:
        UsageError: there is no such source.
    """
    require_encoding(encoding)
    scheme, _, rest = full_name(spec, json="squad").partition(":")
    if scheme == "demo" and rest:
        found: QuestionRecords = read_demo(rest, kind="questions")
        return found
    if scheme not in ("squad", "json", "jsonl", "parquet") or not rest:
        raise UsageError(
            f"{spec!r} is not a source of questions: expected squad:FILES, jsonl:FILES, parquet:FILES or demo:people-daily-qa"
        )
    rows, notes = QuestionRecords(with_answers=answers), Records("text")  # these note what is no JSON
    if scheme == "parquet":
        for path in parquet_files(rest):
            if (file := open_parquet(notes, path)) is not None:
                _add_rows(rows, parquet_rows(file, path))
    elif scheme != "squad":
        _add_rows(rows, read_objects(notes, find_files(rest, scheme), "question", encoding=encoding))
    for path in find_files(rest, scheme) if scheme == "squad" else ():
        text, problems = read_utf8(path, encoding)
        rows.problems += problems
        if problems:
            continue
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            if "Extra data" in str(error):  # a question a line
                _add_rows(rows, read_objects(notes, [path], "question", encoding=encoding))
                continue
            reason = f"{error.msg} in line {error.lineno}" if isinstance(error, json.JSONDecodeError) else str(error)
            rows.problems.append(Problem(path, f"not JSON ({reason})", "give a file of SQuAD's form"))
            continue
        if isinstance(data, list) and any(map(is_flat, data)):
            _add_rows(rows, ((f"{path}[{number}]", row) for number, row in enumerate(data)))
        else:
            _add_file(rows, data, path)
    rows.problems = [*notes.problems, *rows.problems]
    return rows


def _add_rows(rows: QuestionRecords, table: Iterable[tuple[str, Any]]) -> None:
    """Adds the question of each (place, row) of a table."""
    for where, row in table:
        if not is_flat(row):
            has = f"the keys are: {', '.join(row)}" if isinstance(row, dict) else f"it is {_shown(row)}"
            todo = "give each row a question, a context and answers"
            rows.problems.append(Problem(where, f"not {', '.join(KEYS)} ({has})", todo))
            continue
        _add_question(rows, str(row.get("title") or ""), row["context"], as_squad(row), where)


def _add_file(rows: QuestionRecords, data: Any, path: str) -> None:
    try:
        questions = list(_questions(data))
    except (KeyError, TypeError, AttributeError) as error:
        what = f"not of SQuAD's form ({type(error).__name__}: {error})"
        rows.problems.append(Problem(path, what, FORM))
        return
    for number, (title, context, question) in enumerate(questions):
        _add_question(rows, title, context, question, f"{path}:{question.get('id', number)}")


def _add_question(rows: QuestionRecords, title: str, context: Any, question: dict[str, Any], where: str) -> None:
    fault = _fault(question, context, rows.with_answers)
    if fault:
        rows.problems.append(Problem(where, *fault))
        return
    before = len(rows.questions)
    given = question.get("answers", []) if rows.with_answers else []
    found = [Answer(answer["text"], answer["answer_start"]) for answer in given]
    rows.add(question["question"], context, found, where)
    if len(rows.questions) > before:
        rows.groups.append(title or context)


def _fault(question: dict[str, Any], context: Any, with_answers: bool) -> tuple[str, str] | None:
    """Says what is wrong with the form of a question, and what to do; None where nothing is."""
    for key, value in (("question", question.get("question")), ("context", context)):
        if not isinstance(value, str):
            return f"no text under {key!r} (the question's keys are: {', '.join(question)})", f"write {key!r} as a text"
    if not with_answers:
        return None
    none = question.get("is_impossible", False)
    if not isinstance(none, bool):
        return f"'is_impossible' is {_shown(none)}, which is neither true nor false", "write it as true or false"
    answers = question.get("answers")
    if answers is None and not none:
        found = f"there are no 'answers' (the keys are: {', '.join(question)})"
        return found, "name them 'answers'; a question without one has \"is_impossible\": true"
    if answers is not None and not (isinstance(answers, list) and all(map(_is_answer, answers))):
        return f"'answers' is {_shown(answers)}", 'write a list such as [{"text": "Bob", "answer_start": 34}]'
    if none and answers:
        return f"'is_impossible' is true, and there is an answer, {_shown(answers[0]['text'])}", "drop one of the two"
    if not none and not answers:
        return (
            "there is no answer, and 'is_impossible' is not true",
            'give it an answer, or mark it "is_impossible": true',
        )
    return None


def _is_answer(answer: Any) -> bool:
    return isinstance(answer, dict) and isinstance(answer.get("text"), str) and type(answer.get("answer_start")) is int


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:60]


def _questions(data: Any) -> Iterator[tuple[str, str, Any]]:
    for article in data["data"]:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                question.keys()  # an object, or the file is of another form
                yield str(article.get("title", "")), paragraph["context"], question
