"""The fine-tuning methods that a run's settings name, put on a model between load and compile."""

import keras

from tfpretune.errors import UsageError
from tfpretune.finetune import (
    L2SP,
    GradualUnfreezing,
    add_l1,
    enable_lora,
    enable_r_drop,
    format_lora,
    format_rates,
    format_stages,
    format_table,
    freeze,
    frozen_table,
    layerwise_rates,
)
from tfpretune.objectives import MultiTask, Supervised
from tfpretune.runtime.keras_internals import all_layers
from tfpretune.settings.finetune import TaskConfig
from tfpretune.settings.multitask import SHARED, nothing_shared


def apply_methods(model: Supervised | MultiTask, run: TaskConfig) -> str:
    """Freezes, adds LoRA and R-Drop, sets rates and penalties as `run` says; they combine, and each is nothing by default.

    Returns:
        Tables of what learns, when, and at which rate, as lines of text.

    Raises:
        UsageError: a setting does not fit the model.
    """
    with model.distribute_strategy.scope():
        freeze(model, run.frozen)
        _require_effects(model, run)
        if run.lora_rank:
            enable_lora(model, run.lora_rank, alpha=run.lora_alpha, dropout=run.lora_dropout, layers=run.lora_layers)
        tables = [format_lora(model) if run.lora_rank else format_table(frozen_table(model))]
        if run.has_layer_rates:
            tables.append(format_rates(layerwise_rates(model, run.layer_decay)))
        if run.l2_sp or run.l2_sp_head:
            L2SP(model, run.l2_sp, head_strength=run.l2_sp_head, from_scratch=run.from_scratch)
        if run.l1:
            add_l1(model, run.l1)
        if run.r_drop:
            enable_r_drop(model, run.r_drop)
        if run.unfreeze_every:
            tables.append(format_stages(GradualUnfreezing(model, every_steps=run.unfreeze_every).stages))
    _require_shared(model, run)
    return "\n\n".join(tables)


def _require_effects(model: Supervised | MultiTask, run: TaskConfig) -> None:
    """Refuses settings that would change nothing, where only the model shows it."""
    if not model.backbone.trainable_variables:
        for option, given in (("--l2-sp", run.l2_sp), ("--layer-decay", run.has_layer_rates)):
            if given:
                raise UsageError(f"{option} and --frozen {run.frozen}: nothing in the backbone is trainable")
    dropouts = (layer for layer in all_layers(model) if isinstance(layer, keras.layers.Dropout))
    if run.r_drop and not any(layer.rate > 0 for layer in dropouts):
        raise UsageError("--r-drop needs --dropout or --backbone-dropout above 0: without, both passes are the same")


def _require_shared(model: Supervised | MultiTask, run: TaskConfig) -> None:
    """Refuses to compare the gradients of tasks on weights that they share, where none of these learns."""
    weighting = model.weighting if isinstance(model, MultiTask) else ""
    if weighting in SHARED and not (run.unfreeze_every or model.backbone.trainable_variables):
        raise UsageError(nothing_shared(weighting, run.frozen))
