"""What a preset's name stands for, and each fault of what lies there in one line."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import keras_hub
import tensorflow as tf

from tfpretune.backbones.hugging_face.converted import CONVERTED, IMAGES
from tfpretune.backbones.hugging_face.encoders import ENCODERS
from tfpretune.backbones.hugging_face.faults import no_such_preset, require_config, require_kind
from tfpretune.backbones.hugging_face.files import refuse_pointer
from tfpretune.backbones.hugging_face.folder import packaged_folder
from tfpretune.errors import RunError, UsageError
from tfpretune.runtime.files import MANIFEST, check_manifest

TEXT_KINDS = (*ENCODERS, *(kind for kind in CONVERTED if kind not in IMAGES))
_SCHEMES = ("kaggle://", "modelscope://", "gs://")  # KerasHub fetches them
_WEIGHTS = ("model.weights.h5", "model.weights.json")


class Place(NamedTuple):
    """Where a preset lies.

    Attributes:
        folder: a folder, or a name that KerasHub fetches.
        kind: `model_type` of a folder of Hugging Face's; empty for all others.
        config: its `config.json`; empty for a name.
    """

    folder: str
    kind: str
    config: dict[str, Any]


def locate(preset: str) -> Place:
    """Finds a preset; of a folder with a manifest every byte is compared with it.

    Raises:
        UsageError: there is none, or nothing that is read here; says what to do.
        RunError: a file is damaged.
    """
    folder = packaged_folder(preset)
    path = Path(folder)
    if not path.is_dir():
        names = keras_hub.models.Backbone.presets
        if folder in names or folder.startswith(_SCHEMES):
            return Place(folder, "", {})
        raise no_such_preset(preset, names)
    if (path / MANIFEST).is_file():
        check_manifest(path)
    config = require_config(preset, path)
    if "registered_name" in config:
        if not any((path / name).is_file() for name in _WEIGHTS):
            raise UsageError(f"`preset` {preset}: no {_WEIGHTS[0]}: copy or save the whole folder again")
        refuse_pointer(path / _WEIGHTS[0])
        return Place(folder, "", config)
    if "architecture" in config and "model_type" not in config:  # of timm
        return Place(folder, "", config)
    return Place(folder, require_kind(preset, config, TEXT_KINDS, IMAGES), config)


def require_tokenizer(preset: str, place: Place) -> None:
    """Looks whether a preset has a tokenizer.

    Raises:
        UsageError: it has none; says whether that is since it takes images.
    """
    if not place.config or (place.kind and place.kind not in IMAGES):
        return
    settings = place.config.get("config")
    images = place.kind or "architecture" in place.config or (isinstance(settings, dict) and "image_shape" in settings)
    if images:
        raise UsageError(
            f"`preset` {preset}: it takes images, not texts: use a recipe of images, such as finetune_image"
        )
    if not (Path(place.folder) / "tokenizer.json").is_file():
        raise UsageError(f"`preset` {preset}: no tokenizer: save it there, too, with its save_to_preset")


@contextlib.contextmanager
def one_line(preset: str) -> Iterator[None]:
    """Turns whatever KerasHub, Keras or a hub raise on a preset into one line; memory is not the preset's fault.

    Raises:
        UsageError: the preset cannot be read.
        RunError: a file of it is damaged.
    """
    try:
        yield
    except (UsageError, RunError, MemoryError, tf.errors.ResourceExhaustedError):
        raise
    except Exception as error:  # each backbone, converter and hub raises its own
        raise _as_line(error, preset) from error


def _as_line(error: Exception, preset: str) -> UsageError | RunError:
    what = _first_line(error)
    if not Path(packaged_folder(preset)).is_dir():
        return UsageError(f"`preset` {preset}: not fetched: {what}; without a network give a folder that holds it")
    if isinstance(error, OSError | json.JSONDecodeError | UnicodeDecodeError):
        return RunError(f"`preset` {preset}: damaged: {what}: copy or save it again")
    if "could not be loaded" in what or "variables" in what:
        what = "its weights do not fit its config.json"
    if isinstance(error, KeyError):
        what = f"{what} is missing from a file of settings"
    return UsageError(f"`preset` {preset}: cannot be read: {what}")


def _first_line(error: Exception) -> str:
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return line[:200]
