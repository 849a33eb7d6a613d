"""What a vision model of Hugging Face's was trained to see, by its `preprocessor_config.json`."""

from pathlib import Path
from typing import Any

from tfpretune.backbones.hugging_face.files import read_json
from tfpretune.errors import RunError, UsageError

PROCESSOR = "preprocessor_config.json"


def read_scaling(folder: str) -> tuple[tuple[float, ...] | float, tuple[float, ...] | float]:
    """Returns scale and offset for images in [0, 1], one number or one a channel.

    Raises:
        UsageError: nothing says them, or more is done to pixels than scaling.
        RunError: the file is damaged.
    """
    path = Path(folder) / PROCESSOR
    if not path.is_file():
        raise UsageError(f"{path} is missing: it says how pixels are scaled; fetch it from where the model is from")
    found = read_json(path)
    factor = 255.0 * _number(found, "rescale_factor", 1 / 255, path) if found.get("do_rescale", True) else 255.0
    if not found.get("do_normalize", True):
        return factor, 0.0
    means, deviations = _channels(found, "image_mean", path), _channels(found, "image_std", path)
    scale = tuple(factor / deviation for deviation in deviations)
    return scale, tuple(-mean / deviation for mean, deviation in zip(means, deviations, strict=True))


def _number(found: dict[str, Any], name: str, default: float, path: Path) -> float:
    value = found.get(name, default)
    if not isinstance(value, int | float) or not value > 0:
        raise RunError(f"{path} is damaged: {name} should be a number above 0, found {value!r}")
    return float(value)


def _channels(found: dict[str, Any], name: str, path: Path) -> list[float]:
    values = found.get(name)
    lowest = 0.0 if name == "image_std" else -1e9
    if (
        not isinstance(values, list)
        or len(values) != 3
        or not all(isinstance(value, int | float) and value > lowest for value in values)
    ):
        raise RunError(f"{path} is damaged: {name} should be three numbers, found {values!r}")
    return [float(value) for value in values]
