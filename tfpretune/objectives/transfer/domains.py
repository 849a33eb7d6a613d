"""A classifier for a domain without labels: features that neither a second network nor their covariances tell apart."""

import dataclasses
from typing import Any

import keras
import keras_hub
import tensorflow as tf

from tfpretune.objectives.base import Batch, Objective, Term
from tfpretune.objectives.replicas import sum_over_replicas
from tfpretune.objectives.supervised import Supervised
from tfpretune.objectives.targets.base import whole
from tfpretune.objectives.targets.standard import Classification, MultiLabel


class _TwoDomains(Objective):
    """What both objectives share: the classifier, which alone is kept, with its features within reach."""

    def __init__(self, classifier: Supervised, *, name: str | None = None):
        if isinstance(classifier, dict):
            classifier = keras.saving.deserialize_keras_object(classifier)
        if not isinstance(classifier.target, Classification | MultiLabel) or classifier.r_drop:
            raise ValueError(
                "expected a classifier whose target leaves out rows without a label (-1), and r_drop 0, "
                f"received {type(classifier.target).__name__} and r_drop {classifier.r_drop}"
            )
        super().__init__(inputs=classifier.input, outputs=classifier.output, name=name)
        self.classifier = classifier
        target = classifier.target
        self.target = dataclasses.replace(target, may_lack=True) if isinstance(target, Classification) else target
        features = classifier.get_layer("features").output
        self.network = keras.Model(classifier.input, [features, classifier.output], name="features_and_outputs")

    @property
    def backbone(self) -> keras_hub.models.Backbone:
        """The classifier's backbone."""
        return self.classifier.backbone

    def read(self, batch: Batch, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the features `(batch, dim)` and the outputs `(batch, num_outputs)`, float32."""
        _require(batch, "domains", type(self).__name__, "0 for rows of the source, from 1 for others, int32")
        features, outputs = self.network(self.pick_inputs(batch), training=training)
        return tf.cast(features, tf.float32), tf.cast(outputs, tf.float32)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {"classifier": keras.saving.serialize_keras_object(self.classifier), "name": self.name}


@keras.saving.register_keras_serializable("tfpretune")
class DomainAdversarial(_TwoDomains):
    """DANN: features that serve the task and from which a domain head, that does its best, cannot tell the domain.

    Ganin et al. 2016 (arXiv:1505.07818), section 4. The domain head learns from the whole gradient of its loss; the features
    get that gradient turned round and multiplied by `reversal_strength` of the run's progress (section 5.2.2).

    Batches: the classifier's inputs, its labels with -1 where there is none, int32 `domains` `(batch,)` in [0, num_domains),
    and for training float32 `progress` `(batch,)`, the fraction of the run's steps that are over. Progress is a column
    (`tfpretune.data.batches.mixing.progress`) and no counter of the optimizer's, so that it follows from the step alone:
    after a resume, on every replica, and where float16 skips an update.

    Args:
        classifier: with a layer "features"; it is what to save and export in the end (`model.classifier`).
        num_domains: domains to tell apart, at least 2.
        domain_units: width of the domain head's hidden layer.
        domain_weight: factor of the domain head's loss; the paper's is 1.

    Raises:
        ValueError: a classifier of another target than `Classification` or `MultiLabel`, or a setting out of its range.

    Examples:
        >>> import numpy as np
        >>> from tfpretune.backbones import SmallCNN
        >>> from tfpretune.finetune import classifier
        >>> from tfpretune.objectives import DomainAdversarial
        >>> model = DomainAdversarial(classifier(SmallCNN((8, 8, 1), (8,)), 2))
        >>> images = np.zeros((4, 8, 8, 1), "float32")
        >>> batch = {"images": images, "labels": [0, 1, -1, -1], "domains": [0, 0, 1, 1]}
        >>> {name: int(term.count) for name, term in model.terms(batch, training=False).items()}
        {'cross_entropy': 2, 'accuracy': 2, 'domain_cross_entropy': 4, 'domain_accuracy': 4}
    """

    def __init__(
        self,
        classifier: Supervised,
        *,
        num_domains: int = 2,
        domain_units: int = 128,
        domain_weight: float = 1.0,
        name: str | None = None,
    ):
        super().__init__(classifier, name=name)
        if num_domains < 2 or domain_units < 1 or not domain_weight > 0.0:
            raise ValueError(
                "num_domains must be at least 2, domain_units at least 1 and domain_weight above 0, "
                f"received {num_domains}, {domain_units} and {domain_weight}"
            )
        self.num_domains = num_domains
        self.domain_units = domain_units
        self.domain_weight = domain_weight
        hidden = keras.layers.Dense(domain_units, activation="relu", dtype="float32", name="domain_hidden")
        logits = keras.layers.Dense(num_domains, dtype="float32", name="domain_logits")
        self.domain_head = keras.Sequential([hidden, logits], name="domain_head")
        self.domain_head.build((None, self.network.output[0].shape[-1]))
        self.term_names = (*self.target.term_names, "domain_cross_entropy", "domain_accuracy")
        self.add_term_metrics()

    def terms(self, batch: Batch, training: bool) -> dict[str, Term]:
        """The target's terms over the labelled rows, and those of the domain head over all rows."""
        features, outputs = self.read(batch, training)
        if training:
            _require(batch, "progress", type(self).__name__, "the fraction of the steps that are over, float32")
            features = reverse_gradient(features, reversal_strength(batch["progress"]))
        domains = whole(batch["domains"])
        logits = self.domain_head(features, training=training)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(domains, logits)
        hits = tf.cast(tf.argmax(logits, axis=-1, output_type=tf.int32) == domains, tf.float32)
        count = tf.size(domains)
        return self.target.terms(outputs, batch, training) | {
            "domain_cross_entropy": Term(tf.reduce_sum(losses), count, weight=self.domain_weight),
            "domain_accuracy": Term(tf.reduce_sum(hits), count, weight=0.0),
        }

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = ("num_domains", "domain_units", "domain_weight")
        return super().get_config() | {name: getattr(self, name) for name in own}


@keras.saving.register_keras_serializable("tfpretune")
class DeepCoral(_TwoDomains):
    """Deep CORAL: features whose covariance is the same in both domains.

    Sun and Saenko 2016 (arXiv:1607.01719). The covariances are those of the global batch: the sums that they are made of are
    summed over replicas before anything is squared. So a batch cannot be learnt from in parts (`accumulate_steps`).

    Batches: the classifier's inputs, its labels with -1 where there is none, and int32 `domains` `(batch,)`: 0 for the
    source, 1 for the target. A batch with fewer than two rows of either has no distance and counts for none.

    Args:
        classifier: as in `DomainAdversarial`.
        coral_weight: factor of the distance. The paper sets it so that in the end both losses are about as large.
        on_outputs: compare the classifier's outputs, as the paper does, and not its features.

    Raises:
        ValueError: as for `DomainAdversarial`.

    Examples:
        >>> import numpy as np
        >>> from tfpretune.backbones import SmallCNN
        >>> from tfpretune.finetune import classifier
        >>> from tfpretune.objectives import DeepCoral
        >>> model = DeepCoral(classifier(SmallCNN((8, 8, 1), (8,)), 2))
        >>> images = np.random.default_rng(0).random((2, 8, 8, 1), "float32")
        >>> batch = {"images": np.concatenate([images, images]), "labels": [0, 1, -1, -1], "domains": [0, 0, 1, 1]}
        >>> round(float(model.terms(batch, training=False)["coral"].total), 6)  # the same images in both domains
        0.0
    """

    needs_whole_batch = True

    def __init__(
        self,
        classifier: Supervised,
        *,
        coral_weight: float = 1.0,
        on_outputs: bool = False,
        name: str | None = None,
    ):
        super().__init__(classifier, name=name)
        if not coral_weight > 0.0:
            raise ValueError(f"coral_weight must be above 0, received {coral_weight}")
        self.coral_weight = coral_weight
        self.on_outputs = on_outputs
        self.term_names = (*self.target.term_names, "coral")
        self.add_term_metrics()

    def terms(self, batch: Batch, training: bool) -> dict[str, Term]:
        """The target's terms over the labelled rows, and the distance of the covariances."""
        features, outputs = self.read(batch, training)
        compared = outputs if self.on_outputs else features
        coral = coral_term(compared, batch["domains"], weight=self.coral_weight)
        return self.target.terms(outputs, batch, training) | {"coral": coral}

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return super().get_config() | {"coral_weight": self.coral_weight, "on_outputs": self.on_outputs}


def reversal_strength(progress: tf.Tensor) -> tf.Tensor:
    """2 / (1 + exp(-10 p)) - 1: 0 at the start of a run, near 1 from its middle on."""
    return 2.0 / (1.0 + tf.exp(-10.0 * tf.cast(progress, tf.float32))) - 1.0


def reverse_gradient(features: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
    """Returns the features `(batch, dim)`; each row's gradient on its way back is multiplied by -`strength` `(batch,)`."""

    @tf.custom_gradient
    def turned(x: tf.Tensor) -> Any:
        return tf.identity(x), lambda upstream: -tf.cast(strength, upstream.dtype)[:, tf.newaxis] * upstream

    return turned(features)


def coral_term(features: tf.Tensor, domains: tf.Tensor, *, weight: float = 1.0) -> Term:
    """Returns the squared Frobenius distance of two covariances, divided by 4 dim^2 (equations 1 to 3).

    Args:
        features: float32 `(batch, dim)`, this replica's rows.
        domains: int32 `(batch,)`, 0 or 1.
        weight: the term's factor in the loss.

    Returns:
        A term with the global batch's distance, whose gradients, summed over replicas, are those of that distance.
    """
    domains, rows = whole(domains), tf.shape(features)[0]
    moments = [_moments(features, tf.cast(domains == domain, tf.float32)) for domain in (0, 1)]
    local = [*moments[0], *moments[1]]
    summed = sum_over_replicas([tf.stop_gradient(tensor) for tensor in [*local, tf.cast(rows, tf.float32)]])
    joined = [mine + tf.stop_gradient(total - mine) for mine, total in zip(local, summed[:-1], strict=True)]
    apart = _covariance(*joined[:3]) - _covariance(*joined[3:])
    distance = tf.reduce_sum(tf.square(apart)) / (4.0 * features.shape[-1] ** 2)
    measured = tf.cast(tf.minimum(summed[0], summed[3]) > 1.5, tf.float32)
    # `joined` has the values of the whole batch and the gradients of this replica's rows. The value is shared out by rows;
    # the gradient must not be, so it gets back what the division by all rows takes.
    value = tf.stop_gradient(distance)
    count = tf.cast(rows, tf.float32)
    total = measured * (value * count + (distance - value) * summed[-1])
    return Term(total, measured * count, weight=weight)


def _moments(features: tf.Tensor, chosen: tf.Tensor) -> list[tf.Tensor]:
    """Returns number, sum `(dim,)` and sum of outer products `(dim, dim)` of the chosen rows."""
    kept = features * chosen[:, tf.newaxis]
    return [tf.reduce_sum(chosen), tf.reduce_sum(kept, axis=0), tf.matmul(kept, kept, transpose_a=True)]


def _covariance(count: tf.Tensor, total: tf.Tensor, products: tf.Tensor) -> tf.Tensor:
    centred = products - tf.math.divide_no_nan(total[:, tf.newaxis] * total[tf.newaxis, :], count)
    return centred / tf.maximum(count - 1.0, 1.0)


def _require(batch: Batch, column: str, model: str, what: str) -> None:
    if column not in batch:
        raise ValueError(f"{model} needs the column {column!r} ({what}), received {sorted(batch)}")
