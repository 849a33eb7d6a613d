"""Presets, texts and options of runs that take a second."""

import csv
from pathlib import Path

import keras
import numpy as np

from tfpretune.backbones import SmallCNN, TextEncoder, TextEncoderTokenizer, VisionTransformer
from tfpretune.data.text.tokens import SPECIAL_TOKENS
from tfpretune.objectives import DenoisingAutoencoder, MaskedAutoencoder, MaskedLM
from tfpretune.training.presets import save_preset

WORDS = [f"w{number}" for number in range(60)]
VOCABULARY_SIZE = len(SPECIAL_TOKENS) + len(WORDS)
COMMON = ("--jit", "off", "--precision", "float32", "--save-every-steps", "3")


def write_texts(path):
    """240 lines of a few words; label a has the lower half of the words."""
    random = np.random.default_rng(0)
    with Path(path).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for row in range(240):
            low = 30 * (row % 2)
            chosen = random.integers(low, low + 30, random.integers(3, 9))
            writer.writerow([" ".join(WORDS[word] for word in chosen), "ab"[row % 2]])


def make_tokenizer(words=WORDS):
    return TextEncoderTokenizer([*SPECIAL_TOKENS, *words], lowercase=True)


def make_encoder(vocabulary_size=VOCABULARY_SIZE, hidden_dim=8):
    return TextEncoder(vocabulary_size, 1, num_heads=1, hidden_dim=hidden_dim, intermediate_dim=16, dropout=0.1)


def write_presets(folder):
    """Writes `texts.csv`, and the presets `text`, `images` and `patches`."""
    keras.utils.set_random_seed(0)
    write_texts(folder / "texts.csv")
    save_preset(folder / "text", MaskedLM(make_encoder()), tokenizer=make_tokenizer())
    save_preset(folder / "images", DenoisingAutoencoder(SmallCNN((8, 8, 1), (4, 8), groups=2)))
    sizes = {"num_layers": 1, "num_heads": 1, "hidden_dim": 8, "intermediate_dim": 8}
    patches = VisionTransformer((8, 8, 1), 2, **sizes)
    save_preset(folder / "patches", MaskedAutoencoder(patches, decoder_dim=8, decoder_heads=1))


def options(name, tiny, out_dir, *more):
    """Returns the options of a run of a training recipe, 12 steps of 8 rows."""
    text = ("--source", f"csv:{tiny}/texts.csv", "--preset", f"{tiny}/text", "--sequence-length", "16")
    images = ("--source", "demo:digits", "--preset", f"{tiny}/images")
    own = {
        "pretrain_text": text,
        "pretrain_image": (*images, "--patch-size", "2"),
        "finetune_text": (*text, "--window-length", "8"),
        "finetune_image": (*images, "--labels-per-class", "20", "--choose-on-validation", "--patience", "20"),
    }[name]
    size = ("--steps", "12", "--batch-size", "8", "--out-dir", str(out_dir))
    return [*own, *COMMON, *size, *map(str, more)]
