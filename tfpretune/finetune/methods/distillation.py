"""Distillation: a small model learns what a big one answers, on labelled and on unlabelled examples."""

import dataclasses
from collections.abc import Iterable

import keras
import numpy as np
import tensorflow as tf

from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.errors import UsageError
from tfpretune.objectives import Classification, Supervised, Target, Term
from tfpretune.objectives.base import Batch
from tfpretune.objectives.targets.base import was_called

ANSWERS = "teacher_logits"


@was_called("SoftClasses")
@keras.saving.register_keras_serializable("tfpretune")
@dataclasses.dataclass(frozen=True)
class SoftClassification(Target):
    """Classes as a teacher sees them (Hinton et al. 2015, arXiv:1503.02531, section 2).

    The loss is `(1 - share) * cross-entropy + share * T^2 * KL(teacher || student)`, both distributions at temperature T.
    Batches have the teacher's logits as float32 `teacher_logits` `(batch, num_classes)`; labels are int32, -1 where there is
    none: such a row has the second part only. Each part is a mean over the rows that have it. Without the column, as a
    validation set may be, the second part is 0.

    Args:
        num_classes: at least 2.
        share: of the teacher's part, in [0, 1].
        temperature: T, above 0; the higher, the more the small probabilities count.
        label_smoothing: of the first part; see `Classification`.
        class_weights: of the first part; see `Classification`.

    Examples:
        >>> import tensorflow as tf
        >>> from tfpretune.finetune import SoftClassification
        >>> logits = tf.constant([[2.0, 0.0], [0.0, 2.0]])
        >>> batch = {"labels": [0, -1], "teacher_logits": logits}  # the student says what the teacher says
        >>> terms = SoftClassification(2).terms(logits, batch, training=True)
        >>> {name: float(term.count) for name, term in terms.items()}
        {'cross_entropy': 1.0, 'distillation': 2.0, 'accuracy': 1.0}
        >>> float(terms["distillation"].total)
        0.0
    """

    num_classes: int
    share: float = 0.5
    temperature: float = 2.0
    label_smoothing: float = 0.0
    class_weights: tuple[float, ...] | None = None
    term_names = ("cross_entropy", "distillation", "accuracy")
    monitor = ("accuracy", "max")

    def __post_init__(self) -> None:
        if not 0.0 <= self.share <= 1.0 or not self.temperature > 0.0:
            raise ValueError(
                f"share must be in [0, 1], temperature above 0, received {self.share} and {self.temperature}"
            )
        self.classes  # noqa: B018  refuses the rest

    @property
    def classes(self) -> Classification:
        """The target without a teacher."""
        return Classification(
            self.num_classes,
            label_smoothing=self.label_smoothing,
            class_weights=self.class_weights,
            column=self.column,
        )

    @property
    def num_outputs(self) -> int:
        """A logit for each class."""
        return self.num_classes

    def terms(self, outputs: tf.Tensor, batch: Batch, training: bool) -> dict[str, Term]:
        """Cross-entropy and accuracy over the rows with a label, the divergence from the teacher over all."""
        hard = self.classes.terms(outputs, batch, training)
        return {
            "cross_entropy": hard["cross_entropy"]._replace(weight=1.0 - self.share),
            "distillation": self._divergence_from_teacher(outputs, batch, training)._replace(weight=self.share),
            "accuracy": hard["accuracy"],
        }

    def activate(self, outputs: tf.Tensor) -> tf.Tensor:
        """Probabilities that sum to 1."""
        return tf.nn.softmax(outputs)

    def divergence(self, outputs: tf.Tensor, others: tf.Tensor, batch: Batch) -> Term:
        """See `Classification.divergence`; over all rows, as the teacher has an answer for each."""
        return self.classes.divergence(outputs, others, {self.column: tf.zeros_like(batch[self.column])})

    def label_range(self) -> tuple[int, int]:
        """The classes, and -1."""
        return -1, self.num_classes - 1

    def _divergence_from_teacher(self, outputs: tf.Tensor, batch: Batch, training: bool) -> Term:
        if ANSWERS not in batch:
            if training:
                raise ValueError(f"the batch lacks the column {ANSWERS}: add it with `with_teacher`")
            return Term(tf.constant(0.0), tf.constant(0.0))
        teacher = tf.nn.log_softmax(tf.cast(batch[ANSWERS], tf.float32) / self.temperature)
        student = tf.nn.log_softmax(outputs / self.temperature)
        apart = tf.reduce_sum(tf.exp(teacher) * (teacher - student), axis=-1)
        return Term(self.temperature**2 * tf.reduce_sum(apart), tf.size(apart))


def teacher_answers(teacher: Supervised, batches: Iterable[Batch]) -> np.ndarray:
    """Returns a classifier's logits, float32 `(rows, classes)`, in the order of the batches, without dropout.

    Args:
        teacher: a classifier of whole examples.
        batches: its own inputs: its tokenizer and its sequence length may be other ones than the student's.
    """
    if len(teacher.output.shape) != 2:
        raise UsageError(f"a teacher has one answer per example, {teacher.name} has {teacher.output.shape}")
    rows = {name: tf.TensorSpec((None, *x.shape[1:]), x.dtype) for name, x in teacher.input.items()}
    call = tf.function(lambda inputs: tf.cast(teacher(inputs, training=False), tf.float32), input_signature=[rows])
    return np.concatenate([call(teacher.pick_inputs(batch)).numpy() for batch in batches])


def with_teacher(batches: StepIndexed, answers: np.ndarray) -> StepIndexed:
    """Adds the teacher's answers as a column, computed once: fast, the same on any number of replicas and after a resume.

    With augmentation they are the answers for the examples as they are, not as the student sees them.

    Args:
        batches: the student's.
        answers: from `teacher_answers` on the same examples, in their order.
    """
    columns = dict(batches.columns) | {ANSWERS: answers.astype(np.float32)}
    return StepIndexed(columns, batches.batch_size, seed=batches.seed, transform=batches.transform, load=batches.load)


def without_teacher(student: Supervised) -> Supervised:
    """Returns the same network as a plain classifier, to be saved and used as any other. It shares the weights.

    Examples:
        >>> from tfpretune.backbones import SmallCNN
        >>> from tfpretune.finetune import SoftClassification, pooled_head, without_teacher
        >>> student = pooled_head(SmallCNN((8, 8, 1), (8,)), SoftClassification(2))
        >>> model = without_teacher(student)
        >>> type(student.target).__name__, type(model.target).__name__, model.output.shape
        ('SoftClassification', 'Classification', (None, 2))
    """
    if not isinstance(student.target, SoftClassification):
        raise ValueError(f"expected a student with the target SoftClassification, received {student.target}")
    with student.distribute_strategy.scope():
        return Supervised(student.input, student.output, student.name, target=student.target.classes)
