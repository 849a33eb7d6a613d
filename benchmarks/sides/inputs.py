"""What all sides are given: the sizes, and the same random tokens as ids, as masked rows and as text. NumPy only."""

import dataclasses
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

PAD, UNKNOWN, START, END, MASK = range(5)
SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
SPECIAL_IDS = (PAD, UNKNOWN, START, END, MASK)
RATE, DECAY = 1e-4, 0.01


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Of the model, the batch and the measurement; a BERT of about 5 million parameters."""

    vocabulary_size: int = 8000
    num_layers: int = 4
    num_heads: int = 4
    hidden_dim: int = 256
    intermediate_dim: int = 1024
    dropout: float = 0.1
    batch_size: int = 32
    sequence_length: int = 128
    masked: int = 20
    warmup_steps: int = 3
    steps: int = 8
    seed: int = 0

    @property
    def rows(self) -> int:
        """Rows of all steps."""
        return self.batch_size * (self.warmup_steps + self.steps)

    @property
    def mask_rate(self) -> float:
        """The fraction of a row, ends included, that gives `masked` positions."""
        return self.masked / self.sequence_length


def token_rows(sizes: Sizes, rows: int) -> np.ndarray:
    """Full rows: start, words drawn with chance 1 / rank as in a text, end. int32 `(rows, sequence_length)`."""
    rng = np.random.default_rng(sizes.seed)
    words = sizes.vocabulary_size - len(SPECIAL_TOKENS)
    chances = 1.0 / np.arange(1, words + 1)
    ids = rng.choice(words, (rows, sizes.sequence_length), p=chances / chances.sum()) + len(SPECIAL_TOKENS)
    ids[:, 0], ids[:, -1] = START, END
    return ids.astype("int32")


def masked_rows(sizes: Sizes, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Hides exactly `masked` words of each row, 80 % by the mask token, 10 % by a random one, 10 % left as they are.

    Returns:
        int32 `token_ids` `(rows, length)`, `mask_positions` and `mask_ids` `(rows, masked)`.
    """
    rng = np.random.default_rng(sizes.seed + 1)
    order = rng.random(rows.shape)
    order[:, 0] = order[:, -1] = 2.0
    positions = np.sort(np.argpartition(order, sizes.masked, axis=1)[:, : sizes.masked], axis=1)
    original = np.take_along_axis(rows, positions, axis=1)
    draw = rng.random(positions.shape)
    other = rng.integers(len(SPECIAL_TOKENS), sizes.vocabulary_size, positions.shape)
    hidden = np.where(draw < 0.8, MASK, np.where(draw < 0.9, other, original))
    token_ids = rows.copy()
    np.put_along_axis(token_ids, positions, hidden.astype("int32"), axis=1)
    return {"token_ids": token_ids, "mask_positions": positions.astype("int32"), "mask_ids": original}


def vocabulary(sizes: Sizes) -> list[str]:
    """The special tokens, then one word of four letters for each id."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = range(len(SPECIAL_TOKENS), sizes.vocabulary_size)
    return [*SPECIAL_TOKENS, *("".join(letters[i // 26**place % 26] for place in range(4)) for i in words)]


def texts(sizes: Sizes, rows: np.ndarray) -> list[str]:
    """The rows as text: a tokenizer that knows `vocabulary` gives the same ids back, start and end added."""
    words = np.array(vocabulary(sizes))
    return [" ".join(row) for row in words[rows[:, 1:-1]]]


@dataclasses.dataclass
class Clock:
    """Reads wall and processor time at the end of each step; the steps of the warm-up do not count."""

    sizes: Sizes
    wall: list[float] = dataclasses.field(default_factory=list)
    processor: list[float] = dataclasses.field(default_factory=list)

    def tick(self) -> None:
        """A step has ended."""
        self.wall.append(time.perf_counter())
        self.processor.append(time.process_time())

    def result(self) -> dict[str, float]:
        """Tokens a second, and how many cores this process got on average."""
        first = self.sizes.warmup_steps - 1
        seconds = self.wall[-1] - self.wall[first]
        tokens = self.sizes.steps * self.sizes.batch_size * self.sizes.sequence_length
        return {"tokens_per_second": tokens / seconds, "cores": (self.processor[-1] - self.processor[first]) / seconds}


def rate(call: Callable[[], Any], items: float, *, seconds: float = 2.0) -> float:
    """Items a second of a call that handles `items`, the first call not counted."""
    call()
    begin, calls = time.perf_counter(), 0
    while time.perf_counter() - begin < seconds:
        call()
        calls += 1
    return calls * items / (time.perf_counter() - begin)


def answer(measure: Callable[..., dict[str, Any]]) -> None:
    """Runs a side: the settings are the first argument, as JSON; the result is the last line of the output."""
    settings = json.loads(sys.argv[1])
    result = measure(settings["name"], settings["dtype"], Sizes(**settings["sizes"]))
    print(json.dumps(result), flush=True)
