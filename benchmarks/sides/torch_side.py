"""Transformers and PyTorch: the loop that most people write. Runs in .venv-oracle."""

import os
from typing import Any

import torch
import transformers

from sides.inputs import DECAY, RATE, Clock, Sizes, answer, masked_rows, token_rows

UNMASKED = -100  # the label that the loss leaves out


def measure(name: str, dtype: str, sizes: Sizes) -> dict[str, Any]:
    """Times eager training steps of `BertForMaskedLM` with AdamW; `dtype` "mixed_bfloat16" means autocast."""
    torch.set_num_threads(os.cpu_count() or 1)
    torch.manual_seed(sizes.seed)
    model = transformers.BertForMaskedLM(
        transformers.BertConfig(
            vocab_size=sizes.vocabulary_size,
            hidden_size=sizes.hidden_dim,
            num_hidden_layers=sizes.num_layers,
            num_attention_heads=sizes.num_heads,
            intermediate_size=sizes.intermediate_dim,
            max_position_embeddings=sizes.sequence_length,
            hidden_dropout_prob=sizes.dropout,
            attention_probs_dropout_prob=sizes.dropout,
        )
    )
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY)
    masked = masked_rows(sizes, token_rows(sizes, sizes.rows))
    keys = ("token_ids", "mask_positions", "mask_ids")
    token_ids, positions, mask_ids = (torch.from_numpy(masked[key]).long() for key in keys)
    seen = torch.ones(sizes.batch_size, sizes.sequence_length)
    labels = torch.full_like(token_ids, UNMASKED).scatter_(1, positions, mask_ids)
    losses, clock = [], Clock(sizes)
    for start in range(0, sizes.rows, sizes.batch_size):
        part = slice(start, start + sizes.batch_size)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == "mixed_bfloat16"):
            loss = model(input_ids=token_ids[part], attention_mask=seen, labels=labels[part]).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss))
        clock.tick()
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    return clock.result() | {"start_loss": losses[0], "versions": versions}


if __name__ == "__main__":
    answer(measure)
