"""The hand-over between the stages: a KerasHub preset folder, for a fine-tuned model with the whole model beside it."""

import json
import math
from pathlib import Path
from typing import Any

import keras

from tfpretune.backbones.feeding import save_pixels
from tfpretune.backbones.stored_resize import save_resize
from tfpretune.data.text.tokenizer import Tokenizer
from tfpretune.errors import RunError, UsageError
from tfpretune.finetune.methods.lora import merged_weights
from tfpretune.runtime.files import atomic_folder, check_manifest
from tfpretune.runtime.phases import phase
from tfpretune.settings.renamed import modern_keys


@phase("saving the preset")
def save_preset(
    folder: Path | str,
    model: keras.Model,
    *,
    tokenizer: Tokenizer | None = None,
    task: dict[str, Any] | None = None,
    resize: str = "",
) -> Path:
    """Writes `model.backbone` in float32, with its tokenizer, as a KerasHub preset.

    Args:
        folder: where to; an older preset there is replaced in one rename.
        model: a model with a `backbone`.
        tokenizer: of a text backbone.
        task: what a fine-tuned model is for (`kind`, `class_names`, …); with it the whole model is written, too, as
            `task.keras` and `task.json`.
        resize: of an image backbone, how the images that it saw were resized, for `backbones.read_resize`; "": as `task` says.

    Returns:
        The folder. Anyone can load it with `keras_hub.models.Backbone.from_preset` once
        tfpretune.backbones is imported.

    Examples:
        >>> import keras_hub
        >>> from tfpretune.backbones import SmallCNN
        >>> from tfpretune.finetune import classifier
        >>> from tfpretune.training import save_preset
        >>> folder = save_preset("runs/digits/preset", classifier(SmallCNN((8, 8, 1), (8,)), 10))
        >>> type(keras_hub.models.Backbone.from_preset(str(folder))).__name__
        'SmallCNN'
    """
    folder = Path(folder)
    weights = (model if task is not None else model.backbone).weights
    needed = 4 * sum(math.prod(weight.shape) for weight in weights)
    with atomic_folder(folder, replace=folder.exists(), needed=needed) as temporary:
        in_float32(model.backbone).save_to_preset(str(temporary))
        save_pixels(model, temporary)
        save_resize(temporary, resize or (task or {}).get("resize"))
        if tokenizer is not None:
            tokenizer.save_to_preset(str(temporary))
        if task is not None:
            in_float32(model).save(temporary / "task.keras")
            (temporary / "task.json").write_text(json.dumps(task, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return folder


@phase("loading the model")
def load_task(folder: Path | str) -> tuple[keras.Model, dict[str, Any]]:
    """Loads the fine-tuned model and its `task.json` from a preset folder, after comparing every byte with its manifest.

    Examples:
        >>> from tfpretune.backbones import SmallCNN
        >>> from tfpretune.finetune import classifier
        >>> from tfpretune.training import load_task, save_preset
        >>> task = {"kind": "image", "class_names": ["no", "yes"]}
        >>> folder = save_preset("runs/a/preset", classifier(SmallCNN((8, 8, 1), (8,)), 2), task=task)
        >>> model, found = load_task(folder)
        >>> model.output.shape, found["class_names"]
        ((None, 2), ['no', 'yes'])
    """
    folder = Path(folder)
    if not (folder / "task.json").is_file():
        raise UsageError(f"{folder} holds no fine-tuned model (no task.json): give the folder of a fine-tuning run")
    check_manifest(folder)
    task = modern_keys(json.loads((folder / "task.json").read_text("utf-8")))
    try:
        return keras.models.load_model(folder / "task.keras", compile=False), task
    except (ValueError, TypeError, KeyError, OSError, AttributeError, ImportError) as error:
        raise RunError(f"{folder}/task.keras cannot be loaded: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def in_float32(model: keras.Model) -> keras.Model:
    """Returns a copy of a model whose layers compute in float32; the weights are the same, LoRA added to its kernels."""
    config = _without_policies(keras.saving.serialize_keras_object(model))
    copy = keras.saving.deserialize_keras_object(config)
    copy.set_weights(merged_weights(model))
    return copy


def _without_policies(config: Any) -> Any:
    """Replaces every dtype policy in a nested config by float32; an input's dtype is a plain name and stays."""
    if isinstance(config, dict):
        if config.get("class_name") in ("DTypePolicy", "DTypePolicyMap", "FloatDTypePolicy"):
            return {
                "module": "keras",
                "class_name": "DTypePolicy",
                "config": {"name": "float32"},
                "registered_name": None,
            }
        return {key: _without_policies(value) for key, value in config.items()}
    return [_without_policies(item) for item in config] if isinstance(config, list | tuple) else config
