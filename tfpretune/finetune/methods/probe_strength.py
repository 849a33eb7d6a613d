"""How strongly a probe is regularised: chosen on held-out splits of its examples, no features at all among the choices."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold

Weights = list[np.ndarray]

STRENGTHS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
USUAL = 0.1  # where there are too few examples to hold some out
MOST_ROWS, FOLDS, MASKS = 1000, 5, 4


class Probe(NamedTuple):
    """A kind of linear model on features.

    Attributes:
        fit: (features, truths, strength, dropout) -> kernel and bias.
        without: truths -> the bias that says most where no feature counts.
        loss: (outputs, truths) -> the mean loss.
        truths: labels -> what the head is to say, in its own units.
    """

    fit: Callable[[np.ndarray, np.ndarray, float, float], Weights]
    without: Callable[[np.ndarray], np.ndarray]
    loss: Callable[[np.ndarray, np.ndarray], float]
    truths: Callable[[np.ndarray], np.ndarray] = lambda labels: labels


def fit_probe(probe: Probe, found: np.ndarray, truths: np.ndarray, *, dropout: float, stratified: bool) -> Weights:
    """Fits a probe that is no worse a start than a head without features, which it returns else, and says so.

    Args:
        probe: what is fitted.
        found: features `(rows, dim)`.
        truths: `(rows, …)`.
        dropout: rate on the features.
        stratified: see `choose_strength`.

    Returns:
        Kernel and bias.
    """
    strength, loss, without = choose_strength(probe, found, truths, dropout=dropout, stratified=stratified)
    bias = probe.without(truths)
    if strength:
        weights = probe.fit(found, truths, strength, dropout)
        loss, without = (_loss(probe, head, found, truths, dropout) for head in (weights, [0.0 * weights[0], bias]))
        if loss < without:
            return weights
    print(
        f"a linear probe is no better a start than a head without features (loss {loss:.3g} with dropout, without "
        f"features {without:.3g}): the head starts without them",
        flush=True,
    )
    return [np.zeros((found.shape[1], len(bias)), "float32"), bias]


def choose_strength(
    probe: Probe, found: np.ndarray, truths: np.ndarray, *, dropout: float, stratified: bool
) -> tuple[float, float, float]:
    """Compares strengths by cross-validation, each with the dropout that the head will be trained with.

    Args:
        probe: what is fitted.
        found: features `(rows, dim)`.
        truths: `(rows, …)`.
        dropout: rate on the features.
        stratified: the truths are classes, and each fold has its share of each; classes of one row are not asked about.

    Returns:
        The strength with the least held-out loss, 0 where leaving the features out is as good; that loss; and that without
        features. Both are nan where nothing can be held out.
    """
    rows = _rows(truths, stratified=stratified)
    if len(rows) < 2:
        return USUAL, float("nan"), float("nan")
    found, truths = found[rows], truths[rows]
    losses = np.zeros(len(STRENGTHS) + 1)
    for fitted, held_out in _folds(truths, stratified=stratified):
        heads = [probe.fit(found[fitted], truths[fitted], strength, dropout) for strength in STRENGTHS]
        heads.insert(0, [np.zeros_like(heads[0][0]), probe.without(truths[fitted])])
        for index, head in enumerate(heads):
            losses[index] += len(held_out) * _loss(probe, head, found[held_out], truths[held_out], dropout)
    losses /= len(rows)
    best = int(np.argmin(losses))
    return (0.0, *STRENGTHS)[best], float(losses[best]), float(losses[0])


def _rows(truths: np.ndarray, *, stratified: bool) -> np.ndarray:
    """At most so many rows to choose on, in an order drawn once and for all."""
    rows = np.random.default_rng(0).permutation(len(truths))
    if stratified:
        classes, counts = np.unique(truths, return_counts=True)
        often = classes[counts > 1]
        rows = rows[np.isin(truths[rows], often)] if len(often) > 1 else rows[:0]
    rows = rows[:MOST_ROWS]
    if stratified and len(rows):  # the cut may have left one row of a class
        classes, counts = np.unique(truths[rows], return_counts=True)
        rows = rows[np.isin(truths[rows], classes[counts > 1])]
    return rows


def _folds(truths: np.ndarray, *, stratified: bool) -> Any:
    if stratified:
        fewest = int(np.unique(truths, return_counts=True)[1].min())
        return StratifiedKFold(min(FOLDS, fewest), shuffle=True, random_state=0).split(truths, truths)
    return KFold(min(FOLDS, len(truths)), shuffle=True, random_state=0).split(truths)


def _loss(probe: Probe, head: Weights, found: np.ndarray, truths: np.ndarray, dropout: float) -> float:
    """The mean loss of a head over some of dropout's masks, drawn once and for all."""
    random, losses = np.random.default_rng(0), []
    for _ in range(MASKS if dropout else 1):
        seen = found * (random.random(found.shape) >= dropout) / (1.0 - dropout)
        losses.append(probe.loss(seen @ head[0] + head[1], truths))
    return float(np.mean(losses))
