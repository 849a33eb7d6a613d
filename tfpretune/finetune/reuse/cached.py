"""The features of a frozen backbone, computed once: the head then learns on them, the same as it would on the whole model."""

import hashlib
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfpretune.data.batches.step_indexed import Batch, StepIndexed
from tfpretune.errors import UsageError
from tfpretune.objectives import Supervised
from tfpretune.runtime.keras_internals import all_layers, history_of, inbound_nodes, seed_generators, set_history
from tfpretune.runtime.phases import phase

CUT = "features"
MOST_BYTES = 4 << 30


class CachedHead(Supervised):
    """What comes after the layer "features" of a model, with the model's own layers: what it learns the model has learnt.

    It has the model's target and its `backbone`, whose variables are not among its own: checkpoints hold the head alone. For
    everything but training and evaluating, take the model.

    Args:
        model: a `Supervised` with a layer "features".

    Raises:
        UsageError: there is no such layer.
    """

    def __init__(self, model: Supervised):
        cut = _cut(model)
        names = {id(tensor): name for name, tensor in model.input.items()}
        needed = [tensor for tensor in _inputs(model.output, cut) if id(tensor) in names]
        histories = [history_of(tensor) for tensor in needed]
        graph = keras.Model([cut, *needed], model.output)
        for tensor, history in zip(needed, histories, strict=True):
            set_history(tensor, history)  # Keras gives the inputs new ones, and could not save the model any more
        inputs = {CUT: keras.Input(cut.shape[1:], dtype=cut.dtype, name=CUT)}
        for tensor in needed:
            inputs[names[id(tensor)]] = keras.Input(tensor.shape[1:], dtype=tensor.dtype, name=names[id(tensor)])
        outputs = graph.call(list(inputs.values()))  # not graph(…), so that the layers are this model's own
        super().__init__(inputs, outputs, f"{model.name}_head", target=model.target, r_drop=model.r_drop)
        self._backbone = lambda: model.backbone  # Keras would take a layer or a variable for its own

    @property
    def backbone(self) -> Any:
        """The model's backbone, which is not part of this."""
        return self._backbone()

    def digest(self) -> str:
        """Returns a sha256 of the backbone's weights, which a run on features must find unchanged when it goes on."""
        sums = hashlib.sha256()
        for weight in self.backbone.weights:
            sums.update(np.ascontiguousarray(weight.numpy()).tobytes())
        return sums.hexdigest()


@phase("computing the features once")
def with_cached_features(
    model: Supervised, batches: StepIndexed, *, most_bytes: int = MOST_BYTES
) -> tuple[CachedHead, StepIndexed]:
    """Computes the features of all training rows once and keeps them in memory.

    Training the returned head on the returned batches makes the same steps as training the model on its own batches, but for
    rounding. The head's layers are the model's, so the model is trained when the head is.

    Args:
        model: a `Supervised` that is not compiled, whose backbone is frozen and has no dropout.
        batches: the training batches. What their transform makes must not depend on its seed.
        most_bytes: refuse features that take more.

    Returns:
        The head, and its batches: the same rows in the same order with `features` in the place of the inputs.

    Raises:
        UsageError: the backbone learns, or something is drawn anew in every step, or the features are too big.

    Examples:
        >>> import numpy as np
        >>> from tfpretune.backbones import SmallCNN
        >>> from tfpretune.data import StepIndexed
        >>> from tfpretune.finetune import classifier, freeze, with_cached_features
        >>> model = classifier(SmallCNN((8, 8, 1), (8,)), 2)
        >>> rows = freeze(model, "all")
        >>> batches = StepIndexed({"images": np.zeros((4, 8, 8, 1), "float32"), "labels": np.array([0, 1, 0, 1])}, 2)
        >>> head, cached = with_cached_features(model, batches)
        features of 4 rows are kept in memory: 0.0 MiB
        >>> cached
        <StepIndexed: 4 rows in batches of 2: features float32 (8,), labels int64 ()>
    """
    _refuse_what_learns(model)
    _refuse_what_is_random(model, batches)
    with model.distribute_strategy.scope():
        head = CachedHead(model)
    columns = _columns(model, head, batches.in_order(), training=True, rows=batches.num_rows, most_bytes=most_bytes)
    size = sum(column.nbytes for column in columns.values())
    print(f"features of {batches.num_rows:,} rows are kept in memory: {size / 2**20:,.1f} MiB", flush=True)
    return head, StepIndexed(columns, batches.batch_size, seed=batches.seed)


def cache_in_order(model: Supervised, head: CachedHead, batches: tf.data.Dataset) -> tf.data.Dataset:
    """Returns batches to evaluate the head on, with the features that the model has in inference.

    Args:
        model: the model of the head.
        head: from `with_cached_features`.
        batches: all of one size but the last, which may be smaller.

    Examples:
        >>> import numpy as np
        >>> from tfpretune.backbones import SmallCNN
        >>> from tfpretune.data import StepIndexed
        >>> from tfpretune.finetune import cache_in_order, classifier, freeze, with_cached_features
        >>> model = classifier(SmallCNN((8, 8, 1), (8,)), 2)
        >>> rows = freeze(model, "all")
        >>> batches = StepIndexed({"images": np.zeros((4, 8, 8, 1), "float32"), "labels": np.array([0, 1, 0, 1])}, 2)
        >>> head, cached = with_cached_features(model, batches)
        features of 4 rows are kept in memory: 0.0 MiB
        >>> validation = cache_in_order(model, head, batches.in_order())  # for head.evaluate
        >>> [(name, tuple(column.shape)) for name, column in next(iter(validation)).items()]
        [('features', (2, 8)), ('labels', (2,))]
    """
    size = len(next(iter(next(iter(batches)).values())))
    return tf.data.Dataset.from_tensor_slices(_columns(model, head, batches, training=False)).batch(size)


def _columns(
    model: Supervised,
    head: CachedHead,
    batches: tf.data.Dataset,
    *,
    training: bool,
    rows: int = 0,
    most_bytes: int = 0,
) -> dict[str, np.ndarray]:
    """Returns the columns of the head's batches, computed as they are in `fit` and `evaluate`: one trace for all sizes there.

    In training all batches are full, so a short last one is filled up.
    """
    extractor = keras.Model(model.input, _cut(model))
    shapes = {name: tf.TensorSpec((None, *x.shape[1:]), x.dtype) for name, x in model.input.items()}
    call = tf.function(
        lambda inputs: extractor(inputs, training=training), input_signature=None if training else [shapes]
    )
    found: list[dict[str, np.ndarray]] = []
    full = 0
    for batch in batches:
        inputs, here = model.pick_inputs(batch), len(next(iter(batch.values())))
        full = full or here
        if training:
            inputs = {name: _fill(column, full - here) for name, column in inputs.items()}
        features = call(inputs).numpy()[:here]
        if most_bytes and rows * features[0].nbytes > most_bytes:
            raise UsageError(
                f"`with_cached_features`: the features of {rows:,} rows take {rows * features[0].nbytes / 2**30:,.2f} GiB, "
                f"more than {most_bytes / 2**30:,.2f}: leave them to be computed in each step"
            )
        kept = {name: x for name, x in batch.items() if name not in model.input or name in head.input}
        found.append({CUT: features} | {name: x.numpy() for name, x in kept.items()})
    return {name: np.concatenate([columns[name] for columns in found]) for name in found[0]}


def _fill(column: tf.Tensor, rows: int) -> tf.Tensor:
    """Repeats the last row so many times."""
    return tf.concat([column, tf.repeat(column[-1:], rows, axis=0)], axis=0) if rows else column


def _refuse_what_learns(model: Supervised) -> None:
    if type(model) is not Supervised:
        raise UsageError(
            f"`with_cached_features` is compatible with one head and its own loss, not with {type(model).__name__}"
        )
    if model.unfreezing is not None:
        raise UsageError(
            "`with_cached_features`: the backbone is trained later (`GradualUnfreezing`): its features change"
        )
    learning = {id(variable) for variable in model.trainable_variables}
    for layer in _layers_below(model):
        found = [variable.path for variable in layer.weights if id(variable) in learning]
        if found:
            raise UsageError(
                f"`with_cached_features`: {found[0]} is trained, so the features change: give `frozen` all"
            )
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable:
            raise UsageError(f"`with_cached_features`: the statistics of {layer.name} change: give `frozen` all")


def _refuse_what_is_random(model: Supervised, batches: StepIndexed) -> None:
    for layer in _layers_below(model):
        if seed_generators(layer) and getattr(layer, "rate", None) != 0:
            raise UsageError(
                f"`with_cached_features`: {layer.name} in the backbone draws new random numbers in every step: "
                "give `load_backbone(dropout)` 0"
            )
    if _augments(batches):
        raise UsageError(
            "`with_cached_features`: the training examples are changed anew in every step: switch augmentation off "
            "(of images: `shift` 0 `rotate_degrees` 0 `scale` 0)"
        )


def _augments(batches: StepIndexed) -> bool:
    """Whether the first batch is another one with other seeds."""
    if batches.transform is None:
        return False
    plain = StepIndexed(batches.columns, batches.batch_size, seed=batches.seed, load=batches.load)
    batch = next(iter(plain.from_step(0, 1)))
    tries: list[Batch] = [batches.transform(dict(batch), tf.constant([seed, 17 * seed])) for seed in range(4)]
    first = {name: column.numpy() for name, column in tries[0].items()}
    return any(not np.array_equal(column.numpy(), first[name]) for other in tries[1:] for name, column in other.items())


def _cut(model: Supervised) -> keras.KerasTensor:
    if CUT not in [layer.name for layer in model.layers]:
        raise UsageError(f'`with_cached_features`: {model.name} has no layer "{CUT}" to cut at')
    return model.get_layer(CUT).output


def _layers_below(model: Supervised) -> list[keras.layers.Layer]:
    """Returns all layers that the features are made with, those inside others too."""
    operations = _walk(_cut(model), None)[1]
    layers = [operation for operation in operations if isinstance(operation, keras.layers.Layer)]
    return [inner for layer in layers for inner in all_layers(layer)]


def _inputs(output: keras.KerasTensor, cut: keras.KerasTensor) -> list[keras.KerasTensor]:
    """Returns the input tensors that an output needs beside the cut."""
    return _walk(output, cut)[0]


def _walk(output: keras.KerasTensor, cut: keras.KerasTensor | None) -> tuple[list[keras.KerasTensor], list[Any]]:
    """Returns the inputs and the operations that an output is made from, without those behind the cut."""
    inputs, operations, seen, waiting = [], [], set[int](), [output]
    while waiting:
        tensor = waiting.pop()
        if tensor is cut or id(tensor) in seen:
            continue
        seen.add(id(tensor))
        operation, node, _ = history_of(tensor)
        if isinstance(operation, keras.layers.InputLayer):
            inputs.append(tensor)
            continue
        operations.append(operation)
        waiting.extend(inbound_nodes(operation)[node].input_tensors)
    return inputs, operations
