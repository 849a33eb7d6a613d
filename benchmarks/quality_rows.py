"""What the tables of quality.py share."""

import runpy
from pathlib import Path
from typing import Any

import numpy as np

RECIPES = Path(__file__).parents[1] / "recipes"
COLUMNS = ("", "labels a class", "accuracy", "sd", "recall", "F1", "quoted: accuracy / recall / F1")
SENTIMENT_QUOTE = "0.85 / 0.83 / 0.84"
TOPICS_QUOTE = "0.92 / 0.90 / 0.91"
Figures = list[dict[str, float]]
"""Metrics of each seed."""


def recipe(name: str, **settings: Any) -> None:
    """Runs a recipe in this process."""
    module = runpy.run_path(str(RECIPES / f"{name}.py"))
    module["main"](module["Config"](**settings))


def scores(figures: list[dict[str, float]]) -> list[float]:
    """The accuracies."""
    return [each["accuracy"] for each in figures]


def row(name: str, labels: int | str, figures: list[dict[str, float]], quoted: str) -> list:
    """A row of the table: means, and the standard deviation of the accuracy where there are several."""
    mean = {key: float(np.mean([each[key] for each in figures])) for key in ("accuracy", "recall_macro", "f1_macro")}
    spread = float(np.std(scores(figures), ddof=1)) if len(figures) > 1 else None
    return [name, labels, mean["accuracy"], spread, mean["recall_macro"], mean["f1_macro"], quoted]
