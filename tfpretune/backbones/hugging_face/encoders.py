"""Text encoders of Hugging Face's with BERT's layers: their networks, by config.json."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import keras
import keras_hub

from tfpretune.backbones.hugging_face.encoder_weights import load_encoder
from tfpretune.backbones.hugging_face.files import read_json
from tfpretune.backbones.hugging_face.weights import Weights
from tfpretune.backbones.text.bert import BertEncoder
from tfpretune.backbones.text.electra import ElectraEncoder
from tfpretune.errors import RunError, UsageError

ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
}
_SIZES = {
    "vocabulary_size": "vocab_size",
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "hidden_dim": "hidden_size",
    "intermediate_dim": "intermediate_size",
    "max_sequence_length": "max_position_embeddings",
}
_SIZES_OF_DISTILBERT = _SIZES | {
    "num_layers": "n_layers",
    "num_heads": "n_heads",
    "hidden_dim": "dim",
    "intermediate_dim": "hidden_dim",
}
_LAYER = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "attention": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "intermediate": "intermediate.dense",
    "output": "output.dense",
    "output_norm": "output.LayerNorm",
}
_LAYER_OF_DISTILBERT = {
    "query": "attention.q_lin",
    "key": "attention.k_lin",
    "value": "attention.v_lin",
    "attention": "attention.out_lin",
    "attention_norm": "sa_layer_norm",
    "intermediate": "ffn.lin1",
    "output": "ffn.lin2",
    "output_norm": "output_layer_norm",
}


class Encoder(NamedTuple):
    """What there is to know of a kind of model.

    Attributes:
        make: makes the network of its settings.
        sizes: our names of sizes -> those of config.json.
        layers: where the layers stand, and their parts.
        activation: its name in config.json.
        dropout: its name in config.json.
        fixed: activation and epsilon of the network; None: both are settings of it.
    """

    make: Callable[..., keras.Model]
    sizes: Mapping[str, str] = _SIZES
    layers: str = "encoder.layer"
    parts: Mapping[str, str] = _LAYER
    activation: str = "hidden_act"
    dropout: str = "hidden_dropout_prob"
    fixed: tuple[str, float] | None = None


def _electra(*, vocabulary_size: int, **settings: Any) -> keras.Model:
    return ElectraEncoder(vocabulary_size, **settings)


ENCODERS: Mapping[str, Encoder] = {
    "bert": Encoder(BertEncoder),
    "electra": Encoder(_electra),
    "distilbert": Encoder(
        keras_hub.models.DistilBertBackbone,
        _SIZES_OF_DISTILBERT,
        "transformer.layer",
        _LAYER_OF_DISTILBERT,
        "activation",
        "dropout",
        ("gelu", 1e-12),
    ),
    "roberta": Encoder(keras_hub.models.RobertaBackbone, fixed=("gelu", 1e-5)),
    "xlm-roberta": Encoder(keras_hub.models.XLMRobertaBackbone, fixed=("gelu", 1e-5)),
}
"""`model_type` -> the encoder."""


def read_encoder(
    folder: str, kind: str, *, dtype: Any = None, random_weights: bool = False, dropout: float | None = None
) -> keras.Model:
    """Builds the network of `config.json` with the weights beside it; a pooler that has none stays fresh.

    Args:
        folder: of a model with or without a head: heads are left out.
        kind: of `ENCODERS`.
        dtype: Keras dtype policy.
        random_weights: take only the architecture.
        dropout: another rate than the config's.

    Raises:
        UsageError: a file is missing, or the config asks for what is not known here.
        RunError: a file is damaged, or the weights do not fit the config.
    """
    path = Path(folder) / "config.json"
    config = read_json(path)
    encoder = ENCODERS[kind]
    settings = _settings(encoder, kind, config, path) | ({} if dropout is None else {"dropout": dropout})
    if random_weights:
        return encoder.make(**settings, dtype=dtype)
    with Weights(
        Path(folder), kind, anchor="embeddings.word_embeddings.weight", base=f"{kind.split('-')[-1]}."
    ) as weights:
        table = (settings["vocabulary_size"], settings.get("embedding_dim", settings["hidden_dim"]))
        weights.require_shape("embeddings.word_embeddings.weight", table)  # before memory is asked for
        backbone = encoder.make(**settings, dtype=dtype)
        names = (encoder.layers, encoder.parts)
        load_encoder(backbone, names, weights, first_position=_first_position(kind, config))
        weights.require_read()
    return backbone


def _settings(encoder: Encoder, kind: str, config: dict[str, Any], path: Path) -> dict[str, Any]:
    settings: dict[str, Any] = {ours: _size(config, theirs, path) for ours, theirs in encoder.sizes.items()}
    if settings["hidden_dim"] % settings["num_heads"]:
        heads, width = encoder.sizes["num_heads"], encoder.sizes["hidden_dim"]
        raise RunError(
            f"{path} is damaged: {heads} {settings['num_heads']} does not divide {width} {settings['hidden_dim']}"
        )
    settings["max_sequence_length"] -= _first_position(kind, config)
    settings["dropout"] = _fraction(config, encoder.dropout, 0.1, path)
    if kind == "electra":
        settings["embedding_dim"] = _size(config, "embedding_size", path)
    if kind in ("bert", "electra"):
        settings["num_segments"] = _size({"type_vocab_size": 2} | config, "type_vocab_size", path)
    return settings | _formulas(encoder, kind, config, path)


def _formulas(encoder: Encoder, kind: str, config: dict[str, Any], path: Path) -> dict[str, Any]:
    """Activation and epsilon, as settings of the network or compared with those that it has."""
    for name, usual in (("position_embedding_type", "absolute"), ("is_decoder", False)):
        if config.get(name, usual) not in (usual, None):
            what = "is_decoder" if name == "is_decoder" else f"{name} {config[name]}"
            raise UsageError(f"{path}: {what} is not known here: expected an encoder with absolute positions")
    activation = str(config.get(encoder.activation, "gelu"))
    default = encoder.fixed[1] if encoder.fixed else 1e-12
    epsilon = _fraction(config, "layer_norm_eps", default, path)
    if encoder.fixed is None:
        if activation not in ACTIVATIONS:
            known = ", ".join(ACTIVATIONS)
            raise UsageError(f"{path}: {encoder.activation} {activation} is not known here: expected one of {known}")
        return {"activation": ACTIVATIONS[activation], "layer_norm_epsilon": epsilon}
    for name, found, fixed in (
        (encoder.activation, activation, encoder.fixed[0]),
        ("layer_norm_eps", epsilon, encoder.fixed[1]),
    ):
        if found != fixed:
            raise UsageError(f"{path}: {name} {found} is not known here: KerasHub's {kind} has {fixed}")
    return {}


def _size(config: dict[str, Any], name: str, path: Path) -> int:
    found = config.get(name)
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise RunError(f"{path} is damaged: {name} should be a positive integer, found {found!r}")
    return found


def _fraction(config: dict[str, Any], name: str, default: float, path: Path) -> float:
    found = config.get(name, default)
    if not isinstance(found, int | float) or not 0 <= found < 1:
        raise RunError(f"{path} is damaged: {name} should be a number in [0, 1), found {found!r}")
    return found


def _first_position(kind: str, config: dict[str, Any]) -> int:
    """Returns how many rows of positions stand before the first token's: RoBERTa's positions begin behind the padding id."""
    return int(config.get("pad_token_id", 1) or 0) + 1 if kind.endswith("roberta") else 0
