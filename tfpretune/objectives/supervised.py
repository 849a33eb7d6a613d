"""The objective of fine-tuned models: the task's loss as a term."""

from typing import Any

import keras
import keras_hub
import tensorflow as tf

from tfpretune.objectives.base import Batch, Objective, Term


@keras.saving.register_keras_serializable("tfpretune")
class Supervised(Objective):
    """A functional model from a backbone's inputs to class logits `(batch, num_classes)`, trained with cross-entropy.

    Batches: the model's inputs and int32 `labels` `(batch,)` in [0, num_classes).

    Args:
        inputs: the model's Keras inputs.
        outputs: float32 logits.
        name: a name.
        label_smoothing: share of the target spread over all classes, in [0, 1) (Szegedy et al. 2015, section 7).
        class_weights: one factor for each class; an example counts as much as its class's factor.
    """

    term_names = ("cross_entropy", "accuracy")

    def __init__(
        self,
        inputs: Any,
        outputs: Any,
        name: str | None = None,
        *,
        label_smoothing: float = 0.0,
        class_weights: tuple[float, ...] | None = None,
    ):
        super().__init__(inputs=inputs, outputs=outputs, name=name)
        if not 0.0 <= label_smoothing < 1.0:
            raise ValueError(f"label_smoothing must be in [0, 1), received {label_smoothing}")
        if class_weights is not None and len(class_weights) != outputs.shape[-1]:
            raise ValueError(f"class_weights needs {outputs.shape[-1]} values, received {len(class_weights)}")
        self.label_smoothing = label_smoothing
        self.class_weights = None if class_weights is None else tuple(class_weights)
        self.add_term_metrics()

    @property
    def backbone(self) -> keras_hub.models.Backbone:
        """The pre-trained part."""
        return next(layer for layer in self.layers if isinstance(layer, keras_hub.models.Backbone))

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return self.output.shape[-1]

    def terms(self, batch: Batch, training: bool) -> dict[str, Term]:
        """Cross-entropy and accuracy over the examples."""
        labels = batch["labels"]
        logits = tf.cast(self(self.pick_inputs(batch), training=training), tf.float32)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        if self.label_smoothing and training:
            uniform = -tf.reduce_mean(tf.nn.log_softmax(logits), axis=-1)
            losses = (1.0 - self.label_smoothing) * losses + self.label_smoothing * uniform
        weights = (
            tf.ones_like(losses) if self.class_weights is None else tf.gather(tf.constant(self.class_weights), labels)
        )
        hits = tf.cast(tf.argmax(logits, axis=-1, output_type=tf.int32) == labels, tf.float32)
        return {
            "cross_entropy": Term(tf.reduce_sum(losses * weights), tf.reduce_sum(weights)),
            "accuracy": Term(tf.reduce_sum(hits), tf.size(labels), weight=0.0),
        }

    def get_config(self) -> dict[str, Any]:
        """Returns the functional graph's config and this class's own settings."""
        return super().get_config() | {"label_smoothing": self.label_smoothing, "class_weights": self.class_weights}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> "Supervised":
        """Rebuilds the model from `get_config`'s answer."""
        own = {key: config[key] for key in ("label_smoothing", "class_weights")}
        graph = {key: value for key, value in config.items() if key not in own}
        functional = keras.Model.from_config(graph, custom_objects=custom_objects)
        return cls(functional.input, functional.output, config["name"], **own)
