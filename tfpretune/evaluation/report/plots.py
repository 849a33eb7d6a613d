"""Charts as SVG text for the page.

Every name that a user chose stands in an HTML legend and never in the SVG: the browser has fonts for Chinese and
matplotlib has none. The colours are placeholders that become CSS variables, so the charts follow light and dark.
"""

import contextlib
import dataclasses
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tfpretune.evaluation.metrics.calibration import ReliabilityBins
from tfpretune.evaluation.report.page import escape

if TYPE_CHECKING:  # matplotlib is imported in the functions: only a report needs it
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NUM_COLOURS = 8
_INK, _MUTED, _GRID, _FILL = "#000001", "#000002", "#000003", "#000004"
_VARIABLES = {_INK: "--ink", _MUTED: "--muted", _GRID: "--rule", _FILL: "--bar"}
_VARIABLES |= {f"#0000a{i}": f"--series-{i}" for i in range(NUM_COLOURS)}
_DASHES: tuple[tuple[float, ...], ...] = ((), (5, 2), (1.5, 1.5), (7, 2, 1.5, 2))
_MOST_POINTS = 1500


@dataclasses.dataclass(frozen=True)
class Line:
    """One curve of a chart."""

    name: str
    x: np.ndarray
    y: np.ndarray
    note: str = ""
    """Stands behind the name in the legend, e.g. "0.981"."""
    low: np.ndarray | None = None
    """The lower edge of a band around the curve; None: no band."""
    high: np.ndarray | None = None
    """The upper edge of the band."""


@dataclasses.dataclass(frozen=True)
class Axis:
    """What stands beside an axis, in the toolkit's own words."""

    label: str
    limits: tuple[float, float] | None = None


def line_chart(
    lines: Sequence[Line],
    *,
    name: str,
    alt: str,
    x: Axis,
    y: Axis,
    levels: Mapping[str, float] | None = None,
    diagonal: bool = False,
    steps: bool = False,
    log_x: bool = False,
) -> str:
    """Draws curves with an HTML legend.

    Args:
        lines: the curves; a value that is not finite leaves a gap.
        name: distinct among the figures of a page.
        alt: what the chart shows, in words; not escaped yet.
        x: the horizontal axis.
        y: the vertical axis.
        levels: name -> height of a horizontal line.
        diagonal: also draw the line from (0, 0) to (1, 1).
        steps: draw stairs instead of straight pieces.
        log_x: a logarithmic horizontal axis, marked where the curves have points.
    """
    levels = levels or {}
    with _figure() as figure:
        axes = figure.subplots()
        _dress(axes, x, y)
        if diagonal:
            axes.plot([0, 1], [0, 1], color=_MUTED, linewidth=1, linestyle=(0, (3, 3)))
        if log_x:
            axes.set_xscale("log")
            marks = sorted({float(x) for line in lines for x in line.x})
            axes.set_xticks(marks, [f"{mark:g}" for mark in marks])
            axes.minorticks_off()
        for i, line in enumerate(lines):
            points = _thin(line.x, line.y)
            if line.low is not None and line.high is not None:
                axes.fill_between(line.x, line.low, line.high, color=_stroke(i)["color"], alpha=0.15, linewidth=0)
            axes.plot(
                *points,
                **_stroke(i),  # type: ignore[arg-type]
                drawstyle="steps-post" if steps else "default",
                marker="o" if len(points[0]) == 1 else "",
            )
        for i, height in enumerate(levels.values()):
            axes.axhline(height, **_stroke(len(lines) + i, level=True))  # type: ignore[arg-type]
        svg = _svg(figure, name, alt)
    entries = [(i, line.name, line.note, False) for i, line in enumerate(lines)]
    entries += [(len(lines) + i, title, f"{height:.4g}", True) for i, (title, height) in enumerate(levels.items())]
    return svg + _legend(entries)


def reliability_chart(bins: ReliabilityBins, *, name: str, alt: str) -> str:
    """Draws the accuracy of every bin of confidence against the diagonal, and below it the number of examples."""
    centres, width = (bins.edges[:-1] + bins.edges[1:]) / 2, bins.edges[1] - bins.edges[0]
    with _figure() as figure:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        _dress(upper, Axis("", (0, 1)), Axis("accuracy", (0, 1)))
        upper.bar(centres, np.nan_to_num(bins.accuracy), width=width * 0.9, color=_FILL)
        upper.plot([0, 1], [0, 1], color=_MUTED, linewidth=1, linestyle=(0, (3, 3)))
        filled = bins.count > 0
        upper.plot(bins.confidence[filled], bins.accuracy[filled], color=_INK, linestyle="", marker="o", markersize=3)
        _dress(lower, Axis("confidence", (0, 1)), Axis("examples"))
        lower.bar(centres, bins.count, width=width * 0.9, color=_FILL)
        return _svg(figure, name, alt)


def heat_map(shares: np.ndarray, *, name: str, alt: str) -> str:
    """Draws a matrix of shares in [0, 1] as squares, 0 clear and 1 full; for matrices too large for a table."""
    with _figure(height=4.4) as figure:
        axes = figure.subplots()
        _dress(axes, Axis("predicted class"), Axis("true class"))
        axes.grid(visible=False)
        colours = np.broadcast_to(np.array([0.12, 0.44, 0.75, 0.0]), (*shares.shape, 4)).copy()
        colours[..., 3] = np.sqrt(shares)
        axes.imshow(colours, interpolation="nearest")
        return _svg(figure, name, alt)


def scatter_chart(truth: np.ndarray, predicted: np.ndarray, *, name: str, alt: str, most: int = 1500) -> str:
    """Draws predicted over true numbers with the line on which they are equal; of many points `most` that are drawn at random.

    Args:
        truth: `(n,)`, along the horizontal axis.
        predicted: `(n,)`.
        name: distinct among the figures of a page.
        alt: what the chart shows, in words; not escaped yet.
        most: points.
    """
    shown = np.random.default_rng(0).permutation(len(truth))[:most]
    ends = [float(min(truth.min(), predicted.min())), float(max(truth.max(), predicted.max()))]
    with _figure(height=4.4) as figure:
        axes = figure.subplots()
        _dress(axes, Axis("true"), Axis("predicted"))
        axes.plot(truth[shown], predicted[shown], color="#0000a0", linestyle="", marker="o", markersize=2.5, alpha=0.5)
        axes.plot(ends, ends, color=_MUTED, linewidth=1, linestyle=(0, (3, 3)))
        return _svg(figure, name, alt)


@contextlib.contextmanager
def _figure(height: float = 3.1) -> Iterator["Figure"]:
    """A figure under matplotlib's own default settings, whatever the user's matplotlibrc says."""
    import matplotlib.style
    from matplotlib.figure import Figure

    with matplotlib.style.context(["default", {"svg.fonttype": "none", "font.size": 10.0}]):
        yield Figure(figsize=(4.6, height), layout="constrained")


def _dress(axes: "Axes", x: Axis, y: Axis) -> None:
    axes.set_xlabel(x.label, color=_MUTED)
    axes.set_ylabel(y.label, color=_MUTED)
    axes.tick_params(colors=_MUTED, length=0)
    axes.grid(color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)
    axes.spines["bottom"].set(visible=True, color=_MUTED)
    for limits, apply in ((x.limits, axes.set_xlim), (y.limits, axes.set_ylim)):
        if limits:
            margin = 0.02 * (limits[1] - limits[0])
            apply(limits[0] - margin, limits[1] + margin)


def _stroke(index: int, *, level: bool = False) -> dict[str, object]:
    dashes = (2.0, 2.0) if level else _DASHES[index // 2 % len(_DASHES)]
    return {
        "color": _INK if level else f"#0000a{index % NUM_COLOURS}",
        "linestyle": (0, dashes) if dashes else "-",
        "linewidth": 1.2 if level else 1.6,
    }


def _thin(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keeps the lowest and the highest point of each of 750 stretches of a long curve, so that no peak is lost."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    y = np.where(np.isfinite(y), y, np.nan)
    if len(x) <= _MOST_POINTS:
        return x, y
    kept = {0, len(x) - 1}
    for stretch in np.array_split(np.arange(len(x)), _MOST_POINTS // 2):
        finite = stretch[~np.isnan(y[stretch])]
        kept |= {finite[y[finite].argmin()], finite[y[finite].argmax()]} if len(finite) else {stretch[0]}
    order = np.array(sorted(kept))
    return x[order], y[order]


def _svg(figure: "Figure", name: str, alt: str) -> str:
    """The figure as an `<svg>` element that may stand in HTML beside others."""
    import matplotlib

    buffer = io.StringIO()
    # With a salt the ids differ between the figures of a page and stay the same between runs.
    with matplotlib.rc_context({"svg.hashsalt": name}):
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<!--.*?-->|<style.*?</style>|<defs>\s*</defs>", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    text = re.sub(r"font-family: [^;\"]*;? ?", "", text)
    text = re.sub("#0000[0a][0-9]", lambda match: f"var({_VARIABLES[match[0]]})", text)
    view_box = re.search(r'viewBox="[^"]*"', text)
    opening = f'<svg {view_box[0] if view_box else ""} role="img" aria-label="{escape(alt)}">'
    return re.sub(r"\n\s*", "\n", opening + text[text.index(">") + 1 :])


def _legend(entries: Sequence[tuple[int, str, str, bool]]) -> str:
    items = []
    for index, name, note, level in entries:
        stroke = _stroke(index, level=level)
        colour, dashes = _VARIABLES[str(stroke["color"])], stroke["linestyle"]
        pattern = f' stroke-dasharray="{" ".join(str(2 * d) for d in dashes[1])}"' if isinstance(dashes, tuple) else ""
        path = f'<path d="M0 4H28" stroke="var({colour})"{pattern}/>'
        swatch = f'<svg class="swatch" viewBox="0 0 28 8" aria-hidden="true">{path}</svg>'
        items.append(f"<li>{swatch}<bdi>{escape(name)}</bdi> <span>{escape(note)}</span></li>")
    return f'<ul class="legend">{"".join(items)}</ul>'
