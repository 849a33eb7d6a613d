"""Backbones by name and size, fresh or from a preset."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import keras_hub

from tfpretune.backbones.hugging_face.byte_pairs import read_roberta_tokenizer
from tfpretune.backbones.hugging_face.converted import read_converted
from tfpretune.backbones.hugging_face.encoders import ENCODERS, read_encoder
from tfpretune.backbones.hugging_face.faults import pooling_note, require_weights
from tfpretune.backbones.hugging_face.files import check_added, check_size
from tfpretune.backbones.hugging_face.tokenizer import KINDS, read_bert_tokenizer
from tfpretune.backbones.image.cnn import SmallCNN
from tfpretune.backbones.image.vit import VisionTransformer
from tfpretune.backbones.locating import locate, one_line, require_tokenizer
from tfpretune.backbones.notes import note
from tfpretune.backbones.text.text_encoder import TextEncoder
from tfpretune.errors import UsageError
from tfpretune.runtime.phases import phase

TEXT_SIZES: dict[str, tuple[int, ...]] = {  # name: layers, heads, width, feed-forward width
    "mini": (2, 2, 128, 512),
    "small": (4, 4, 256, 1024),
    "medium": (8, 8, 512, 2048),
    "base": (12, 12, 768, 3072),
}
CNN_SIZES: dict[str, tuple[int, ...]] = {
    "cnn-small": (32, 64, 128),
    "cnn-medium": (64, 128, 256, 512),
}  # filters of each stage
VIT_SIZES: dict[str, tuple[int, ...]] = {  # layers, heads, width
    "vit-mini": (4, 4, 96),
    "vit-tiny": (12, 3, 192),
    "vit-small": (12, 6, 384),
}


def make_text_backbone(
    name: str, *, vocabulary_size: int, sequence_length: int, dropout: float = 0.0, dtype: Any = None
) -> keras.Model:
    """Builds a fresh text backbone.

    Args:
        name: "mini", "small", "medium" or "base" for the pre-norm `TextEncoder`; the same with "bert-" in front for KerasHub's
            post-norm `BertBackbone`.
        vocabulary_size: number of token ids.
        sequence_length: the longest row that a bert- backbone will see; the others have no limit.
        dropout: rate, in [0, 1).
        dtype: Keras dtype policy.

    Examples:
        >>> from tfpretune.backbones import make_text_backbone
        >>> backbone = make_text_backbone("mini", vocabulary_size=100, sequence_length=16)
        >>> type(backbone).__name__, backbone.vocabulary_size
        ('TextEncoder', 100)
    """
    sizes = TEXT_SIZES | {f"bert-{size}": dims for size, dims in TEXT_SIZES.items()}
    layers, heads, hidden, intermediate = _look_up(sizes, name)
    if name.startswith("bert-"):
        return keras_hub.models.BertBackbone(
            vocabulary_size,
            layers,
            heads,
            hidden,
            intermediate,
            dropout,
            max_sequence_length=sequence_length,
            dtype=dtype,
        )
    return TextEncoder(
        vocabulary_size,
        layers,
        num_heads=heads,
        hidden_dim=hidden,
        intermediate_dim=intermediate,
        dropout=dropout,
        dtype=dtype,
    )


def make_image_backbone(
    name: str, *, image_shape: tuple[int, int, int], patch_size: int = 4, dtype: Any = None
) -> keras.Model:
    """Builds a fresh image backbone.

    Args:
        name: "cnn-small" or "cnn-medium" (`SmallCNN`); "vit-mini", "vit-tiny" or "vit-small" (`VisionTransformer`).
        image_shape: height, width, channels.
        patch_size: side of a ViT patch, pixels.
        dtype: Keras dtype policy.

    Examples:
        >>> from tfpretune.backbones import make_image_backbone
        >>> make_image_backbone("cnn-small", image_shape=(28, 28, 1)).output.shape
        (None, 4, 4, ...)
    """
    found = _look_up(CNN_SIZES | VIT_SIZES, name)
    if name in CNN_SIZES:
        return SmallCNN(image_shape, found, dtype=dtype)
    if image_shape[0] % patch_size or image_shape[1] % patch_size:
        raise UsageError(
            f"`patch_size` {patch_size} does not divide the images' {image_shape[0]} x {image_shape[1]} pixels"
        )
    layers, heads, hidden = found
    return VisionTransformer(
        image_shape,
        patch_size,
        num_layers=layers,
        num_heads=heads,
        hidden_dim=hidden,
        intermediate_dim=4 * hidden,
        dtype=dtype,
    )


@phase("loading the preset")
def load_backbone(
    preset: str, *, dtype: Any = None, random_weights: bool = False, dropout: float | None = None
) -> keras.Model:
    """Loads a pre-trained backbone from a preset.

    Args:
        preset: a folder that a run left, of which every byte is compared with its manifest; a folder of Hugging Face's
            or hf://OWNER/NAME, where a BERT is computed exactly as in the original; a KerasHub name; or demo:minilm, from an
            installed package.
        dtype: Keras dtype policy.
        random_weights: take only the architecture: the from-scratch side of a comparison.
        dropout: another rate than the preset's, in [0, 1); only for a backbone that has one.

    Raises:
        UsageError: there is no such preset, or its backbone has no dropout to change.
        RunError: a file of it is damaged.

    Examples:
        >>> from tfpretune.backbones import SmallCNN, load_backbone
        >>> from tfpretune.finetune import classifier
        >>> from tfpretune.training import save_preset
        >>> preset = save_preset("runs/digits/preset", classifier(SmallCNN((8, 8, 1), (8,)), 10))
        >>> load_backbone(str(preset)).filters
        (8,)
    """
    with one_line(preset):
        place = locate(preset)
        if place.kind:
            folder = Path(place.folder)
            if not random_weights:
                require_weights(preset, folder)
                note(pooling_note(folder))
            read = read_encoder if place.kind in ENCODERS else read_converted
            return read(place.folder, place.kind, dtype=dtype, random_weights=random_weights, dropout=dropout)
        changes = {} if dropout is None else {"dropout": dropout}
        try:
            return keras_hub.models.Backbone.from_preset(
                place.folder, load_weights=not random_weights, dtype=dtype, **changes
            )
        except TypeError as error:
            if dropout is None:
                raise
            raise UsageError(f"`load_backbone(dropout)` {dropout}: the backbone of {preset} has no dropout") from error


def load_tokenizer(preset: str) -> keras_hub.tokenizers.Tokenizer:
    """Loads the tokenizer that lies in a preset; raises as `load_backbone` does.

    Examples:
        >>> from tfpretune.backbones import TextEncoder, TextEncoderTokenizer, load_tokenizer
        >>> from tfpretune.finetune import classifier
        >>> from tfpretune.training import save_preset
        >>> tokenizer = TextEncoderTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad"])
        >>> model = classifier(TextEncoder(7, 1, num_heads=2, hidden_dim=8, intermediate_dim=16), 2)
        >>> preset = save_preset("runs/reviews/preset", model, tokenizer=tokenizer)
        >>> load_tokenizer(str(preset))("good")
        <tf.Tensor: shape=(1,), dtype=int32, numpy=array([5], dtype=int32)>
    """
    with one_line(preset):
        place = locate(preset)
        if place.kind in KINDS:
            return read_bert_tokenizer(place.folder, place.kind)
        if place.kind == "roberta":
            return read_roberta_tokenizer(place.folder)
        require_tokenizer(preset, place)
        tokenizer = keras_hub.tokenizers.Tokenizer.from_preset(place.folder)
        _require_ends(tokenizer, preset)
        if place.kind:
            check_added(place.folder, tokenizer)
            size = tokenizer.vocabulary_size()
            check_size(place.folder, size, str(tokenizer.id_to_token(size - 1)))
        return tokenizer


def _require_ends(tokenizer: keras_hub.tokenizers.Tokenizer, preset: str) -> None:
    for name in ("start_token", "end_token", "pad_token"):
        if getattr(tokenizer, f"{name}_id", None) is None:
            raise UsageError(
                f"`preset` {preset}: its {type(tokenizer).__name__} has no {name.replace('_', ' ')}: expected the tokenizer "
                "of an encoder, such as BERT's or RoBERTa's"
            )


def _look_up(table: Mapping[str, tuple[int, ...]], name: str) -> tuple[int, ...]:
    if name not in table:
        near = difflib.get_close_matches(name, table, n=1)
        hint = f", did you mean {near[0]}?" if near else ""
        raise UsageError(f"`backbone` {name}{hint}: expected one of {', '.join(table)}")
    return table[name]
