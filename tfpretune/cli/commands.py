"""The commands behind `tfpretune`. What takes long to import is imported inside them."""

import argparse
import dataclasses
import os
import runpy
import shlex
import signal
import sys
import time
from pathlib import Path
from types import ModuleType

from tfpretune.cli.recipes import find_recipes, recipe_path, recipes_folder, run_folder
from tfpretune.errors import RunError, UsageError
from tfpretune.runtime.files import write_atomic
from tfpretune.runtime.lock import refuse_if_held
from tfpretune.runtime.quiet import start_tensorflow
from tfpretune.runtime.telling import written
from tfpretune.settings.command_line.closing import close, to_ask
from tfpretune.settings.launch import with_options


def ls(settings: argparse.Namespace) -> int:
    """Lists the recipes, each with its summary and its command."""
    found = find_recipes(settings.recipes or recipes_folder())
    width = max(map(len, found), default=0)
    for name, recipe in found.items():
        print(f"{name:<{width}}  {recipe.summary}\n{'':<{width}}  $ {recipe.command}")
    return 0


def cp(settings: argparse.Namespace) -> int:
    """Copies a recipe to edit it; an old file is overwritten only with --force."""
    source, dest = recipe_path(settings.recipe, settings.recipes), Path(settings.dest)
    dest = dest / source.name if dest.is_dir() else dest
    if dest.suffix != ".py":
        raise UsageError(f"{dest} is neither a .py file nor a folder")
    if dest.exists() and not settings.force:
        raise UsageError(f"{dest} exists: give another DEST, or --force to overwrite it")
    write_atomic(dest, source.read_bytes())
    print(f"copied to {dest}; run it with: tfpretune run {dest if os.sep in str(dest) else f'./{dest}'}")
    return 0


def run(name: str, options: list[str], recipes: Path | None) -> int:
    """Runs a recipe as `__main__` with these options; its exceptions, SystemExit among them, pass through.

    A folder that another run holds is refused before the recipe is imported, which takes seconds.
    """
    path = str(recipe_path(name, recipes))
    if not {"--help", "-h", "--dry-run"} & set(options) and (out_dir := run_folder(Path(path), options)):
        refuse_if_held(out_dir)
    old = sys.argv
    sys.argv = [path, *options]
    try:
        runpy.run_path(path, run_name="__main__")
    finally:
        sys.argv = old
    return 0


def check_replicas(name: str, options: list[str], recipes: Path | None) -> int:
    """Prints how far a recipe's first steps on 1 and on 2 replicas are apart; returns 1 if that is more than rounding."""
    from tfpretune.cli import replica_check

    found = replica_check.check_replicas(recipe_path(name, recipes).absolute(), options)
    print(found)
    return 0 if found.same else 1


def check(settings: argparse.Namespace) -> int:
    """Prints what is in a data source; returns 1 if anything is wrong."""
    from tfpretune.data.checks.examples import check as check_source
    from tfpretune.data.checks.result import format_result
    from tfpretune.data.readers.masks.form import MaskForm
    from tfpretune.data.readers.source_form import SourceForm
    from tfpretune.data.readers.tag_form import TagForm
    from tfpretune.data.splits.form import SplitForm

    names = {field.name for field in dataclasses.fields(SourceForm)} & vars(settings).keys()
    columns = {name: getattr(settings, name) for name in names} | {"text_column": tuple(settings.text_column)}
    tags = TagForm(
        settings.word_column,
        settings.tag_column,
        words_key=settings.words_key,
        tags_key=settings.tags_key,
        tag_names=tuple(settings.tag_names),
        repair=settings.repair,
    )
    masks = MaskForm(orientation=settings.mask_orientation, values=tuple(settings.mask_values))
    with written(lambda line: with_options(line, settings.options)):
        result = check_source(
            settings.source,
            SourceForm(**columns),
            against=settings.against,
            splits=SplitForm(settings.validation_source, settings.test_source, tuple(settings.fractions)),
            tags=tags,
            masks=masks,
        )
    print(with_options(format_result(result), settings.options))
    return 0 if result.ok else 1


def export(settings: argparse.Namespace) -> int:
    """Exports the fine-tuned model in RUN_DIR/preset."""
    preset = Path(settings.run_dir) / "preset"
    if not preset.is_dir():
        raise UsageError(f"{preset} is not a folder: expected the --out-dir of a finished fine-tuning run")
    start_tensorflow()
    from tfpretune import serving
    from tfpretune.tasks.finetuning.exporting import export_run

    folder = export_run(settings.run_dir, settings.saved_models, name=settings.name, version=settings.version)
    close(
        f"exported to {folder}; check it with: tfpretune verify {shlex.quote(str(folder))}",
        folder / "assets.extra" / "model_card.md",
        to_ask(folder, serving.example_inputs(folder)),
    )
    return 0


def verify(settings: argparse.Namespace) -> int:
    """Prints one line; a difference raises RunError."""
    start_tensorflow()
    from tfpretune import serving

    print(serving.verify(settings.dir))
    return 0


def board(settings: argparse.Namespace) -> int:
    """Starts TensorBoard on 127.0.0.1, prints its address and waits for Ctrl-C."""
    if not Path(settings.runs).is_dir():
        raise UsageError(f"no folder {settings.runs}")
    # TensorBoard's own switch: without TensorFlow it starts much faster, and reads local files as well.
    sys.modules["tensorboard.compat.notf"] = ModuleType("notf")
    from tensorboard import program

    server = program.TensorBoard()
    server.configure(
        logdir=settings.runs,
        host="127.0.0.1",
        port=settings.port,
        load_fast="false",  # the fast loader greets every start with four lines about being an experiment
        reload_multifile=True,  # each callback writes its own file; otherwise only the newest would be read on
        samples_per_plugin={"images": 200, "text": 200},
    )
    try:
        address = server.launch()
    except program.TensorBoardServerException as error:
        raise RunError(str(error).strip().splitlines()[0]) from None
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job started with & inherits "ignore"
    print(f"TensorBoard shows {settings.runs} at {address} (Ctrl-C stops it)", flush=True)
    while True:
        time.sleep(3600)
