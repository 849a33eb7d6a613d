"""Writes a fine-tuned model as TF Serving wants it: NAME/VERSION/. Imports TensorFlow only when called."""

import datetime
import importlib.metadata
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from tfpretune.config import UsageError
from tfpretune.files import atomic_folder
from tfpretune.serving.loading import ASSETS, versions_in
from tfpretune.serving.model_card import model_card

INPUT_NAMES = {"text": "texts", "image": "image_bytes"}


def export(
    model: Any,
    directory: Path | str,
    *,
    name: str,
    kind: Literal["text", "image"],
    class_names: Sequence[str],
    tokenizer: Any = None,
    sequence_length: int | None = None,
    image_shape: tuple[int, int, int] | None = None,
    metadata: Mapping[str, Any] | None = None,
    examples: Sequence[Any] | None = None,
    version: int | None = None,
) -> Path:
    """Exports a classifier that takes raw text or encoded images, and checks its answers before it gets its name.

    Args:
        model: from the backbone's named inputs to float32 logits `(batch, classes)`, with a layer "features"; float32.
        directory: folder of all served models, such as `saved_models`.
        name: the model's name there and in URLs.
        kind: "text" (needs `tokenizer` and `sequence_length`) or "image" (needs `image_shape`).
        class_names: label of each logit.
        tokenizer: the KerasHub tokenizer of the training.
        sequence_length: tokens a row, as in training.
        image_shape: height, width, channels (1 or 3).
        metadata: what `task.json` says of the training (source, licence, metrics, command), for the model card.
        examples: a few raw inputs to store with the model's answers: texts, or image files, bytes or uint8 arrays.
        version: a whole number above 0; without it, one more than the highest there is.

    Returns:
        The folder `directory/name/version`.

    Raises:
        UsageError: settings that do not fit each other or the model.
        RunError: the version exists, an operation is not allowed, or the answers differ from the model's.
    """
    settings = _preprocessing(kind, tokenizer=tokenizer, sequence_length=sequence_length, image_shape=image_shape)
    _check_names(name, class_names, version)
    _check_model(model, settings, class_names)
    parent = Path(directory) / name
    number = version or max(versions_in(parent), default=0) + 1
    about = _about(name, number, kind=kind, class_names=class_names, metadata=metadata)
    needed = 4 * sum(math.prod(weight.shape) for weight in model.weights)
    with atomic_folder(parent / str(number), needed=needed) as folder:
        _write(folder, model, settings=settings, about=about, tokenizer=tokenizer, examples=examples)
    return parent / str(number)


def _write(
    folder: Path,
    model: Any,
    *,
    settings: dict[str, Any],
    about: dict[str, Any],
    tokenizer: Any,
    examples: Sequence[Any] | None,
) -> None:
    from tfpretune.serving import answers, signatures
    from tfpretune.serving.clean_process import compare
    from tfpretune.serving.warmup import write_warmup

    examples = () if examples is None else examples
    if about["kind"] == "text":
        length = settings["sequence_length"]
        checks = answers.text_answers(model, tokenizer, sequence_length=length, examples=examples)
        to_inputs = signatures.text_inputs(tokenizer, length)
    else:
        shape = tuple(settings["image_shape"])
        checks = answers.image_answers(model, image_shape=shape, examples=examples)
        to_inputs = signatures.image_inputs(shape)
    classes = about["class_names"]
    signatures.write_saved_model(
        model, folder, input_name=settings["input"], to_inputs=to_inputs, class_names=classes, tokenizer=tokenizer
    )
    assets = folder / ASSETS
    assets.mkdir()
    if tokenizer is not None:
        tokenizer.save_assets(str(assets))
    (assets / "labels.txt").write_text("\n".join(classes) + "\n", "utf-8")
    for file, content in (("preprocessing.json", settings), ("metadata.json", about), ("checks.json", checks)):
        (assets / file).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")
    (assets / "model_card.md").write_text(model_card(about, settings, checks), "utf-8")
    write_warmup(assets, checks["inputs"][0], name=about["name"], input_name=settings["input"])
    compare(folder)


def _preprocessing(
    kind: str, *, tokenizer: Any, sequence_length: int | None, image_shape: tuple[int, int, int] | None
) -> dict[str, Any]:
    if kind == "text":
        if tokenizer is None or sequence_length is None or image_shape is not None:
            raise UsageError("a text model needs tokenizer and sequence_length, and no image_shape")
        if sequence_length < 3:
            raise UsageError(f"sequence_length must be at least 3, received {sequence_length}")
        steps = "invalid UTF-8 replaced, Unicode NFC, control characters removed, white space joined, tokenized"
        settings = {"sequence_length": sequence_length, "tokenizer": type(tokenizer).__name__}
    elif kind == "image":
        if image_shape is None or tokenizer is not None or sequence_length is not None:
            raise UsageError("an image model needs image_shape, and neither tokenizer nor sequence_length")
        steps = (
            "decoded, put upright as Exif says (JPEG), transparency laid on white, "
            "resized bilinearly with antialiasing, scaled to [0, 1]"
        )
        settings = {"image_shape": list(image_shape)}
    else:
        raise UsageError(f'kind must be "text" or "image", received {kind!r}')
    return {"kind": kind, "input": INPUT_NAMES[kind], "steps": steps} | settings


def _check_names(name: str, class_names: Sequence[str], version: int | None) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
        raise UsageError(f"a model's name is part of URLs: expected letters, digits, _ . and -, received {name!r}")
    if version is not None and version < 1:
        raise UsageError(f"version must be a whole number above 0, received {version}")
    if len(set(class_names)) != len(class_names):
        raise UsageError(f"class_names must all be different, received {list(class_names)}")
    wrong = [label for label in class_names if label.splitlines() != [label]]
    if wrong:
        raise UsageError(f"class names must be one line each and not empty, received {wrong[0]!r}")


def _check_model(model: Any, settings: dict[str, Any], class_names: Sequence[str]) -> None:
    if model.output_shape != (None, len(class_names)):
        raise UsageError(f"the model answers {model.output_shape}, which does not fit {len(class_names)} class_names")
    wanted = {"text": {"token_ids", "padding_mask"}, "image": {"images"}}[settings["kind"]]
    inputs = {tensor.name: tensor for tensor in model.inputs}
    if set(inputs) != wanted:
        raise UsageError(f"a model of kind {settings['kind']} takes {sorted(wanted)}, this one takes {sorted(inputs)}")
    if settings["kind"] == "image" and tuple(inputs["images"].shape[1:]) != tuple(settings["image_shape"]):
        raise UsageError(f"image_shape is {settings['image_shape']}, the model takes {inputs['images'].shape[1:]}")
    longest = getattr(model.backbone, "max_sequence_length", None)
    if settings["kind"] == "text" and longest is not None and settings["sequence_length"] > longest:
        raise UsageError(f"sequence_length {settings['sequence_length']} is longer than the backbone's {longest}")
    for layer in (*model.layers, *model.backbone.layers):
        if layer.compute_dtype in ("float16", "bfloat16"):
            raise UsageError(
                f"export needs a float32 model, but layer {layer.name!r} computes in {layer.compute_dtype}"
            )


def _about(
    name: str, version: int, *, kind: str, class_names: Sequence[str], metadata: Mapping[str, Any] | None
) -> dict[str, Any]:
    about = {
        "name": name,
        "version": version,
        "kind": kind,
        "class_names": list(class_names),
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "software": {package: importlib.metadata.version(package) for package in ("tensorflow", "keras", "keras-hub")},
        "training": dict(metadata or {}),
    }
    try:
        json.dumps(about)
    except (TypeError, ValueError) as error:
        raise UsageError(f"metadata must be plain JSON values: {error}") from None
    return about
