"""The image converters of KerasHub presets."""

import json
from pathlib import Path

import keras_hub

from tfpretune.backbones.locating import Place
from tfpretune.backbones.notes import note
from tfpretune.errors import UsageError


def read_converter(preset: str, place: Place) -> keras_hub.layers.ImageConverter | None:
    """Reads what a preset does to pixels; None where it says nothing, which is said of backbones that are not ours.

    Args:
        preset: its name, for messages.
        place: where it lies.

    Raises:
        UsageError: there is a converter that cannot be read, or one that does more than scaling.
    """
    try:
        converter = _loaded(place.folder)
    except FileNotFoundError:
        converter = None
    except (ValueError, OSError, KeyError, TypeError, AttributeError) as error:
        if not place.config:  # of a hub
            raise
        what = str(error).splitlines()[0]
        raise UsageError(f"`preset` {preset}: its image converter cannot be read: {what}") from error
    if converter is None:
        if str(place.config.get("registered_name", "")).startswith("keras_hub"):
            note(f"{preset} does not say how pixels are scaled (image_converter.json): its backbone sees [0, 1]")
        return None
    if type(converter).call is not keras_hub.layers.ImageConverter.call:
        raise UsageError(
            f"`preset` {preset}: its {type(converter).__name__} does more than scale pixels: not supported"
        )
    return converter


def _loaded(folder: str) -> keras_hub.layers.ImageConverter | None:
    try:
        return keras_hub.layers.ImageConverter.from_preset(folder)
    except ValueError as error:
        if "Unable to find a subclass of ImageConverter" not in str(error):  # KerasHub's words for: this kind has none
            raise
    config = json.loads((Path(folder) / "image_converter.json").read_text("utf-8"))  # but the preset may, as ours do
    return keras_hub.layers.ImageConverter.from_config(config["config"])
