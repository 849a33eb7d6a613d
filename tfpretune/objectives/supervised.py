"""The objective of fine-tuned models: the loss of a target as a term."""

from typing import Any

import keras
import keras_hub
import tensorflow as tf

from tfpretune.objectives.base import Batch, Objective, Term
from tfpretune.objectives.targets.base import Target
from tfpretune.runtime.keras_internals import all_layers

OWN = ("target", "r_drop")


@keras.saving.register_keras_serializable("tfpretune")
class Supervised(Objective):
    """A functional model from a backbone's inputs to one output, trained towards a target.

    Batches: the model's inputs and the columns that the target names.

    Args:
        inputs: the model's Keras inputs.
        outputs: `(batch, …, target.num_outputs)`, before the target's activation.
        name: a name.
        target: what the outputs are to say.
        r_drop: see `set_r_drop`.

    Raises:
        ValueError: the outputs' last dimension is not what the target needs.

    Examples:
        >>> import keras, numpy as np
        >>> from tfpretune.objectives import Classification, Supervised
        >>> x = keras.Input((3,), name="x")
        >>> model = Supervised({"x": x}, keras.layers.Dense(2, kernel_initializer="zeros")(x), target=Classification(2))
        >>> model.compile(run_eagerly=True)
        >>> batch = {"x": np.ones((4, 3), "float32"), "labels": np.array([0, 0, 0, 1])}
        >>> found = model.evaluate(batch, verbose=0, return_dict=True)
        >>> {name: round(value, 3) for name, value in sorted(found.items())}  # ln 2: both classes are as likely
        {'accuracy': 0.75, 'cross_entropy': 0.693, 'loss': 0.693}
    """

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None, *, target: Target, r_drop: float = 0.0):
        super().__init__(inputs=inputs, outputs=outputs, name=name)
        if outputs.shape[-1] != target.num_outputs:
            raise ValueError(f"{type(target).__name__} needs {target.num_outputs} outputs, received {outputs.shape}")
        self.target = target
        self.needs_whole_batch = target.whole_batch
        self.set_r_drop(r_drop)

    @property
    def backbone(self) -> keras_hub.models.Backbone:
        """The pre-trained part; of an ensemble the first member's."""
        layers = all_layers(self, include_self=False)
        return next(layer for layer in layers if isinstance(layer, keras_hub.models.Backbone))

    def set_r_drop(self, weight: float) -> None:
        """Sets the weight of the divergence of two passes, from 0, which makes one pass; see `finetune.enable_r_drop`."""
        self.target.require_r_drop(weight)
        self.r_drop = weight
        self.term_names = (*self.target.term_names, "r_drop") if weight else self.target.term_names
        self.add_term_metrics()

    def terms(self, batch: Batch, training: bool) -> dict[str, Term]:
        """The target's terms; with R-Drop the mean loss of two passes, and their divergence."""
        inputs = self.pick_inputs(batch)
        passes = [
            tf.cast(self(inputs, training=training), tf.float32) for _ in range(2 if self.r_drop and training else 1)
        ]
        return self.target.terms_of_passes(passes, batch, training, r_drop=self.r_drop)

    def get_config(self) -> dict[str, Any]:
        """Returns the functional graph's config and this class's own settings."""
        own = {"target": keras.saving.serialize_keras_object(self.target), "r_drop": self.r_drop}
        return super().get_config() | own

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> "Supervised":
        """Rebuilds the model from `get_config`'s answer."""
        graph = {key: value for key, value in config.items() if key not in OWN}
        functional = keras.Model.from_config(graph, custom_objects=custom_objects)
        target = keras.saving.deserialize_keras_object(config["target"], custom_objects=custom_objects)
        return cls(functional.input, functional.output, config["name"], target=target, r_drop=config["r_drop"])
