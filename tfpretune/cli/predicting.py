"""The command `tfpretune predict`: a few inputs as lines for people, or all rows of a source into a file."""

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tfpretune.errors import RunError, UsageError
from tfpretune.runtime.quiet import start_tensorflow

if TYPE_CHECKING:
    from tfpretune.serving.asking.models import Model
    from tfpretune.serving.asking.sources import Row, SentForm


def add_options(predict: argparse.ArgumentParser) -> None:
    """Adds the options of `predict`."""
    predict.add_argument(
        "dir", metavar="DIR", help="saved_models/NAME, a version of it, or http://HOST:8501/v1/models/NAME"
    )
    predict.add_argument(
        "inputs", metavar="INPUT", nargs="*", help="texts, or paths of images; two an answer for pairs"
    )
    predict.add_argument(
        "-w", "--words", action="store_true", help="each text is words of a tagger, with blanks between"
    )
    predict.add_argument(
        "--json", action="store_true", help="print a JSON list of objects: each input with its answers"
    )
    predict.add_argument(
        "--source",
        default="",
        help="ask for all rows of a source (as of a fine-tuning; csv:-, jsonl:-, text:- and conll:- are standard input)",
    )
    predict.add_argument(
        "--out", default="", help="write the answers to this .csv or .jsonl, row by row (default: JSON lines, printed)"
    )
    predict.add_argument("--batch-size", type=int, default=32, help="rows of a request (default: 32)")
    there = predict.add_mutually_exclusive_group()
    there.add_argument("--resume", action="store_true", help="go on behind the whole rows of --out")
    there.add_argument("--overwrite", action="store_true", help="begin --out anew")
    predict.add_argument(
        "--keep", metavar="COLUMN", nargs="+", default=(), help="columns of the source that go beside the answers"
    )
    predict.add_argument(
        "--text-column",
        nargs="+",
        default=("text",),
        help="column with the texts (default: text, of questions question)",
    )
    predict.add_argument(
        "--pair-column", default="", help="column with the second texts (default: text_pair, of questions context)"
    )
    predict.add_argument("--image-column", default="", help="column with the paths of images")
    predict.add_argument("--delimiter", default="", help="csv: what separates the columns: a character, or tab")
    predict.add_argument("--encoding", default="", help="encoding of files of text, such as gb18030 (default: UTF-8)")
    predict.add_argument("--word-column", type=int, default=0, help="conll: number of the words' column (default: 0)")


def predict(settings: argparse.Namespace) -> int:
    """Prints the answer to each input, or writes those to a source."""
    _require_inputs(settings)
    from tfpretune.serving.asking.models import is_address
    from tfpretune.serving.loading import version_folder

    if not is_address(settings.dir):  # a server's answers need no TensorFlow here
        version_folder(settings.dir)
        start_tensorflow()
        _warn(settings)
    return _predict_many(settings) if settings.source or settings.out else _print_answers(settings)


def _require_inputs(settings: argparse.Namespace) -> None:
    if bool(settings.inputs) == bool(settings.source):
        both = "both are given" if settings.source else "none is given"
        raise UsageError(f"predict takes inputs or --source, and {both}")
    if settings.json and (settings.source or settings.out):
        raise UsageError("--json is for a few inputs: --out results.jsonl, or --source without --out, gives JSON lines")
    if (settings.resume or settings.overwrite) and not settings.out:
        raise UsageError("--resume and --overwrite need --out")
    if settings.batch_size < 1:
        raise UsageError(f"--batch-size must be at least 1, received {settings.batch_size}")


def _predict_many(settings: argparse.Namespace) -> int:
    """Returns 1 if no row could be answered."""
    from tfpretune.serving.asking.many import predict_many

    try:
        done = predict_many(
            settings.dir,
            lambda model: _rows(settings, model),
            settings.out,
            batch_size=settings.batch_size,
            overwrite=settings.overwrite,
            resume=settings.resume,
        )
    except (KeyboardInterrupt, RunError):
        if settings.out:
            print(f"{settings.out} holds whole rows: the same command with --resume goes on", file=sys.stderr)
        raise
    print(done, file=sys.stdout if settings.out else sys.stderr)
    if done.rows and done.errors == done.rows:
        raise RunError(f"none of {done.rows:,} rows could be answered")
    return 0


def _rows(settings: argparse.Namespace, model: "Model") -> "Iterator[Row]":
    from tfpretune.serving.asking.sources import input_rows, rows_of

    if not settings.source:
        return input_rows(settings.inputs, model, words=settings.words)
    return rows_of(_sent(settings), model)


def _sent(settings: argparse.Namespace) -> "SentForm":
    from tfpretune.data.readers.source_form import SourceForm
    from tfpretune.serving.asking.sources import SentForm

    options = {field.name for field in dataclasses.fields(SourceForm)} & vars(settings).keys()
    texts = {"text_column": tuple(settings.text_column)}
    form = SourceForm(**{name: getattr(settings, name) for name in options} | texts)
    return SentForm(settings.source, form, tuple(settings.keep), settings.words, settings.word_column)


def _warn(settings: argparse.Namespace) -> None:
    """Says where a tagger's words may be others in raw text; a server does not tell."""
    from tfpretune.serving.card.words import raw_text_warning
    from tfpretune.serving.loading import read_object, version_folder

    if settings.words or settings.source.startswith("conll:"):
        return
    training = read_object(version_folder(settings.dir), "metadata.json").get("training")
    if line := raw_text_warning(training or {}):
        print(f"warning: {line}", file=sys.stderr)


def _print_answers(settings: argparse.Namespace) -> int:
    from tfpretune.serving import client
    from tfpretune.serving.asking import lines

    asked: Sequence[Any] = [text.split() for text in settings.inputs] if settings.words else settings.inputs
    answers: list[Any] = list(client.predict(settings.dir, asked))
    size = len(settings.inputs) // max(1, len(answers))  # a model of pairs takes two inputs for each answer
    groups = [settings.inputs[start : start + size] for start in range(0, len(settings.inputs), max(1, size))]
    if settings.json:
        print(json.dumps([_as_object(*row) for row in zip(groups, answers, strict=True)], ensure_ascii=False, indent=1))
        return 0
    width = max((len(answer.label) for answer in answers if isinstance(answer, client.Prediction)), default=0)
    for inputs, answer in zip(groups, answers, strict=True):
        shown = " | ".join(" ".join(text.split())[:200] for text in inputs)
        if isinstance(answer, client.Prediction):
            print(f"{answer.label:<{width}}  {answer.probability:6.1%}  {shown}")
        else:
            print(f"{shown}\n  {lines.as_line(answer)}")
    return 0


def _as_object(inputs: list[str], answer: Any) -> dict[str, Any]:
    given = {"input": inputs[0]} if len(inputs) == 1 else {"inputs": inputs}
    return given | (answer if isinstance(answer, dict) else answer._asdict())
