"""What a search leaves: a table of its trials, a page, and the winner's command."""

import dataclasses
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfpretune.errors import RunError
from tfpretune.evaluation.report.plots import Axis, Line, line_chart
from tfpretune.evaluation.report.report import write_report
from tfpretune.evaluation.report.tables import Cell, Table
from tfpretune.runtime.files import write_atomic
from tfpretune.search.options import options_of
from tfpretune.search.space import Space
from tfpretune.search.state import EARLY, WHOLE, Outcome, SearchResult


def trials_table(found: SearchResult, space: Space) -> Table:
    """Returns a row for each trial: the whole ones first, the best on top."""
    sign = -1 if found.mode == "max" else 1
    rank = {WHOLE: 0, EARLY: 1}
    ordered = sorted(found.outcomes, key=lambda one: (rank.get(one.ended, 2), sign * (one.figure or 0.0), one.number))
    rows = [
        [str(one.number), one.figure, *map(_cell, space.values(one.settings).values()), one.ended, one.seconds]
        for one in ordered
    ]
    columns = ("trial", found.monitor.replace("_", " "), *space.searched, "ended", "seconds")
    kinds = {ended: sum(one.ended == ended for one in found.outcomes) for ended in (WHOLE, EARLY)}
    failed = len(rows) - sum(kinds.values())
    note = f"{kinds[WHOLE]} whole, {kinds[EARLY]} ended early, {failed} failed. Judged on the validation set."
    return Table(f"{space.base.source}: trials", columns, rows, note=note)


def winners_command(best: Outcome, *, recipe: str, out_dir: str) -> str:
    """Returns the command that trains as the best trial did, on the same kind of machine bit by bit."""
    settings = dataclasses.replace(best.settings, out_dir=out_dir)
    return shlex.join(["tfpretune", "run", recipe, *options_of(settings)])


def write_search(
    found: SearchResult, space: Space, *, recipe: str, out_dir: Path, settings: Mapping[str, Any]
) -> Table:
    """Prints the table, the best figure and the winner's command; writes `best.txt` and the page.

    Raises:
        RunError: trials were made, and all failed.
    """
    table, best = trials_table(found, space), found.best
    if not found.outcomes:
        print("no trial has ended")
        return table
    print(f"\n{table.markdown()}")
    if best is None:
        first = found.outcomes[0]
        raise RunError(f"none of {len(found.outcomes)} trials came to its end; trial {first.number}: {first.ended}")
    command = winners_command(best, recipe=recipe, out_dir=str(out_dir / "best"))
    write_atomic(out_dir / "best.txt", command + "\n")
    page = write_report(
        out_dir,
        title=f"Search for settings: {recipe} on {space.base.source}",
        metrics={f"best {found.monitor}": best.figure or 0.0, "trials": float(len(found.outcomes))},
        tables=[table],
        settings=settings,
        notes=[f"Trial {best.number} was the best on the validation set. Its command: {command}"],
        figures=_chart(found),
    )
    print(f"best {found.monitor}: {best.figure:.4f} (trial {best.number})\nreport: {page}\nnext: {command}")
    return table


def _chart(found: SearchResult) -> str:
    """The whole trials' figures by number, and the best so far."""
    whole = [one for one in found.outcomes if one.ended == WHOLE]
    numbers = np.array([one.number for one in whole], np.float64)
    figures = np.array([one.figure for one in whole], np.float64)
    so_far = (np.maximum if found.mode == "max" else np.minimum).accumulate(figures)
    name = found.monitor.replace("_", " ")
    lines = [Line("trial", numbers, figures), Line("best so far", numbers, so_far, f"{so_far[-1]:.4g}")]
    alt = f"{name} of {len(whole)} trials; the best {so_far[-1]:.4g}"
    return f"<figure>{line_chart(lines, name='search', alt=alt, x=Axis('trial'), y=Axis(name))}</figure>"


def _cell(value: Any) -> Cell:
    """Settings as they are typed: 0.0003 and not three decimals of it."""
    return str(value)
