"""What a model takes, and so what a caller sends: found from its inputs and heads, so that nothing can disagree."""

from collections.abc import Mapping
from typing import Any, Literal

from tfpretune.data.text.tokenizer import Tokenizer
from tfpretune.errors import UsageError
from tfpretune.runtime.keras_internals import all_layers
from tfpretune.serving import raw
from tfpretune.serving.heads.base import Head

Kind = Literal["text", "image"]
_TEXT, _IMAGE = {"token_ids", "padding_mask"}, {"images"}
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
    kind = kind or ("image" if names == _IMAGE else "text")
    if kind == "text":
        if tokenizer is None or sequence_length is None or image_shape is not None:
            raise UsageError("a text model needs tokenizer and sequence_length, and no image_shape")
        _check_length(model, sequence_length)
        sizes: dict[str, Any] = {"sequence_length": sequence_length, "tokenizer": type(tokenizer).__name__}
    elif kind == "image":
        if tokenizer is not None or sequence_length is not None:
            raise UsageError("an image model needs neither tokenizer nor sequence_length")
    else:
        raise UsageError(f'kind must be "text" or "image", received {kind!r}')
    wanted = _IMAGE if kind == "image" else _TEXT
    if (names - {_SEGMENTS} if kind == "text" else names) != wanted:
        raise UsageError(f"a model of kind {kind} takes {sorted(wanted)}, this one takes {sorted(names)}")
    if kind == "image":
        sizes = {"image_shape": _image_shape(model, image_shape)}
    return {"kind": kind} | sizes


def reading_of(
    model: Any, heads: Mapping[str, Head], settings: Mapping[str, Any], *, tokenizer: Tokenizer | None, stride: int
) -> raw.Reading:
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
    if tokenizer is None:
        return raw.image_reading(tuple(settings["image_shape"]))
    length = settings["sequence_length"]
    segments = any(tensor.name == _SEGMENTS for tensor in model.inputs)
    of_tokens = {task: head.says for task, head in heads.items() if head.says in _OF_TOKENS}
    if of_tokens and len(heads) > 1:
        task, says = next(iter(of_tokens.items()))
        raise UsageError(
            f"task {task} says {says}: with several tasks, only those that say one thing of each example are served"
        )
    if not of_tokens:
        return raw.pair_reading(tokenizer, length) if segments else raw.text_reading(tokenizer, length)
    says = next(iter(of_tokens.values()))
    if segments != (says == "span"):
        raise UsageError(
            f"a model that says {says} and takes {sorted(x.name for x in model.inputs)} has no served form"
        )
    return raw.context_reading(tokenizer, length, stride) if says == "span" else raw.word_reading(tokenizer, length)


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


def _check_length(model: Any, sequence_length: int) -> None:
    if sequence_length < 3:
        raise UsageError(f"sequence_length must be at least 3, received {sequence_length}")
    longest = getattr(model.backbone, "max_sequence_length", None)
    if longest is not None and sequence_length > longest:
        raise UsageError(f"sequence_length {sequence_length} is longer than the backbone's {longest}")


def _image_shape(model: Any, given: tuple[int, int, int] | None) -> list[int]:
    own = tuple(model.inputs[0].shape[1:])
    if given is not None and tuple(given) != own:
        raise UsageError(f"image_shape is {list(given)}, the model takes {own}")
    return list(own)
