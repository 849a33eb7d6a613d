"""How a report shows each kind of input."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tfpretune.evaluation.report.page import escape
from tfpretune.evaluation.report.pictures import data_address

LONGEST_TEXT = 300


@dataclasses.dataclass(frozen=True)
class Shown:
    """How a report shows one kind of input.

    Args:
        block: an input and its place -> HTML.
        cell: an input -> what a table has of it; "" for nothing.
        picture: it is a picture, which stands above what is said of it.
    """

    block: Callable[[Any, str], str]
    cell: Callable[[Any], str]
    picture: bool


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT].rstrip() + " …"


def _quoted(text: str, where: str) -> str:
    return f'<blockquote dir="auto">{escape(_cut(text))}</blockquote>'


def _picture(image: Any, where: str) -> str:
    try:
        address, small = data_address(image)
    except OSError as error:
        return f'<p class="muted">This picture cannot be shown: {escape(error)}</p>'
    mark = ' class="pixels"' if small else ""
    return f'<img src="{address}" alt="{escape(where)}"{mark}>'


def _path(image: Any) -> str:
    return "" if isinstance(image, np.ndarray) else str(image)


SHOWN: Mapping[str, Shown] = {"text": Shown(_quoted, _cut, False), "image": Shown(_picture, _path, True)}
