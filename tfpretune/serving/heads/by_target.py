"""Which head serves which target."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from tfpretune.errors import UsageError
from tfpretune.objectives.targets.base import Target
from tfpretune.objectives.targets.contrastive import SupervisedContrastive
from tfpretune.objectives.targets.extractive_qa import ExtractiveQA
from tfpretune.objectives.targets.standard import Classification, MultiLabel, Regression
from tfpretune.serving.heads.base import Head
from tfpretune.serving.heads.pixels import PixelsHead
from tfpretune.serving.heads.pooled import ClassHead, LabelsHead, NumbersHead, VectorHead
from tfpretune.serving.heads.spans import SpanHead
from tfpretune.serving.heads.tags import TagHead


class _Facts(NamedTuple):
    """What the heads are made from besides their target."""

    names: tuple[str, ...]
    shape: tuple[int, ...]
    threshold: float
    longest_answer: int


HEADS: dict[tuple[type[Target], int], Callable[[Target, _Facts], Head]] = {
    (Classification, 2): lambda target, facts: ClassHead(target, facts.names),
    (Classification, 3): lambda target, facts: TagHead(target, facts.names),
    (Classification, 4): lambda target, facts: PixelsHead(target, facts.names, (facts.shape[1], facts.shape[2])),
    (MultiLabel, 2): lambda target, facts: LabelsHead(target, facts.names, facts.threshold),
    (Regression, 2): lambda target, facts: NumbersHead(target),
    (SupervisedContrastive, 2): lambda target, facts: VectorHead(target),
    (ExtractiveQA, 3): lambda target, facts: SpanHead(target, longest_answer=facts.longest_answer),
}
"""(target, rank of the outputs) -> the head. A target of a kind of these is served as that kind."""


def heads_of(
    model: Any,
    class_names: Sequence[str] | Mapping[str, Sequence[str]],
    *,
    threshold: float = 0.5,
    longest_answer: int = 30,
) -> dict[str, Head]:
    """Returns how each head of a model is served: by task, or under "" where there is one head.

    Args:
        model: with a `target`, or `targets` by task.
        class_names: of each output, in order; with `targets` by task. Empty where outputs have no names.
        threshold: see `LabelsHead`.
        longest_answer: see `spans.SpanHead`.

    Raises:
        UsageError: the names do not fit the model, or the settings are out of range.
    """
    if not 0.0 < threshold < 1.0 or longest_answer < 1:
        raise UsageError(
            f"threshold must be in (0, 1) and longest_answer at least 1, received {threshold} and {longest_answer}"
        )
    head = functools.partial(_head, threshold=threshold, longest_answer=longest_answer)
    if not hasattr(model, "targets"):
        if isinstance(class_names, Mapping):
            raise UsageError(f"class_names by task need a model with several tasks, {model.name} has one")
        target = getattr(model, "target", None) or Classification(model.output.shape[-1])
        return {"": head(target, model.output, class_names)}
    if not isinstance(class_names, Mapping) or set(class_names) - set(model.targets):
        raise UsageError(f"class_names must be given by task ({', '.join(model.targets)}), received {class_names!r}")
    return {task: head(target, model.output[task], class_names.get(task, ())) for task, target in model.targets.items()}


def _head(target: Target, output: Any, class_names: Sequence[str], *, threshold: float, longest_answer: int) -> Head:
    facts = _Facts(_checked(target, output, class_names), tuple(output.shape), threshold, longest_answer)
    for kind in type(target).__mro__:
        if (make := HEADS.get((kind, len(facts.shape)))) is not None:
            return make(target, facts)
    raise UsageError(f"a model towards {type(target).__name__} with outputs {output.shape} has no served form")


def _checked(target: Target, output: Any, class_names: Sequence[str]) -> tuple[str, ...]:
    if not isinstance(target, Classification | MultiLabel):
        if class_names:
            raise UsageError(f"a model towards {type(target).__name__} has no classes, received {list(class_names)}")
        return ()
    if output.shape[-1] != len(class_names):
        shape = tuple(output.shape)
        raise UsageError(f"the model answers {shape}, which does not fit {len(class_names)} class_names")
    if len(set(class_names)) != len(class_names):
        raise UsageError(f"class_names must all be different, received {list(class_names)}")
    wrong = [label for label in class_names if label.splitlines() != [label]]
    if wrong:
        raise UsageError(f"class names must be one line each and not empty, received {wrong[0]!r}")
    return tuple(class_names)
