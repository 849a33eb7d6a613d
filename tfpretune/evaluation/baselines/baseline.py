"""A simple model's answers beside which a trained model's stand."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Baseline:
    """What a simple model says of the examples that a trained one is judged on.

    Attributes:
        key: its name in `metrics.json`, such as "linear".
        name: its name for people.
        outputs: what it says, of the shape of the trained model's answers.
        figures: name -> number, as for the trained model.
        note: what a reader has to know of it; "" for nothing.
    """

    key: str
    name: str
    outputs: np.ndarray
    figures: Mapping[str, float]
    note: str = ""


def flat_figures(baselines: Sequence[Baseline], names: Sequence[str]) -> dict[str, float]:
    """Returns these figures of all simple models as `baseline_KEY_NAME`, for `metrics.json`."""
    return {
        f"baseline_{each.key}_{name}": each.figures[name]
        for each in baselines
        for name in names
        if name in each.figures
    }
