"""A TensorBoard page for masked language models: fixed sentences with hidden words and what the model puts there."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfpretune.data.masking.tokens import mask_tokens
from tfpretune.data.text.tokenizer import Tokenizer
from tfpretune.data.text.tokens import encode_all
from tfpretune.data.text.unknown import never_masked
from tfpretune.training.tensorboard.images import PageCallback

_CJK = ((0x3000, 0x30FF), (0x3400, 0x9FFF), (0xAC00, 0xD7AF), (0xF900, 0xFAFF), (0xFF00, 0xFFEF), (0x20000, 0x3FFFF))


class FillMaskCallback(PageCallback):
    """Shows a few sentences with hidden words, and the model's most probable fillings, as Markdown tables.

    The same words are hidden each time. Every chosen word is shown to the model as the mask token, also the fifth that
    training leaves or swaps (BERT, arXiv:1810.04805, section 3.1), so that a reader sees guesses only.

    Args:
        tokenizer: a KerasHub BERT-like tokenizer, the model's own.
        sentences: about five texts.
        log_dir: the run's `logs` folder.
        sequence_length: longer texts are cut, tokens.
        mask_rate: fraction of the tokens that is masked, in (0, 1]; at least one.
        seed: decides which.
        top: how many fillings are shown.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        sentences: Sequence[str],
        *,
        log_dir: Path | str,
        sequence_length: int = 48,
        mask_rate: float = 0.15,
        seed: int = 0,
        top: int = 5,
    ):
        super().__init__(log_dir)
        if not sentences:
            raise ValueError("FillMaskCallback: expected at least one sentence, received none")
        self.tokenizer = tokenizer
        self.top = min(top, tokenizer.vocabulary_size())
        rows = encode_all(tokenizer, list(sentences), sequence_length=sequence_length)
        masked = mask_tokens(
            tf.constant(rows["token_ids"]),
            tf.constant([seed % 2**31, 0]),
            vocabulary_size=tokenizer.vocabulary_size(),
            mask_token_id=tokenizer.mask_token_id,
            special_token_ids=never_masked(tokenizer),
            mask_rate=mask_rate,
        )
        chosen = tf.cast(masked["mask_weights"], tf.int32)
        hidden = tf.reduce_max(
            tf.one_hot(masked["mask_positions"], sequence_length, dtype=tf.int32) * chosen[..., tf.newaxis], axis=1
        )
        token_ids = tf.where(hidden == 1, tokenizer.mask_token_id, rows["token_ids"])
        self.batch = masked | {"token_ids": token_ids, "padding_mask": tf.constant(rows["padding_mask"])}

    def write(self) -> None:
        """Writes the text `fillings`."""
        logits = tf.cast(self.model(self.model.pick_inputs(self.batch), training=False), tf.float32)
        tf.summary.text(
            "fillings", fill_mask_markdown(self.tokenizer, self.batch, tf.nn.softmax(logits).numpy(), top=self.top)
        )


def fill_mask_markdown(
    tokenizer: Tokenizer, batch: dict[str, tf.Tensor], probabilities: np.ndarray, *, top: int = 5
) -> str:
    """Writes one small table for each sentence: the hidden word, its probability, and the most probable words.

    Args:
        tokenizer: turns ids into tokens.
        batch: `token_ids`, `padding_mask`, `mask_positions`, `mask_ids` and `mask_weights` as NumPy arrays or tensors.
        probabilities: float `(batch, slots, vocabulary)`.
        top: fillings a word.

    Returns:
        Markdown. The right word is set in bold where it is among the fillings.
    """
    columns = {name: np.asarray(column) for name, column in batch.items()}
    blocks = []
    for row, ids in enumerate(columns["token_ids"]):
        kept = ids[columns["padding_mask"][row] == 1][1:-1]
        slots = np.flatnonzero(columns["mask_weights"][row])
        slots = slots[np.argsort(columns["mask_positions"][row, slots])]
        lines = [f"**{row + 1}.** {_escape(readable([tokenizer.id_to_token(int(i)) for i in kept]))}", ""]
        if len(slots):
            lines.append("| hidden | probability | " + " | ".join(str(place + 1) for place in range(top)) + " |")
            lines.append("|---" * (top + 2) + "|")
        for slot in slots:
            lines.append(_line(tokenizer, int(columns["mask_ids"][row, slot]), probabilities[row, slot], top))
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def readable(tokens: Sequence[str]) -> str:
    """Joins WordPiece tokens: a space between words, none before `##` pieces and none between Chinese characters."""
    text = ""
    for token in tokens:
        tight = len(token) > 2 and token.startswith("##")
        piece = token[2:] if tight else token
        if text and not tight and not (_is_cjk(text[-1]) and _is_cjk(piece[0])):
            text += " "
        text += piece
    return text


def _line(tokenizer: Tokenizer, true_id: int, probabilities: np.ndarray, top: int) -> str:
    cells = [_escape(tokenizer.id_to_token(true_id)), f"{probabilities[true_id]:.1%}"]
    for token_id in np.argsort(-probabilities, kind="stable")[:top]:
        word = _escape(tokenizer.id_to_token(int(token_id)))
        cells.append(f"{f'**{word}**' if token_id == true_id else word} {probabilities[token_id]:.1%}")
    return "| " + " | ".join(cells) + " |"


def _escape(text: str) -> str:
    """Keeps Markdown and HTML from reading the text's own characters."""
    return "".join(f"&#{ord(c)};" if c in "\\`*_#<>&|~" else c for c in text)


def _is_cjk(character: str) -> bool:
    return any(low <= ord(character) <= high for low, high in _CJK)
