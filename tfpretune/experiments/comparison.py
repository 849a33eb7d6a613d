"""Comparisons over seeds: every side is fine-tuned on the same draws of labels and scored on the same test set.

No label beyond those of a draw chooses anything in a trial: it makes a fixed number of steps, and its last weights are scored.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfpretune.backbones.by_name import load_backbone
from tfpretune.data.batches.examples import image_array
from tfpretune.data.batches.step_indexed import StepIndexed, Transform
from tfpretune.data.examples.examples import Examples
from tfpretune.evaluation.baselines.linear import pixel_baseline, tfidf_baseline
from tfpretune.evaluation.metrics.classification import accuracy
from tfpretune.evaluation.metrics.gain import Gain, gain_over_scratch
from tfpretune.evaluation.predict import predictor
from tfpretune.evaluation.report.tables import Cell
from tfpretune.experiments.sides import PRETRAINED, SCRATCH, Side
from tfpretune.finetune import start_head_from_probe
from tfpretune.objectives import Supervised
from tfpretune.training import resolve_precision
from tfpretune.training.loop.trials import start_like, train_briefly

COLUMNS = ("", "labels per class", "mean", "sd")
TEST_BATCH_SIZE = 128

Baseline = Callable[[Examples, Examples], np.ndarray]
"""(labelled examples, test examples) -> probabilities `(rows, num_classes)` of the test examples."""


def tfidf_regression(few: Examples, test: Examples) -> np.ndarray:
    """A `Baseline` of texts: logistic regression on the words' TF-IDF."""
    classes = len(few.class_names)
    return tfidf_baseline(few.inputs, few.known_labels, test.inputs, num_classes=classes, characters=False)


def pixel_regression(image_shape: tuple[int, int, int]) -> Baseline:
    """Returns a `Baseline` of images of this shape: logistic regression on the pixels."""

    def predict(few: Examples, test: Examples) -> np.ndarray:
        seen, unseen = (image_array(part, image_shape) for part in (few, test))
        return pixel_baseline(seen, few.known_labels, unseen, num_classes=len(few.class_names))

    return predict


@dataclasses.dataclass(frozen=True, eq=False)
class Trials:
    """What all sides of a comparison share: data, batches, network, number of draws.

    Args:
        preset: the pre-trained backbone.
        train: the labelled examples that draws are taken from.
        test: what every trained network is scored on.
        make_batches: `(examples, batch_size, *, seed, transform) -> StepIndexed`, such as `image_batches`.
        make_model: `(backbone, *, dropout) -> Supervised`, such as `classifier`.
        batch_size: examples per step.
        seeds: draws of labels, each with start weights of its own.
        transform: augmentation of the training batches.
        most_steps: upper bound of all sides' steps, for rehearsals; 0: none.
    """

    preset: str
    train: Examples
    test: Examples
    make_batches: Callable[..., StepIndexed]
    make_model: Callable[..., Supervised]
    batch_size: int
    seeds: int
    transform: Transform | None = None
    most_steps: int = 0
    _asked: list[Any] = dataclasses.field(default_factory=list, init=False, repr=False)

    def draws(self, labels: int) -> list[Examples]:
        """Draws so many labels per class, once for each seed; the same for every side."""
        return [self.train.few_labels(labels, seed) for seed in range(self.seeds)]

    def fine_tune(self, side: Side, few: Examples, seed: int, before: Supervised | None = None) -> Supervised:
        """Returns the network that one side makes of one draw.

        Args:
            side: how.
            few: the labelled examples.
            seed: decides start weights and order.
            before: the same side's network for another draw; it is trained again from another start, because to trace a new
                one takes longer than many of its steps.
        """
        keras.utils.set_random_seed(seed)
        policy, fresh = resolve_precision("auto"), not side.pretrained
        backbone = load_backbone(self.preset, dtype=policy, random_weights=fresh, dropout=side.backbone_dropout)
        model = self.make_model(backbone, dropout=side.head_dropout)
        if side.prepare is not None:
            side.prepare(model)
        if before is not None:
            start_like(before, model)
            model = before
        if side.init_head_from_probe:
            start_head_from_probe(model, self.make_batches(few, self.batch_size).in_order())
        batches = self.make_batches(few, self.batch_size, seed=seed, transform=self.transform)
        steps = min(side.steps, self.most_steps) if self.most_steps else side.steps
        train_briefly(model, batches, side.optimizer, steps=steps)
        return model

    @functools.cached_property
    def test_batches(self) -> tf.data.Dataset:
        """The test examples in order."""
        return self.make_batches(self.test, TEST_BATCH_SIZE).in_order()

    def score(self, model: Supervised) -> float:
        """Returns the accuracy on the test set; a network that is asked again is not traced again."""
        if not self._asked or self._asked[0] is not model:
            self._asked[:] = (model, predictor(model))
        return accuracy(self._asked[1](self.test_batches), self.test)


@dataclasses.dataclass(frozen=True, eq=False)
class Comparison:
    """What `compare` found.

    Attributes:
        labels: labels per class.
        scores: name of the side or baseline -> accuracy of each draw.
        model: the last network of the last side.
    """

    labels: int
    scores: dict[str, list[float]]
    model: Supervised

    def rows(self) -> list[list[Cell]]:
        """Rows of a table with `COLUMNS`: name, labels per class, mean, sample standard deviation."""
        return [
            [name, self.labels, float(np.mean(scores)), float(np.std(scores, ddof=1))]
            for name, scores in self.scores.items()
        ]

    def gain(self) -> Gain:
        """Compares the side `PRETRAINED` with the side `SCRATCH`."""
        return gain_over_scratch(self.scores[PRETRAINED], self.scores[SCRATCH])


def compare(
    trials: Trials, sides: Sequence[Side], *, labels: int, baselines: Mapping[str, Baseline] | None = None
) -> Comparison:
    """Fine-tunes every side on every draw, fits the baselines on the same draws, and prints each side's scores.

    Args:
        trials: what all sides share.
        sides: at least one; the network of the last one is kept.
        labels: labels per class.
        baselines: name -> a model that is fitted on a draw.
    """
    if not sides or not trials.seeds:
        raise ValueError(f"compare: expected at least one side and one seed, received {len(sides)} and {trials.seeds}")
    draws = trials.draws(labels)
    scores = {
        name: [accuracy(predict(few, trials.test), trials.test) for few in draws]
        for name, predict in (baselines or {}).items()
    }
    for side in sides:
        scores[side.name] = []
        before: Supervised | None = None
        for seed, few in enumerate(draws):
            before = model = trials.fine_tune(side, few, seed, before)
            score = trials.score(model)
            scores[side.name].append(score)
            print(f"{trials.train.name}, {labels} labels per class, {side.name}, seed {seed}: {score:.3f}", flush=True)
    return Comparison(labels, scores, model)
