"""The signatures of a served model: what is sent in, the answers of each head out."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfpretune.data.text.tokenizer import Tokenizer
from tfpretune.objectives.targets.contrastive import SupervisedContrastive
from tfpretune.serving.heads.base import Answers, Head
from tfpretune.serving.heads.tags import Served
from tfpretune.serving.loading import DEFAULT, EMBED, WORDS
from tfpretune.serving.raw import RawPreprocessing


def write_saved_model(
    model: keras.Model,
    folder: Path,
    *,
    reading: RawPreprocessing,
    heads: Mapping[str, Head],
    tokenizer: Tokenizer | None = None,
    words: Served | None = None,
) -> None:
    """Writes a SavedModel that takes raw strings `(batch,)`; of a tagger the signature `words` takes words `(batch, n)`.

    `serving_default` gives the answers of all heads, those of a task as `TASK_ANSWER`. A model with several tasks has a
    signature for each, too. `embed` gives one vector for each thing sent, where the model has such: see `embedding_model`.

    Args:
        model: from the inputs that `reading` makes to the heads' float32 outputs.
        folder: where to.
        reading: from strings to rows.
        heads: from `heads_of`.
        tokenizer: has been called once; its look-up tables, if any, go into the SavedModel.
        words: of a tagger, from `given_words_of`.
    """
    archive = keras.export.ExportArchive()
    # Tracking the model as well would write every weight twice: the endpoints' variables are found without it.
    if tokenizer is not None:
        archive.track(tokenizer)
    traced = {
        name: archive.add_endpoint(name, endpoint, _strings(reading))
        for name, endpoint in _endpoints(model, reading, heads).items()
    }
    if words is not None and words.reading is reading:
        archive.add_endpoint(WORDS, traced[DEFAULT])
    elif words is not None:
        archive.add_endpoint(WORDS, _endpoints(model, *words)[DEFAULT], _strings(words.reading))
    archive.write_out(str(folder), verbose=False)


def _strings(reading: RawPreprocessing) -> list[tf.TensorSpec]:
    return [tf.TensorSpec(reading.shape, tf.string, name=name) for name in reading.names]


def embedding_model(model: keras.Model) -> keras.Model | None:
    """Returns the model from the inputs to one vector `(batch, dim)` for each example, or None where it has none.

    The vector is the layer "features", which the head reads; a model that was trained to give vectors gives its own.
    """
    if isinstance(getattr(model, "target", None), SupervisedContrastive):
        return keras.Model(model.inputs, keras.ops.normalize(model.output, axis=-1, epsilon=1e-12))
    features = model.get_layer("features").output
    return keras.Model(model.inputs, features) if len(features.shape) == 2 else None


def all_answers(heads: Mapping[str, Head], outputs: Any, context: Any = None) -> Answers:
    """Returns the answers of `serving_default`: of one head by their names, of a task's as `TASK_ANSWER`."""
    answers = {}
    for task, head in heads.items():
        given = outputs[task] if task else outputs
        answers.update({_named(task, name): value for name, value in head.answers(given, context).items()})
    return answers


def all_unsure(heads: Mapping[str, Head], outputs: Any, context: Any = None) -> Answers:
    """Returns what `Head.unsure` says of the answers of `all_answers`."""
    unsure = {}
    for task, head in heads.items():
        given = outputs[task] if task else outputs
        unsure.update({_named(task, name): value for name, value in head.unsure(given, context).items()})
    return unsure


def _named(task: str, name: str) -> str:
    return f"{task}_{name}" if task else name


def _endpoints(model: keras.Model, reading: RawPreprocessing, heads: Mapping[str, Head]) -> dict[str, Any]:
    def serve(called: keras.Model, served: Mapping[str, Head], *raw: tf.Tensor) -> Answers:
        rows = reading.rows(*map(reading.clean, raw))
        return all_answers(served, _call(called, rows.inputs), rows.context)

    def embed(called: keras.Model, *raw: tf.Tensor) -> Answers:
        return {"embedding": _call(called, reading.rows(*map(reading.clean, raw)).inputs)}

    endpoints = {DEFAULT: functools.partial(serve, model, heads)}
    for task, head in heads.items():
        if task:
            endpoints[task] = functools.partial(serve, keras.Model(model.inputs, model.output[task]), {"": head})
    vectors = embedding_model(model)
    if vectors is not None:
        endpoints[EMBED] = functools.partial(embed, vectors)
    return endpoints


def _call(model: keras.Model, inputs: dict[str, tf.Tensor]) -> Any:
    """Calls a model on any number of rows. With none it sees one row of zeros, whose answer is dropped.

    TensorFlow 2.21 rewrites convolution and batch normalisation to a product that fails on an empty batch.
    """
    rows = tf.shape(next(iter(inputs.values())))[0]
    missing = 1 - tf.minimum(rows, 1)
    filled = {
        name: tf.ensure_shape(tf.pad(values, [[0, missing], *[[0, 0]] * (len(values.shape) - 1)]), values.shape)
        for name, values in inputs.items()
    }
    return tf.nest.map_structure(lambda x: tf.cast(x, tf.float32)[:rows], model(filled, training=False))
