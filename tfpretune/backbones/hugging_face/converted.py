"""Models of Hugging Face's whose names KerasHub's converters know; the weights are read here, each fault in one line."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import keras

from tfpretune.backbones.hugging_face.files import read_json
from tfpretune.backbones.hugging_face.weights import Weights
from tfpretune.errors import RunError, UsageError
from tfpretune.runtime.keras_internals import hugging_face_converter


class Converted(NamedTuple):
    """What there is to know of a kind of model.

    Attributes:
        module: of KerasHub's converter.
        anchor: a weight that it has, by its name in the base model.
        base: what Transformers calls the base model in names of weights.
        activation: that KerasHub's network has fixed, as config.json names it.
        epsilon: of normalisation, fixed; None: a setting of the network.
    """

    module: str
    anchor: str
    base: str
    activation: str
    epsilon: float | None


CONVERTED: Mapping[str, Converted] = {
    "albert": Converted("albert", "embeddings.word_embeddings.weight", "albert.", "gelu_new", 1e-12),
    "vit": Converted("vit", "embeddings.cls_token", "vit.", "gelu", None),
    "deit": Converted("deit", "embeddings.distillation_token", "deit.", "gelu", None),
    "dinov2": Converted("dinov2", "embeddings.cls_token", "dinov2.", "gelu", 1e-6),
    "swin": Converted("swin_transformer", "embeddings.patch_embeddings.projection.weight", "swin.", "gelu", 1e-5),
}
"""`model_type` -> its converter."""
IMAGES = ("vit", "deit", "dinov2", "swin")
"""Those of `CONVERTED` that take images."""


def read_converted(
    folder: str, kind: str, *, dtype: Any = None, random_weights: bool = False, dropout: float | None = None
) -> keras.Model:
    """Builds KerasHub's network by `config.json`, with the weights beside it.

    Args:
        folder: of a model with or without a head: heads are left out.
        kind: of `CONVERTED`.
        dtype: Keras dtype policy.
        random_weights: take only the architecture.
        dropout: another rate than the config's.

    Raises:
        UsageError: a file is missing, or the config asks for what KerasHub's network does not compute.
        RunError: a file is damaged, or the weights do not fit the config.
    """
    path = Path(folder) / "config.json"
    config, known = read_json(path), CONVERTED[kind]
    _require_formulas(config, known, kind, path)
    converter = hugging_face_converter(known.module)
    if random_weights:
        return _build(converter, config, path, dtype=dtype, dropout=dropout)
    with Weights(Path(folder), kind, anchor=known.anchor, base=known.base) as weights:
        backbone = _build(converter, config, path, dtype=dtype, dropout=dropout)
        try:
            converter.convert_weights(backbone, weights, config)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            if isinstance(error, UsageError):
                raise
            raise RunError(f"{folder}: its weights do not fit config.json: {_first_line(error)}") from error
        weights.require_read()
    return backbone


def _build(converter: Any, config: dict[str, Any], path: Path, *, dtype: Any, dropout: float | None) -> keras.Model:
    changes = {} if dropout is None else {"dropout": dropout}
    try:
        settings = converter.convert_backbone_config(config)
        if "layer_norm_eps" in config and CONVERTED[config["model_type"]].epsilon is None:
            settings["layer_norm_epsilon"] = config["layer_norm_eps"]
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path} is damaged: {_first_line(error)} is missing or no size") from error
    if "dropout" in changes and "dropout" not in settings:
        raise UsageError(f"`load_backbone(dropout)` {dropout}: the backbone of {path.parent} has no dropout")
    try:
        return converter.backbone_cls(**settings | changes, dtype=dtype)
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise RunError(f"{path} is damaged: {_first_line(error)}") from error


def _require_formulas(config: dict[str, Any], known: Converted, kind: str, path: Path) -> None:
    for name, fixed in (("hidden_act", known.activation), ("layer_norm_eps", known.epsilon)):
        if fixed is not None and config.get(name, fixed) != fixed:
            raise UsageError(f"{path}: {name} {config[name]} is not known here: KerasHub's {kind} has {fixed}")
    if config.get("num_channels", 3) != 3:
        raise UsageError(f"{path}: num_channels {config['num_channels']} is not known here: expected 3")


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
