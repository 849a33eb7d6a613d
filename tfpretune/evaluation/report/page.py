"""One HTML page that needs nothing from outside: shell, style, tables. Foreign text goes through `escape`."""

import dataclasses
import html
import re
from collections.abc import Sequence

from tfpretune.evaluation.report.tables import Table

# No script, no connection, no file: a browser that reads this refuses whatever slipped through the escaping.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1c2127; --muted: #5b6672; --rule: #dfe4e9; --soft: #f5f7f9;
  --bar: #b9cfe4; --right: 31 111 178; --wrong: 200 84 20;
  --series-0: #1f6fb2; --series-1: #c8541f; --series-2: #2f8a4c; --series-3: #8a4fb0; --series-4: #b3861b;
  --series-5: #c23b7a; --series-6: #17868b; --series-7: #6b6f76; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171a; --ink: #e6e9ec; --muted: #9aa5b1; --rule: #2c3238;
  --soft: #1c2024; --bar: #34506b; --right: 70 140 205; --wrong: 214 110 50;
  --series-0: #6db1ee; --series-1: #f0905a; --series-2: #6cc588; --series-3: #c193e6; --series-4: #dcb550;
  --series-5: #ee86b5; --series-6: #5cc4c8; --series-7: #a9aeb6; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; padding: 2rem 1rem 4rem; max-width: 72rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", "Noto Sans", "PingFang SC", "Microsoft YaHei",
  "Noto Sans CJK SC", sans-serif; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.2rem; line-height: 1.3; margin: 2.75rem 0 .75rem; padding-top: .75rem;
  border-top: 1px solid var(--rule); }
h3 { font-size: 1rem; margin: 0 0 .35rem; }
p { margin: 0 0 .75rem; max-width: 48rem; }
.muted, figcaption, .note { color: var(--muted); font-size: .875rem; }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin: .75rem 0 0; font-size: .875rem; }
a { color: rgb(var(--right)); }
.notes { margin: 1.25rem 0 0; padding: .75rem 1rem; background: var(--soft); border-left: 3px solid rgb(var(--wrong)); }
.notes p:last-child { margin: 0; }
.banner { max-width: none; margin: 0 0 1.5rem; padding: .6rem 1rem; font-weight: 600; color: #fff; background: #a8430f; }
.headline { display: grid; grid-template-columns: repeat(auto-fill, minmax(10.5rem, 1fr)); gap: 1rem 1.5rem;
  margin: 1.75rem 0 0; }
.headline div { display: flex; flex-direction: column; }
.headline dt { color: var(--muted); font-size: .875rem; }
.headline dd { margin: 0; font-size: 1.6rem; line-height: 1.3; font-weight: 600; }
.headline .interval { font-size: .8125rem; font-weight: 400; color: var(--muted); }
.scroll { overflow-x: auto; margin: 0 0 1rem; }
table { border-collapse: collapse; font-size: .875rem; }
caption { text-align: left; font-weight: 600; font-size: 1rem; padding: 0 0 .4rem; }
th, td { padding: .3rem .75rem .3rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--rule); }
thead th { font-weight: 600; color: var(--muted); vertical-align: bottom; }
tbody th { font-weight: 500; }
th, td { overflow-wrap: normal; }
.wide td, .wide th { overflow-wrap: anywhere; }
.number { text-align: right; padding: .3rem .75rem; }
td.number { white-space: nowrap; }
.confusion { border-collapse: separate; border-spacing: 2px; }
.confusion th, .confusion td { border: 0; }
.confusion tbody th { max-width: 14rem; padding-left: .25rem; }
.confusion tbody td { text-align: center; min-width: 2.9rem; padding: .4rem .5rem; border-radius: 3px;
  background: var(--soft); }
.confusion td.right { background: rgb(var(--right) / var(--share)); }
.confusion td.wrong { background: rgb(var(--wrong) / var(--share)); }
.confusion thead th { text-align: center; padding: .2rem .35rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: 2rem 2.5rem; }
figure { margin: 0; min-width: 0; max-width: 32rem; }
figure > svg { display: block; width: 100%; height: auto; }
svg * { stroke-linejoin: round; stroke-linecap: butt; }
svg text { font-family: system-ui, -apple-system, "Segoe UI", "Noto Sans", sans-serif; }
.legend { list-style: none; margin: .4rem 0; padding: 0; display: flex; flex-wrap: wrap; gap: .15rem 1rem;
  font-size: .875rem; }
.legend span { color: var(--muted); }
.legend .colour { display: inline-block; width: 1.1rem; height: .8rem; margin-right: .4rem; border: 1px solid var(--rule); }
.swatch { width: 1.75rem; height: .5rem; margin-right: .4rem; vertical-align: middle; }
.swatch path { stroke-width: 2.5; fill: none; }
.mistakes { list-style: none; margin: 0; padding: 0; display: grid; gap: 1.25rem 2rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 24rem), 1fr)); }
.mistakes.image { grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); }
.sentences { list-style: none; margin: .75rem 0 0; padding: 0; display: grid; gap: 1.4rem; }
.sentences p { margin: 0 0 .3rem; max-width: none; }
.sentences blockquote { margin: 0 0 .3rem; padding: .5rem .75rem; background: var(--soft); }
.tagged { display: grid; grid-template-columns: 5.5rem minmax(0, 1fr); gap: .2rem .5rem; margin: 0 0 .3rem; }
.tagged dt { color: var(--muted); font-size: .875rem; padding-top: .15rem; }
.tagged dd { margin: 0; line-height: 1.9; }
.tag { padding: .05rem .3rem; border-radius: .25rem; border: 2px solid transparent;
  background: color-mix(in srgb, var(--tag, var(--muted)) 22%, transparent); -webkit-box-decoration-break: clone;
  box-decoration-break: clone; }
.tag small { margin-inline-start: .35rem; font-size: .7rem; color: var(--muted); }
.tag.off { border: 2px dashed rgb(var(--wrong)); }
mark { color: inherit; background: rgb(var(--right) / .25); padding: 0 .1rem; border-radius: .2rem; }
mark.found { background: rgb(var(--wrong) / .3); }
mark.both { background: rgb(var(--right) / .25); outline: 2px solid rgb(var(--right)); }
.mistakes p { margin: 0 0 .3rem; font-size: .9375rem; }
.mistakes blockquote { margin: 0 0 .3rem; padding: .5rem .75rem; background: var(--soft); font-size: .9375rem; }
.mistakes img { display: block; width: 8rem; height: 8rem; object-fit: contain; object-position: left;
  margin: 0 0 .4rem; }
.pixels { image-rendering: pixelated; }
.strip { width: 100%; max-width: 60rem; margin: 0 0 1rem; }
.strip img { display: block; width: 100%; height: auto; }
.strip th { white-space: nowrap; vertical-align: middle; }
.strip td { width: 100%; }
@media (max-width: 34rem) { body { padding-top: 1.25rem; } h1 { font-size: 1.4rem; }
  .mistakes.image { grid-template-columns: 1fr 1fr; } .mistakes img { width: 100%; }
  .strip, .strip caption, .strip tbody, .strip tr, .strip th, .strip td { display: block; }
  .strip th, .strip td { border: 0; padding: .15rem 0; } }
@media print { nav { display: none; } h2, figure, li { break-inside: avoid; } }
"""


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of the page: a heading and HTML that is safe already."""

    heading: str
    body: str


def escape(text: object) -> str:
    """Text that may stand in HTML, in an attribute too. Control characters and half surrogates become U+FFFD."""
    return html.escape(re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]", "\ufffd", str(text)))


def render_page(
    title: str, *, lead: str, notes: Sequence[str], headline: str, sections: Sequence[Section], banner: str = ""
) -> str:
    """Puts a whole page together.

    Args:
        title: heading of the page; not escaped yet.
        lead: one line below it; not escaped yet.
        notes: what a reader must know first; not escaped yet.
        headline: HTML from `headline_numbers`.
        sections: the rest; empty ones are left out.
        banner: a warning that stands above all; not escaped yet.
    """
    shown = [section for section in sections if section.body]
    links = "".join(f'<a href="#part-{i}">{escape(section.heading)}</a>' for i, section in enumerate(shown))
    remarks = "".join(f"<p>{escape(note)}</p>" for note in notes)
    aside = f'<aside class="notes">{remarks}</aside>' if remarks else ""
    warning = f'<p class="banner" role="note">{escape(banner)}</p>\n' if banner else ""
    parts = "".join(
        f'<section><h2 id="part-{i}">{escape(section.heading)}</h2>\n{section.body}</section>\n'
        for i, section in enumerate(shown)
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{warning}<header>\n<h1>{escape(title)}</h1>\n"
        f'<p class="muted">{escape(lead)}</p>\n<nav aria-label="Parts of this page">{links}</nav>\n</header>\n<main>\n'
        f"{aside}\n{headline}\n{parts}</main>\n</body>\n</html>\n"
    )


def headline_numbers(numbers: Sequence[tuple[str, str, str]]) -> str:
    """The large numbers on top: (name, value, interval or other small print)."""
    cells = []
    for name, value, small in numbers:
        interval = f'<div class="interval">{escape(small)}</div>' if small else ""
        cells.append(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}{interval}</dd></div>")
    return f'<dl class="headline">{"".join(cells)}</dl>' if cells else ""


def html_table(table: Table, *, wide: bool = False) -> str:
    """A table with a caption and header cells, in a box that scrolls sideways on a narrow screen.

    With `wide` long cells break into lines instead, and nothing is aligned right.
    """
    marks = [' class="number"' if number and not wide else "" for number in table.numeric()]
    head = "".join(f'<th scope="col"{mark}>{escape(c)}</th>' for c, mark in zip(table.columns, marks, strict=True))
    rows = []
    for row in table.texts():
        cells = [f"<td{mark}>{escape(text)}</td>" for text, mark in zip(row, marks, strict=True)]
        cells[:1] = [f'<th scope="row"{marks[0]}>{escape(row[0])}</th>'] if row else []
        rows.append(f"<tr>{''.join(cells)}</tr>")
    caption = f"<caption>{escape(table.title)}</caption>" if table.title else ""
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    box = '<div class="scroll" tabindex="0">' if not wide else '<div class="scroll wide">'
    return f"{box}<table>{caption}<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>{note}\n"
