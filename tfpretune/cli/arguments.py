"""The command `tfpretune`. TensorFlow is imported inside the commands that need it, so that `--help` answers at once.

argparse rather than tyro: tyro prints boxes of several lines and knows no nearest name for a misspelt command.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from tfpretune.cli import commands, predicting
from tfpretune.cli.recipes import nearest
from tfpretune.errors import RunError, UsageError
from tfpretune.runtime.phases import phases_shown
from tfpretune.settings.launch import with_options
from tfpretune.settings.renamed import modern_arguments

SOURCES = (
    "demo:NAME, tfds:NAME, csv:FILES, jsonl:FILES, parquet:FILES, text:FILES (one example per line), text:FOLDER (one class "
    "per subfolder), images:FOLDER (one class per subfolder, or its folders images and masks), conll:FILES (words with tags), "
    "squad:FILES (questions with contexts); a path alone is what its ending says"
)


class _Parser(argparse.ArgumentParser):
    """Raises instead of printing the usage, so that a mistake costs one line."""

    def error(self, message: str) -> NoReturn:
        """Raises UsageError."""
        raise UsageError(f"{self.prog}: {message}; see {self.prog} --help")


def main(argv: Sequence[str] | None = None, *, recipes: Path | None = None) -> int:
    """Runs one command.

    Args:
        argv: the arguments; the process's own by default.
        recipes: the folder with the recipes; found beside the package by default.

    Returns:
        0 done, 1 failed, 2 wrong usage, 130 stopped by Ctrl-C. `--help` and recipes may raise SystemExit instead.

    Examples:
        >>> from tfpretune.cli import main
        >>> main(["check", "demo:digits"])
        demo:digits: 1,797 usable examples, 1,797 different
          0 ...
        no problems
        0
    """
    args = list(sys.argv[1:] if argv is None else argv)
    options: Sequence[str] = ()
    try:
        with_recipe = {"run": commands.run, "check-replicas": commands.check_replicas}.get(args[0] if args else "")
        if with_recipe and len(args) > 1 and args[1] not in ("-h", "--help"):
            return with_recipe(args[1], args[2:], recipes)
        settings = _parse(args)
        settings.recipes, options = recipes, settings.options
        with phases_shown():
            code = settings.call(settings)
        sys.stdout.flush()  # a closed pipe shows here and not at the end of the process
        return code
    except UsageError as error:
        print(f"error: {with_options(str(error), options)}", file=sys.stderr)
        return 2
    except RunError as error:
        print(f"failed: {with_options(str(error), options)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `tfpretune ls | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if args[:1] == ["run"]:
            raise
        print(f"failed: {error}", file=sys.stderr)
        return 1


def _parse(args: list[str]) -> argparse.Namespace:
    parser, known = _parser()
    if not args:
        parser.print_help()
        raise SystemExit(2)
    if not args[0].startswith("-") and args[0] not in known:
        raise UsageError(f"no command {args[0]!r}{nearest(args[0], list(known))}; see tfpretune --help")
    if args[0] in known:
        args = modern_arguments(args, list(known[args[0]]._option_string_actions))
    settings, unknown = parser.parse_known_args(args)
    if unknown:
        options = list(known[args[0]]._option_string_actions) if args[0] in known else []
        raise UsageError(f"tfpretune {args[0]}: no option {unknown[0]}{nearest(unknown[0].split('=')[0], options)}")
    settings.options = list(known[args[0]]._option_string_actions)
    return settings


def _parser() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    parser = _Parser(
        prog="tfpretune",
        description="Pre-train on unlabelled data, fine-tune on few labels, export for TensorFlow Serving.",
        epilog="tfpretune COMMAND --help says more. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 stopped.",
        allow_abbrev=False,
    )
    group = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    known: dict[str, argparse.ArgumentParser] = {}

    def add(name: str, call: Callable[[argparse.Namespace], int] | None, what: str) -> argparse.ArgumentParser:
        known[name] = group.add_parser(name, help=what, description=what, allow_abbrev=False)
        known[name].set_defaults(call=call)
        return known[name]

    add("ls", commands.ls, "List the recipes: what each is for, and its command.")
    cp = add("cp", commands.cp, "Copy a recipe to edit it.")
    cp.add_argument("recipe", metavar="RECIPE", help="a name from `tfpretune ls`")
    cp.add_argument(
        "dest", metavar="DEST", nargs="?", default=".", help="a .py file or a folder (default: this folder)"
    )
    cp.add_argument("--force", action="store_true", help="overwrite DEST")
    run = add("run", None, "Run a recipe; all that follows its name goes to the recipe.")
    run.add_argument("recipe", metavar="RECIPE", help="a name from `tfpretune ls`, or the path of a .py file")
    run.add_argument("options", metavar="…", nargs="*", help="the recipe's own options, --help among them")
    replicas = add(
        "check-replicas", None, "Train the first steps of a recipe on 1 and on 2 replicas, and compare them."
    )
    replicas.add_argument("recipe", metavar="RECIPE", help="a name from `tfpretune ls`, or the path of a .py file")
    replicas.add_argument("options", metavar="…", nargs="*", help="the recipe's own options")
    check = add("check", commands.check, "Go over all of a data source and name every bad file, line and label.")
    _add_check_options(check)
    predicting.add_options(
        add("predict", predicting.predict, "Ask an exported model: a few inputs, or all rows of a source.")
    )
    export = add("export", commands.export, "Export a fine-tuned run as a SavedModel.")
    export.add_argument("run_dir", metavar="RUN_DIR", help="the --out-dir of a fine-tuning run")
    export.add_argument("--name", default="", help="name of the model (default: the folder's name)")
    export.add_argument("--saved-models", default="saved_models", help="where models lie (default: saved_models)")
    export.add_argument("--version", type=int, help="version (default: one more than the newest)")
    verify = add(
        "verify", commands.verify, "Ask an exported model again, in a process without Keras, and compare the answers."
    )
    verify.add_argument("dir", metavar="DIR", help="saved_models/NAME, or one version of it")
    board = add("board", commands.board, "Open TensorBoard on this machine only.")
    board.add_argument("runs", metavar="RUNS", help="a run's folder, or one with several")
    board.add_argument("--port", type=int, default=6006, help="port, 0 takes a free one (default: 6006)")
    return parser, known


def _add_split_options(check: argparse.ArgumentParser) -> None:
    check.add_argument(
        "--split-column", default="split", help="column with train, val, test; '' reads none (default: split)"
    )
    check.add_argument(
        "--group-column", default="", help="column with groups that are never on two sides, such as patients"
    )
    check.add_argument(
        "--blank-labels",
        choices=("unlabelled", "empty-set"),
        default="",
        help="what a blank label is where labels are sets (a blank class or number is always an unlabelled row)",
    )
    check.add_argument("--validation-source", metavar="SOURCE2", default="", help="a run's own validation set")
    check.add_argument("--test-source", metavar="SOURCE2", default="", help="a run's own test set")
    check.add_argument(
        "--fractions",
        type=float,
        nargs=3,
        default=(0.8, 0.1, 0.1),
        help="of train, validation, test (default: 0.8 0.1 0.1)",
    )


def _add_check_options(check: argparse.ArgumentParser) -> None:
    check.add_argument("source", metavar="SOURCE", help=SOURCES)
    check.add_argument("--against", metavar="SOURCE2", default="", help="a test set that must share no example with it")
    check.add_argument(
        "--text-column", nargs="+", default=("text",), help="column with the texts, several are joined (default: text)"
    )
    check.add_argument("--label-column", default="label", help="column with the labels (default: label)")
    check.add_argument(
        "--label-kind",
        choices=("single", "multi-label", "regression"),
        default="",
        help="what a label is: one class, a set of classes, a number (default: what the source says, of files a class)",
    )
    check.add_argument("--label-separator", default=";", help="between the classes of a set in csv files (default: ;)")
    check.add_argument(
        "--labels-as-written",
        action="store_true",
        help="each spelling is a class of its own, such as NA, -1 alongside 0 1 2, Sport and sport",
    )
    check.add_argument(
        "--may-lack", action="store_true", help="rows may lack a label, as those of one task of several may"
    )
    check.add_argument(
        "--mask-orientation",
        choices=("auto", "stored", "upright"),
        default="auto",
        help="what masks of photos that are stored turned (Exif) are drawn on, where no size tells",
    )
    check.add_argument(
        "--mask-values", type=int, nargs="+", default=(), help="the numbers in masks that are classes, in their order"
    )
    check.add_argument("--pair-column", default="", help="column with the second texts, where examples are pairs")
    check.add_argument("--image-column", default="", help="column with the paths of images, in the place of texts")
    check.add_argument("--delimiter", default="", help="csv: what separates the columns: a character, or tab")
    check.add_argument("--encoding", default="", help="encoding of files of text, such as gb18030 (default: UTF-8)")
    check.add_argument("--image-folder", default="", help="where these paths begin (default: the folder of the table)")
    _add_split_options(check)
    check.add_argument("--word-column", type=int, default=0, help="conll: number of the words' column (default: 0)")
    check.add_argument(
        "--tag-column", type=int, default=-1, help="conll: the same for the tags (default: -1, the last)"
    )
    check.add_argument("--words-key", default="tokens", help="jsonl, parquet: key of the words (default: tokens)")
    check.add_argument(
        "--tags-key", default="tags", help="jsonl, parquet: key of the tags (default: tags, or ner_tags)"
    )
    check.add_argument("--tag-names", nargs="+", default=(), help="names of tags that are numbers, in their order")
    check.add_argument("--repair", action="store_true", help="read an I- that nothing begins as B-, and the like")


if __name__ == "__main__":
    sys.exit(main())
