"""What the tables of quality.py share."""

import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np

from tfpretune.evaluation.report.tables import Cell
from tfpretune.settings.run import OptimizerConfig

RECIPES = Path(__file__).parents[1] / "recipes"
COLUMNS = ("", "labels per class", "accuracy", "sd", "recall", "F1", "quoted: accuracy / recall / F1")
SENTIMENT_QUOTE = "0.85 / 0.83 / 0.84"
TOPICS_QUOTE = "0.92 / 0.90 / 0.91"
Figures = list[dict[str, float]]
"""Metrics of each seed."""


def recipe(name: str, **settings: Any) -> None:
    """Runs a recipe in this process."""
    module = runpy.run_path(str(RECIPES / f"{name}.py"))
    module["main"](module["Config"](**settings))


def pretrained(name: str, *, out_dir: str, **settings: Any) -> str:
    """Runs a pre-training recipe, unless it has been run, and returns its preset's folder."""
    if not Path(out_dir, "preset").is_dir():
        recipe(name, out_dir=out_dir, **settings)
    return f"{out_dir}/preset"


def seeds(out_dir: str, count: int, name: str, folder: str, settings: dict[str, Any]) -> Figures:
    """Runs a recipe once for each seed and returns its metrics; finished runs are not done again.

    Args:
        out_dir: folder of all runs.
        count: of the seeds.
        name: of the recipe.
        folder: of these runs; see `run_folder`.
        settings: of the recipe.
    """
    found = []
    for seed in range(count):
        run_dir = run_folder(out_dir, folder, seed)
        if not Path(run_dir, "preset").is_dir():
            recipe(name, out_dir=run_dir, seed=seed, **settings)
        found.append(metrics_of(run_dir))
    return found


def metrics_of(run_dir: str) -> dict[str, float]:
    """Returns what the report of a finished run has."""
    figures: dict[str, float] = json.loads(Path(run_dir, "report", "metrics.json").read_text("utf-8"))
    return figures


def run_folder(out_dir: str, folder: str, seed: int) -> str:
    """Returns the folder of one of the runs that `seeds` makes."""
    return f"{out_dir}/{folder.replace(' ', '-')}-{seed}"


def pretrain_reviews(out_dir: str, *, fast: bool) -> str:
    """Pre-trains on the Chinese reviews, read by characters, and returns the preset's folder."""
    settings = {"source": "demo:reviews-zh", "sequence_length": 64, "batch_size": 64, "steps": 6000}
    optimizer = OptimizerConfig(learning_rate=2e-3, multipliers=(("token_embedding", 3.0),))
    return pretrained("pretrain_text", out_dir=f"{out_dir}/reviews", optimizer=optimizer, fast=fast, **settings)


def scores(figures: list[dict[str, float]]) -> list[float]:
    """The accuracies."""
    return [each["accuracy"] for each in figures]


def row(name: str, labels: int | str, figures: list[dict[str, float]], quoted: str) -> list:
    """A row of the table: means, and the standard deviation of the accuracy where there are several."""
    more = [mean_and_sd(figures, key)[0] for key in ("recall_macro", "f1_macro")]
    return [name, labels, *mean_and_sd(figures, "accuracy"), *more, quoted]


def mean_and_sd(figures: Figures, name: str) -> list[Cell]:
    """Mean of a figure over seeds, and its standard deviation where there are several."""
    values = [each[name] for each in figures]
    return [float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None]
