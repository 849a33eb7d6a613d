"""What a served model says: the outputs of its head as named answers, decided by the target that it was trained towards."""

import abc
import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import tensorflow as tf

from tfpretune.config import UsageError
from tfpretune.objectives.similar import Similar
from tfpretune.objectives.target import Target
from tfpretune.objectives.targets import Classes, MultiLabel, Numbers, Spans

Answers = dict[str, tf.Tensor]
CLOSE = 1e-4
"""Two candidates this near to each other in probability or score may change places by rounding."""


@dataclasses.dataclass(frozen=True)
class Head(abc.ABC):
    """One head of a model, as it is served.

    Args:
        target: what the head was trained towards.
        class_names: name of each output, where outputs have names.

    Attributes:
        says: the kind of its answers, in a word; stored with the export.
        padded: the answers whose second dimension is as long as the longest in the batch.
    """

    target: Target
    class_names: tuple[str, ...] = ()
    says: ClassVar[str]
    padded: ClassVar[tuple[str, ...]] = ()

    @abc.abstractmethod
    def answers(self, outputs: tf.Tensor, context: Any = None) -> Answers:
        """Returns the named answers; their first dimension is what was sent.

        Args:
            outputs: float32, of the model, `(rows, …, target.num_outputs)`.
            context: of the `Rows` that the model was called with.
        """

    @abc.abstractmethod
    def described(self) -> dict[str, str]:
        """Returns type and shape of each answer, for the model card."""

    def unsure(self, outputs: tf.Tensor, context: Any = None) -> Answers:
        """Returns where rounding may turn an answer that is no float: bools of the answers' shapes, by their names."""
        del outputs, context
        return {}

    def about(self) -> dict[str, Any]:
        """Returns what `metadata.json` says of the head; JSON values."""
        names = {"class_names": list(self.class_names)} if self.class_names else {}
        return {"says": self.says, "target": type(self.target).__name__, "outputs": self.described()} | names


class ClassHead(Head):
    """One class for each example."""

    says = "class"

    def answers(self, outputs: tf.Tensor, context: Any = None) -> Answers:
        """The probabilities, the name of the likeliest class, and the logits."""
        del context
        label = tf.gather(tf.constant(self.class_names), tf.argmax(outputs, axis=-1))
        return {"probabilities": self.target.activate(outputs), "label": label, "scores": outputs}

    def unsure(self, outputs: tf.Tensor, context: Any = None) -> Answers:
        """Labels whose runner-up is near."""
        del context
        return {"label": runner_up_is_near(self.target.activate(outputs))}

    def described(self) -> dict[str, str]:
        """See `Head`."""
        shape = f"`(batch, {len(self.class_names)})`"
        scores = f"float32 {shape} (logits)"
        return {"probabilities": f"float32 {shape}", "label": "string `(batch,)`", "scores": scores}


@dataclasses.dataclass(frozen=True)
class LabelsHead(Head):
    """Any number of labels for each example: those with at least this probability fit."""

    threshold: float = 0.5
    says = "labels"

    def answers(self, outputs: tf.Tensor, context: Any = None) -> Answers:
        """Each label's probability, whether it fits, and its name, so that an answer can be read alone."""
        del context
        probabilities = self.target.activate(outputs)
        names = tf.tile(tf.constant([self.class_names]), [tf.shape(outputs)[0], 1])
        return {"probabilities": probabilities, "fits": probabilities >= self.threshold, "labels": names}

    def unsure(self, outputs: tf.Tensor, context: Any = None) -> Answers:
        """Probabilities near the threshold."""
        del context
        return {"fits": tf.abs(self.target.activate(outputs) - self.threshold) < CLOSE}

    def described(self) -> dict[str, str]:
        """See `Head`."""
        shape = f"`(batch, {len(self.class_names)})`"
        fits = f"bool {shape}: probability at least {self.threshold:g}"
        return {"probabilities": f"float32 {shape}", "fits": fits, "labels": f"string {shape}: the labels' names"}

    def about(self) -> dict[str, Any]:
        """See `Head`."""
        return super().about() | {"threshold": self.threshold}


class NumbersHead(Head):
    """A number for each example, or several, in the data's units."""

    says = "numbers"

    def answers(self, outputs: tf.Tensor, context: Any = None) -> Answers:
        """The numbers."""
        del context
        return {"values": self.target.activate(outputs)}

    def described(self) -> dict[str, str]:
        """See `Head`."""
        return {"values": f"float32 `(batch, {self.target.num_outputs})`, in the units of the training labels"}


class VectorHead(Head):
    """A vector of length 1 for each example."""

    says = "vector"

    def answers(self, outputs: tf.Tensor, context: Any = None) -> Answers:
        """The vector."""
        del context
        return {"embedding": self.target.activate(outputs)}

    def described(self) -> dict[str, str]:
        """See `Head`."""
        return {"embedding": f"float32 `(batch, {self.target.num_outputs})`, of length 1"}


@dataclasses.dataclass(frozen=True)
class PixelsHead(Head):
    """A class for each pixel of the model's image size."""

    size: tuple[int, int] = (0, 0)
    says = "pixels"

    def answers(self, outputs: tf.Tensor, context: Any = None) -> Answers:
        """The likeliest class of each pixel, and its probability."""
        del context
        classes = tf.argmax(outputs, axis=-1, output_type=tf.int32)
        return {"classes": classes, "probabilities": tf.reduce_max(self.target.activate(outputs), axis=-1)}

    def unsure(self, outputs: tf.Tensor, context: Any = None) -> Answers:
        """Pixels whose runner-up is near."""
        del context
        return {"classes": runner_up_is_near(self.target.activate(outputs))}

    def described(self) -> dict[str, str]:
        """See `Head`."""
        shape = f"`(batch, {self.size[0]}, {self.size[1]})`"
        classes = f"int32 {shape}: index of each pixel's class, in the order above"
        return {"classes": classes, "probabilities": f"float32 {shape}: of that class"}


def runner_up_is_near(probabilities: tf.Tensor) -> tf.Tensor:
    """Returns whether the two highest values of the last dimension are within `CLOSE`."""
    best = tf.math.top_k(probabilities, 2).values
    return best[..., 0] - best[..., 1] < CLOSE


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
        longest_answer: see `span_head.SpanHead`.

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
        target = getattr(model, "target", None) or Classes(model.output.shape[-1])
        return {"": head(target, model.output, class_names)}
    if not isinstance(class_names, Mapping) or set(class_names) - set(model.targets):
        raise UsageError(f"class_names must be given by task ({', '.join(model.targets)}), received {class_names!r}")
    return {task: head(target, model.output[task], class_names.get(task, ())) for task, target in model.targets.items()}


def _head(target: Target, output: Any, class_names: Sequence[str], *, threshold: float, longest_answer: int) -> Head:
    from tfpretune.serving.span_head import SpanHead
    from tfpretune.serving.tag_head import TagHead

    names = _checked(target, output, class_names)
    rank = len(output.shape)
    if isinstance(target, Numbers):
        return NumbersHead(target)
    if isinstance(target, Similar):
        return VectorHead(target)
    if isinstance(target, Spans):
        return SpanHead(target, longest_answer=longest_answer)
    if isinstance(target, MultiLabel):
        return LabelsHead(target, names, threshold)
    if isinstance(target, Classes) and rank == 2:
        return ClassHead(target, names)
    if isinstance(target, Classes) and rank == 3:
        return TagHead(target, names)
    if isinstance(target, Classes) and rank == 4:
        return PixelsHead(target, names, (output.shape[1], output.shape[2]))
    raise UsageError(f"a model towards {type(target).__name__} with outputs {output.shape} has no served form")


def _checked(target: Target, output: Any, class_names: Sequence[str]) -> tuple[str, ...]:
    if not isinstance(target, Classes | MultiLabel):
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
