"""From labelled source domains to a target domain: each method as one function that trains a classifier."""

import dataclasses
import math
from collections.abc import Callable

import keras
import numpy as np

from tfpretune.backbones.by_name import load_backbone, load_tokenizer
from tfpretune.data.batches.mixing import Mixed, batch_fractions, progress
from tfpretune.data.batches.step_indexed import StepIndexed, Transform
from tfpretune.data.batches.transforms import masked_tokens
from tfpretune.data.examples.examples import Examples
from tfpretune.data.sources.labelled import LabelledSplits
from tfpretune.data.text.tokens import pack
from tfpretune.errors import UsageError
from tfpretune.evaluation.predict import predict_outputs
from tfpretune.experiments.adaptation.inputs import Inputs
from tfpretune.experiments.adaptation.settings import Strengths
from tfpretune.finetune.methods.pseudo_labels import choose_pseudo_labels
from tfpretune.objectives import MaskedLM, Supervised
from tfpretune.objectives.transfer.domains import DeepCoral, DomainAdversarial
from tfpretune.settings.run import OptimizerConfig
from tfpretune.training import resolve_precision
from tfpretune.training.loop.trials import train_briefly
from tfpretune.training.presets import save_preset

PREDICT_BATCH_SIZE = 256
UNKNOWN = {"labels": -1, "sources": -1}


@dataclasses.dataclass(frozen=True, eq=False)
class Domains:
    """What all trials share: data, network, budget.

    Args:
        sources: labelled domains; in every batch they have equal shares, whatever their sizes.
        target: another domain with the same classes. Only `target_only` and the score read its labels.
        inputs: how examples become batches and classifiers.
        optimizer: the update rule.
        steps: optimizer steps of every method.
        batch_size: labelled examples per step; methods that look at the target see as many of its examples beside them.
        strengths: of the methods.
    """

    sources: tuple[LabelledSplits, ...]
    target: LabelledSplits
    inputs: Inputs
    optimizer: OptimizerConfig
    steps: int
    batch_size: int
    strengths: Strengths = dataclasses.field(default_factory=Strengths)

    def __post_init__(self) -> None:
        """Refuses domains with other classes."""
        for part in self.sources:
            if part.class_names != self.target.class_names:
                raise UsageError(
                    f"--source {part.train.name} has the classes {', '.join(part.class_names)} and "
                    f"--target {self.target.train.name} {', '.join(self.target.class_names)}: they must be the same"
                )

    @property
    def unlabelled(self) -> Examples:
        """The target's training examples as a method may see them."""
        return dataclasses.replace(self.target.train, labels=None, class_names=())

    def new_model(self, seed: int, preset: str = "") -> Supervised:
        """Returns a classifier with the start weights of a seed."""
        keras.utils.set_random_seed(seed)
        return self.inputs.make_model(preset)

    def labelled(self, seed: int) -> StepIndexed:
        """Returns batches of the sources, equally of each."""
        shares = batch_fractions([len(part.train) for part in self.sources], self.batch_size, temperature=math.inf)
        parts = [
            self.inputs.make_batches(part.train, share, seed=seed * 100 + number, transform=self.inputs.transform)
            for number, (part, share) in enumerate(zip(self.sources, shares, strict=True))
        ]
        return Mixed(parts, column="sources")

    def beside(self, examples: Examples, seed: int, *, transform: Transform | None = None) -> StepIndexed:
        """Returns batches of the sources (`domains` 0) and as many of these examples (`domains` 1)."""
        share = min(self.batch_size, len(examples))
        others = self.inputs.make_batches(examples, share, seed=seed * 100 + 99, transform=self.inputs.transform)
        return Mixed([self.labelled(seed), others], fill=UNKNOWN, transform=transform)

    def train(self, model: keras.Model, batches: StepIndexed, *, steps: int | None = None) -> None:
        """Trains for N steps, by default for all of them."""
        train_briefly(model, batches, self.optimizer, steps=self.steps if steps is None else steps)

    def probabilities(self, model: Supervised, examples: Examples) -> np.ndarray:
        """Returns `(examples, classes)`, without augmentation."""
        return predict_outputs(model, self.inputs.make_batches(examples, PREDICT_BATCH_SIZE).in_order())


@dataclasses.dataclass(frozen=True, eq=False)
class Adapted:
    """What a method made: the classifier, without whatever helped to train it, and what is to be said about the way."""

    model: Supervised
    notes: dict[str, float] = dataclasses.field(default_factory=dict)


def source_only(domains: Domains, seed: int) -> Adapted:
    """Trains on the sources and never looks at the target."""
    model = domains.new_model(seed)
    domains.train(model, domains.labelled(seed))
    return Adapted(model)


def dann(domains: Domains, seed: int) -> Adapted:
    """Features that a domain head cannot tell apart: see `DomainAdversarial`."""
    model = domains.new_model(seed)
    objective = DomainAdversarial(model, domain_weight=domains.strengths.domain_weight)
    batches = domains.beside(domains.unlabelled, seed, transform=progress(domains.steps))
    domains.train(objective, batches)
    return Adapted(model)


def coral(domains: Domains, seed: int) -> Adapted:
    """Features with the same covariance in both domains: see `DeepCoral`."""
    model = domains.new_model(seed)
    objective = DeepCoral(model, coral_weight=domains.strengths.coral_weight)
    domains.train(objective, domains.beside(domains.unlabelled, seed))
    return Adapted(model)


def pseudo_labels(domains: Domains, seed: int) -> Adapted:
    """Trains on the sources, then, some times over, goes on with its own confident answers on the target beside them.

    The notes say how many answers were kept in each round and, for information, how many of those were right.
    """
    domains.strengths.require_steps(domains.steps)
    model, rounds = domains.new_model(seed), domains.strengths.rounds
    steps = domains.steps // (rounds + 1)
    domains.train(model, domains.labelled(seed), steps=domains.steps - rounds * steps)
    examples, notes = domains.unlabelled, dict[str, float]()
    most = -(-len(examples) // len(domains.target.class_names))
    for number in range(1, rounds + 1):
        found = choose_pseudo_labels(
            domains.probabilities(model, examples), threshold=domains.strengths.threshold, most_per_class=most
        )
        notes[f"round {number}: kept"] = len(found)
        notes[f"round {number}: right"] = found.right(domains.target.train.known_labels)
        batches = domains.labelled(seed + number)
        if len(found):
            kept = examples.take(found.rows)
            kept = dataclasses.replace(kept, labels=found.labels, class_names=domains.target.class_names)
            batches = domains.beside(kept, seed + number)
        domains.train(model, batches, steps=steps)
    return Adapted(model, notes)


def target_only(domains: Domains, seed: int) -> Adapted:
    """Trains on the target's labels: what could be reached."""
    model = domains.new_model(seed)
    inputs, examples = domains.inputs, domains.target.train
    batches = inputs.make_batches(examples, domains.batch_size, seed=seed * 100, transform=inputs.transform)
    domains.train(model, batches)
    return Adapted(model)


METHODS: dict[str, Callable[[Domains, int], Adapted]] = {
    "source-only": source_only,
    "dann": dann,
    "coral": coral,
    "pseudo-labels": pseudo_labels,
    "target-only": target_only,
}


def from_adapted(preset: str) -> Callable[[Domains, int], Adapted]:
    """Returns the method DAPT: `source_only` from a preset that was trained on with the target's texts."""

    def dapt(domains: Domains, seed: int) -> Adapted:
        model = domains.new_model(seed, preset)
        domains.train(model, domains.labelled(seed))
        return Adapted(model)

    return dapt


def adapt_preset(
    preset: str, folder: str, texts: Examples, *, optimizer: OptimizerConfig, steps: int, sequence_length: int
) -> None:
    """Goes on with the masked language model of a preset on unlabelled texts (DAPT, Gururangan et al. 2020, arXiv:2004.10964).

    Args:
        preset: with its tokenizer, which stays.
        folder: where the new preset is written.
        texts: of the target domain.
        optimizer: the update rule.
        steps: optimizer steps of 32 rows.
        sequence_length: tokens in a row.
    """
    tokenizer = load_tokenizer(preset)
    keras.utils.set_random_seed(0)
    model = MaskedLM(load_backbone(preset, dtype=resolve_precision("auto")))
    rows = pack(tokenizer, texts.require_kind("text").inputs, sequence_length=sequence_length)
    batches = StepIndexed({"token_ids": rows}, 32, transform=masked_tokens(tokenizer, 0.4))
    train_briefly(model, batches, optimizer, steps=steps)
    save_preset(folder, model, tokenizer=tokenizer)
