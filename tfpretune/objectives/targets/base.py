"""What a head is to say, and how wrong it is: the same in one task and in several, in training and in serving."""

import abc
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import keras
import tensorflow as tf

from tfpretune.errors import UsageError
from tfpretune.objectives.terms import Term

Batch = Mapping[str, tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Target(abc.ABC):
    """A head's task: the column with the truth, the loss, the figure to watch, and how raw outputs are read.

    Attributes:
        column: name of the batches' column with the truth.
        term_names: of what `terms` returns; the first is the loss.
        monitor: the term that says how good a model is on the validation set, and whether more is better ("max" or "min").
        whole_batch: the loss compares examples with each other, so a batch cannot be learnt from in parts.

    Examples:
        >>> from tfpretune.objectives import Classification, Target
        >>> target = Classification(3, column="topic")
        >>> isinstance(target, Target), target.num_outputs, target.term_names, target.monitor
        (True, 3, ('cross_entropy', 'accuracy'), ('accuracy', 'max'))
        >>> target.label_range()
        (0, 2)
    """

    column: str = dataclasses.field(default="labels", kw_only=True)
    term_names: ClassVar[tuple[str, ...]]
    monitor: ClassVar[tuple[str, str]]
    whole_batch: ClassVar[bool] = False

    @property
    @abc.abstractmethod
    def num_outputs(self) -> int:
        """The last dimension of the head's outputs."""

    @abc.abstractmethod
    def terms(self, outputs: tf.Tensor, batch: Batch, training: bool) -> dict[str, Term]:
        """Returns the loss and its figures for float32 outputs `(batch, …, num_outputs)`, sums over this replica."""

    @abc.abstractmethod
    def activate(self, outputs: tf.Tensor) -> tf.Tensor:
        """Returns what is served and reported: probabilities, values, unit vectors."""

    def divergence(self, outputs: tf.Tensor, others: tf.Tensor, batch: Batch) -> Term:
        """How far two outputs for the same batch are apart, over the items that the loss counts, too."""
        raise NotImplementedError(f"{type(self).__name__} has no distance between two outputs")

    def require_r_drop(self, weight: float) -> None:
        """Raises UsageError where `terms_of_passes` could not work with this weight of R-Drop."""
        if not weight >= 0.0:
            raise UsageError(f"`enable_r_drop(weight)` must not be negative, received {weight}")
        if weight and type(self).divergence is Target.divergence:
            name = type(self).__name__
            raise UsageError(f"`enable_r_drop(weight)`: {name} has no distance between two outputs; leave it out")

    def terms_of_passes(
        self, passes: Sequence[tf.Tensor], batch: Batch, training: bool, *, r_drop: float
    ) -> dict[str, Term]:
        """The terms; with R-Drop the mean loss of two passes, and their divergence as `r_drop`, 0 in evaluation.

        Args:
            passes: float32 outputs `(batch, …, num_outputs)`, one; two in training with R-Drop.
            batch: the batch.
            training: whether it is learnt from.
            r_drop: weight of the divergence, halved as the loss is; 0 for one pass alone.
        """
        terms = self.terms(passes[0], batch, training)
        if not r_drop:
            return terms
        apart = Term(tf.constant(0.0), tf.constant(0.0))
        if training:
            again = self.terms(passes[1], batch, training)
            for name, term in terms.items():
                if term.weight:
                    terms[name] = term._replace(total=(term.total + again[name].total) / 2.0)
            apart = self.divergence(passes[0], passes[1], batch)
        return terms | {"r_drop": apart._replace(weight=r_drop / 2.0)}

    def label_range(self) -> tuple[float, float] | None:
        """The lowest and the highest value that `column` may hold; None: any, and NaN, too."""
        return None

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return dataclasses.asdict(self)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Target":
        """Rebuilds the target; lists, as JSON has them, become tuples."""
        own: dict[str, Any] = {key: tuple(x) if isinstance(x, list) else x for key, x in config.items()}
        return cls(**own)


def was_called(name: str) -> Callable[[type], type]:
    """Lets Keras load models that were saved when a class had another name.

    Args:
        name: the class's name of before.
    """

    def known(cls: type) -> type:
        keras.saving.get_custom_objects()[f"tfpretune>{name}"] = cls
        return cls

    return known


def whole(labels: Any) -> tf.Tensor:
    """Returns labels of any number type as int32; floats are checked in the graph."""
    labels = tf.convert_to_tensor(labels)
    if labels.dtype.is_floating:
        tf.debugging.assert_equal(labels, tf.round(labels), "classes must be whole numbers")
    return tf.cast(labels, tf.int32)
