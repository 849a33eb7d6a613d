"""What texts can be pre-trained on: a closed table of objectives. Their settings stand in `settings`."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from tfpretune.data.batches.step_indexed import Transform
from tfpretune.data.batches.transforms import masked_tokens
from tfpretune.data.text.tokens import unigram_entropy
from tfpretune.data.text.unknown import never_masked
from tfpretune.objectives import MaskedLM, Objective
from tfpretune.tasks.pretraining.report import unigram_verdict
from tfpretune.tasks.pretraining.text_sequences import TextSequences
from tfpretune.training.tensorboard.images import PageCallback
from tfpretune.training.tensorboard.text import FillMaskCallback


@dataclasses.dataclass(frozen=True)
class Judged:
    """What is said of an objective's figures on the validation set.

    Attributes:
        printed: lines for the terminal.
        notes: what a reader of the report must know first.
        figures: further numbers for the report.
        levels: name -> height of horizontal lines in its chart of the loss.
    """

    printed: str
    notes: Sequence[str] = ()
    figures: Mapping[str, float] = dataclasses.field(default_factory=dict)
    levels: Mapping[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class TextObjective:
    """What an objective is made of.

    Attributes:
        make_model: `(backbone, run) -> Objective`.
        transform: `(run, tokenizer)` -> what is done to every batch of `token_ids`; None: nothing.
        make_page: `(rows, log_dir) -> PageCallback` of TensorBoard; None: its curves are all there is to see.
        judge: `(figures, rows)` -> what is said of the validation metrics.
    """

    make_model: Callable[[keras.Model, Any], Objective]
    transform: Callable[[Any, Any], Transform | None]
    make_page: Callable[[TextSequences, str], PageCallback] | None
    judge: Callable[[Mapping[str, float], TextSequences], Judged]


def _beside_word_counts(figures: Mapping[str, float], rows: TextSequences) -> Judged:
    """The loss beside the one of a model that knows how frequent each token is and nothing else."""
    plateau = unigram_entropy(rows.counted, special_token_ids=never_masked(rows.tokenizer))
    verdict = unigram_verdict(figures["masked_lm"], plateau)
    printed = f"validation {verdict}; masked accuracy {figures['masked_accuracy']:.3f}"
    return Judged(printed, [f"Validation {verdict}."], {"unigram_loss": plateau}, {"unigram entropy": plateau})


TEXT_OBJECTIVES: Mapping[str, TextObjective] = {
    "mlm": TextObjective(
        make_model=lambda backbone, run: MaskedLM(backbone),
        transform=lambda run, tokenizer: masked_tokens(tokenizer, run.mask_rate),
        make_page=lambda rows, log_dir: FillMaskCallback(rows.tokenizer, rows.texts, log_dir=log_dir),
        judge=_beside_word_counts,
    ),
}
