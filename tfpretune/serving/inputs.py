"""What a model takes, and so what a caller sends: found from its inputs and heads, so that nothing can disagree."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from tfpretune.data.text.tokenizer import Tokenizer
from tfpretune.errors import UsageError
from tfpretune.runtime.keras_internals import all_layers
from tfpretune.serving import raw
from tfpretune.serving.answers import image_answers, text_answers, word_answers
from tfpretune.serving.heads.base import Head
from tfpretune.serving.loading import WORDS

Kind = Literal["text", "image"]
_SEGMENTS = "segment_ids"
_OF_TOKENS = ("tags", "span")


def preprocessing(
    model: Any,
    kind: Kind | None,
    *,
    tokenizer: Tokenizer | None,
    sequence_length: int | None,
    image_shape: tuple[int, int, int] | None,
) -> dict[str, Any]:
    """Returns the sizes of what the model reads, `kind` first; what the model itself says needs not be given.

    Raises:
        UsageError: settings that do not fit each other or the model.
    """
    names = {tensor.name for tensor in model.inputs}
    name: str = kind or next((name for name, served in SERVED.items() if names == served.inputs), "text")
    if name not in SERVED:
        raise UsageError(f"kind must be {' or '.join(map(repr, SERVED))}, received {name!r}")
    served = SERVED[name]
    if names - served.optional != served.inputs:
        raise UsageError(f"a model of kind {name} takes {sorted(served.inputs)}, this one takes {sorted(names)}")
    return {"kind": name} | served.sizes(model, tokenizer, sequence_length, image_shape)


def raw_preprocessing_of(
    model: Any, heads: Mapping[str, Head], settings: Mapping[str, Any], *, tokenizer: Tokenizer | None, stride: int
) -> raw.RawPreprocessing:
    """Returns how raw inputs become rows for a model.

    Args:
        model: the model.
        heads: from `heads_of`.
        settings: from `preprocessing`.
        tokenizer: of a text model.
        stride: of a model that finds answers in contexts: see `data.text.windows`.

    Raises:
        UsageError: no way of reading fits the model's heads.
    """
    return SERVED[settings["kind"]].reading(model, heads, settings, tokenizer, stride)


def answers_of(
    model: Any,
    reading: raw.RawPreprocessing,
    settings: Mapping[str, Any],
    heads: Mapping[str, Head],
    examples: Sequence[Any],
) -> dict[str, Any]:
    """Returns the content of `checks.json`: example inputs, and what the model answers to them."""
    if reading.names == (WORDS,):
        return word_answers(model, reading, heads, examples)
    return SERVED[settings["kind"]].answers(model, reading, heads, examples)


def _text_reading(
    model: Any, heads: Mapping[str, Head], settings: Mapping[str, Any], tokenizer: Any, stride: int
) -> raw.RawPreprocessing:
    length = settings["sequence_length"]
    segments = any(tensor.name == _SEGMENTS for tensor in model.inputs)
    of_tokens = {task: head.says for task, head in heads.items() if head.says in _OF_TOKENS}
    if of_tokens and len(heads) > 1:
        task, says = next(iter(of_tokens.items()))
        raise UsageError(
            f"task {task} says {says}: with several tasks, only those that say one thing of each example are served"
        )
    if not of_tokens:
        return raw.pair_preprocessing(tokenizer, length) if segments else raw.text_preprocessing(tokenizer, length)
    says = next(iter(of_tokens.values()))
    if segments != (says == "span"):
        raise UsageError(
            f"a model that says {says} and takes {sorted(x.name for x in model.inputs)} has no served form"
        )
    return (
        raw.context_preprocessing(tokenizer, length, stride)
        if says == "span"
        else raw.word_preprocessing(tokenizer, length)
    )


def _image_reading(
    model: Any, heads: Mapping[str, Head], settings: Mapping[str, Any], tokenizer: Any, stride: int
) -> raw.RawPreprocessing:
    return raw.image_preprocessing(tuple(settings["image_shape"]), settings.get("resize", "squeeze"))


def check_weights(model: Any) -> None:
    """Refuses a model that is not ready to be served: with variables of LoRA, or layers that compute in half precision.

    Raises:
        UsageError: says what to do.
    """
    lora = [weight.path for weight in model.weights if weight.name.startswith("lora_")]
    if lora:
        raise UsageError(
            f"the model has {len(lora)} variables of LoRA ({lora[0]}, …): export what training.presets.in_float32 returns, or "
            "call finetune.lora.merge_lora first"
        )
    for layer in all_layers(model, include_self=False):
        if layer.compute_dtype in ("float16", "bfloat16"):
            raise UsageError(
                f"export needs a float32 model, but layer {layer.name!r} computes in {layer.compute_dtype}"
            )


def _text_sizes(
    model: Any, tokenizer: Any, sequence_length: int | None, image_shape: tuple[int, int, int] | None
) -> dict[str, Any]:
    if tokenizer is None or sequence_length is None or image_shape is not None:
        raise UsageError("a text model needs tokenizer and sequence_length, and no image_shape")
    if sequence_length < 3:
        raise UsageError(f"sequence_length must be at least 3, received {sequence_length}")
    longest = getattr(model.backbone, "max_sequence_length", None)
    if longest is not None and sequence_length > longest:
        raise UsageError(f"sequence_length {sequence_length} is longer than the backbone's {longest}")
    return {"sequence_length": sequence_length, "tokenizer": type(tokenizer).__name__}


def _image_sizes(
    model: Any, tokenizer: Any, sequence_length: int | None, image_shape: tuple[int, int, int] | None
) -> dict[str, Any]:
    if tokenizer is not None or sequence_length is not None:
        raise UsageError("an image model needs neither tokenizer nor sequence_length")
    own = tuple(model.inputs[0].shape[1:])
    if image_shape is not None and tuple(image_shape) != own:
        raise UsageError(f"image_shape is {list(image_shape)}, the model takes {own}")
    return {"image_shape": list(own)}


@dataclasses.dataclass(frozen=True)
class ServedKind:
    """How the models of one kind of input are served.

    Args:
        inputs: that each of them takes.
        optional: that some of them take beside these.
        sizes: model, tokenizer, sequence length and image shape -> what is stored of how it reads.
        reading: model, heads, settings, tokenizer and stride -> how raw inputs become rows.
        answers: model, reading, heads and examples -> the content of `checks.json`.
    """

    inputs: frozenset[str]
    optional: frozenset[str]
    sizes: Callable[..., dict[str, Any]]
    reading: Callable[..., raw.RawPreprocessing]
    answers: Callable[..., dict[str, Any]]


SERVED: Mapping[str, ServedKind] = {
    "text": ServedKind(
        frozenset(("token_ids", "padding_mask")), frozenset((_SEGMENTS,)), _text_sizes, _text_reading, text_answers
    ),
    "image": ServedKind(frozenset(("images",)), frozenset(), _image_sizes, _image_reading, image_answers),
}
