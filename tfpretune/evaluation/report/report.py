"""The report of a run: one HTML page and one flat JSON file."""

import datetime
import importlib.metadata
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfpretune.errors import RunError
from tfpretune.evaluation.report.page import Section, escape, headline_numbers, html_table, render_page
from tfpretune.evaluation.report.pictures import Pictures, strip_address
from tfpretune.evaluation.report.plots import Axis, Line, line_chart
from tfpretune.evaluation.report.sections import Answers
from tfpretune.evaluation.report.tables import Table
from tfpretune.evaluation.verdict.out_of_fold import OutOfFold
from tfpretune.runtime.files import write_atomic
from tfpretune.runtime.phases import phase

Curves = Mapping[str, Mapping[str, Sequence[tuple[int, float]]]]
"""Title of the chart -> name of the line -> (step, value) pairs."""
Levels = Mapping[str, Mapping[str, float]]
"""Title of the chart -> name of a horizontal line -> its height."""

MOST_ON_TOP = 8
REHEARSAL = "A rehearsal: these figures say nothing."
_PACKAGES = ("tfpretune", "tensorflow", "keras", "keras-hub", "numpy", "scikit-learn")


@phase("writing the report")
def write_report(
    out_dir: str | Path,
    *,
    title: str,
    metrics: Mapping[str, float] | None = None,
    kind: str = "",
    labels: Any = None,
    probabilities: Any = None,
    class_names: Sequence[str] = (),
    inputs: Any = (),
    where: Sequence[str] = (),
    curves: Curves | None = None,
    hlines: Levels | None = None,
    pictures: Sequence[Pictures] = (),
    figures: str = "",
    tables: Sequence[Table] = (),
    settings: Mapping[str, Any] | None = None,
    data: Mapping[str, float] | None = None,
    numbers: Mapping[str, float] | None = None,
    notes: Sequence[str] = (),
    sections: Sequence[Section] = (),
    headline: Sequence[str] = (),
    out_of_fold: OutOfFold | None = None,
) -> Path:
    """Writes `out_dir/report/index.html` and `metrics.json` on any run; a failure leaves an older report alone.

    The numbers are `metrics`, or those of a classifier, whose page has its mistakes and more. Then `labels` and the five
    arguments beside it are given instead.

    Args:
        out_dir: folder of the run.
        title: heading of the page.
        metrics: name -> number; written to `metrics.json`, and shown on top, see `headline`.
        kind: of a classifier's inputs: "text" or "image".
        labels: int `(n,)`, each in [0, C).
        probabilities: float `(n, C)`, rows sum to 1.
        class_names: C different names.
        inputs: n texts, or n images as `data_address` takes them.
        where: for each example where it came from.
        curves: charts over the steps: title -> name of a line -> (step, value) pairs.
        hlines: horizontal lines in these charts, e.g. the unigram entropy: title -> name -> height.
        pictures: e.g. input, masked and restored images.
        figures: charts above the tables, as `evaluation.report.plots` draws them.
        tables: shown in this order.
        settings: what was run: settings, data, licence, seed; nested mappings become dotted names.
        data: counts of the data, such as near copies; they stand beside the settings and in `metrics.json`.
        numbers: further ones for `metrics.json` alone, such as those of simple models, which stand in a table.
        notes: what a reader must know first. Of a rehearsal (`fast` in the settings) that comes before them.
        sections: further parts of the page, behind the tables.
        headline: names of the `metrics` that are shown on top; () for all, or for none where there are more than 8.
        out_of_fold: of a classifier, where examples and answers are those of several repeats, one behind the other.

    Returns:
        The path of the page.

    Raises:
        ValueError: arguments that do not fit each other.
        RunError: a probability, a metric or a pixel is not a finite number.

    Examples:
        >>> import json
        >>> from tfpretune.evaluation import write_report
        >>> classes = {"labels": [0, 1], "probabilities": [[0.9, 0.1], [0.6, 0.4]], "class_names": ("no", "yes")}
        >>> texts = {"kind": "text", "inputs": ["It broke", "It works"], "where": ["reviews.csv:2", "reviews.csv:3"]}
        >>> page = write_report("runs/a", title="Reviews", **classes, **texts)
        >>> str(page), json.loads((page.parent / "metrics.json").read_text())["accuracy"]
        ('runs/a/report/index.html', 0.5)
        >>> page = write_report("runs/b", title="Pre-training", metrics={"loss": 4.8})
        >>> json.loads((page.parent / "metrics.json").read_text())
        {'loss': 4.8}
    """
    if (metrics is None) == (labels is None):
        raise ValueError("write_report: expected either metrics, or labels and probabilities of a classifier")
    training = [
        Section("Training", _charts(curves or {}, hlines or {})),
        Section("Examples", "".join(_strips(each) for each in pictures)),
    ]
    charts = f'<div class="charts">{figures}</div>' if figures else ""
    results = Section("Results", charts + "".join(html_table(table) for table in tables))
    lead = _written()
    if metrics is not None:
        few = metrics if len(metrics) <= MOST_ON_TOP else ()
        shown = [(name.replace("_", " "), _short(metrics[name]), _interval(metrics, name)) for name in headline or few]
        parts = [*training, results, *sections]
    else:
        answers = Answers(kind, labels, probabilities, class_names, inputs, where, out_of_fold)
        metrics, lead = answers.metrics, f"{answers.size}. {lead}"
        shown = answers.headline()
        parts = [results, *sections, *answers.sections(), *training, answers.mistakes()]
    parts.append(Section("What was run", _settings({**(settings or {}), **(data or {})})))
    banner = REHEARSAL if is_rehearsal(settings) else ""
    top = headline_numbers(shown)
    page = render_page(title, lead=lead, notes=notes, headline=top, sections=parts, banner=banner)
    return _write(out_dir, page, {**metrics, **(numbers or {}), **(data or {})})


def is_rehearsal(settings: Mapping[str, Any] | None) -> bool:
    """Says whether a run with these settings was a rehearsal (`--fast`), whose figures say nothing."""
    return bool((settings or {}).get("fast"))


def _write(out_dir: str | Path, page: str, metrics: Mapping[str, float]) -> Path:
    """Writes the page and then the numbers, when nothing but the disk can fail any more."""
    bad = {name: value for name, value in metrics.items() if not math.isfinite(value)}
    if bad:
        raise RunError(f"metrics.json: expected finite numbers, received {bad}")
    numbers = json.dumps({name: float(value) for name, value in metrics.items()}, indent=2, ensure_ascii=False)
    folder = Path(out_dir) / "report"
    write_atomic(folder / "index.html", page)
    write_atomic(folder / "metrics.json", (numbers + "\n").encode("utf-8", "replace"))
    return folder / "index.html"


def _charts(curves: Curves, hlines: Levels) -> str:
    """All charts over the steps."""
    unknown = sorted(set(hlines) - set(curves))
    if unknown:
        raise ValueError(f"hlines: expected titles of curves, {sorted(curves)}, received {unknown}")
    figures = []
    for i, (title, series) in enumerate(curves.items()):
        lines = []
        for name, points in series.items():
            values = np.asarray(points, np.float64).reshape(-1, 2)
            last = f"last {values[-1, 1]:.4g}" if len(values) else "no value"
            lines.append(Line(name, values[:, 0], values[:, 1], last))
        alt = f"{title}: " + "; ".join(f"{line.name}, {line.note}" for line in lines)
        chart = line_chart(lines, name=f"curve-{i}", alt=alt, x=Axis("step"), y=Axis(""), levels=hlines.get(title))
        figures.append(f"<figure><h3>{escape(title)}</h3>{chart}</figure>")
    return f'<div class="charts">{"".join(figures)}</div>' if figures else ""


def _strips(pictures: Pictures) -> str:
    rows = []
    for name, images in pictures.rows.items():
        address, small = strip_address(images)
        alt, mark = escape(f"{len(images)} pictures: {name}"), ' class="pixels"' if small else ""
        image = f'<img src="{address}" alt="{alt}"{mark}>'
        rows.append(f'<tr><th scope="row">{escape(name)}</th><td>{image}</td></tr>')
    note = f'<p class="note">{escape(pictures.note)}</p>' if pictures.note else ""
    patches = [
        f'<li><span class="colour" style="background: #{red:02x}{green:02x}{blue:02x}"></span>{escape(name)}</li>'
        for name, (red, green, blue) in pictures.colours.items()
    ]
    note = (f'<ul class="legend" aria-label="Colours">{"".join(patches)}</ul>' if patches else "") + note
    caption = f"<caption>{escape(pictures.title)}</caption>"
    return f'<table class="strip">{caption}<tbody>{"".join(rows)}</tbody></table>{note}'


def _settings(settings: Mapping[str, Any] | None) -> str:
    rows = [*_flat(settings or {}), *_versions()]
    return html_table(Table("", ("setting", "value"), rows), wide=True)


def _flat(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name, value in settings.items():
        if isinstance(value, Mapping):
            rows += _flat(value, f"{prefix}{name}.")
        else:
            listed = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            rows.append((f"{prefix}{name}", listed))
    return rows


def _versions() -> list[tuple[str, str]]:
    rows = []
    for package in _PACKAGES:
        try:
            rows.append((f"version of {package}", importlib.metadata.version(package)))
        except importlib.metadata.PackageNotFoundError:
            continue
    return rows


def _short(value: float) -> str:
    """Four digits that count: 21.32, 0.0123, 4,000."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _interval(metrics: Mapping[str, float], name: str) -> str:
    low, high = metrics.get(f"{name}_low"), metrics.get(f"{name}_high")
    return "" if low is None or high is None else f"95 %: {_short(low)} to {_short(high)}"


def _written() -> str:
    return f"Written {datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC."
