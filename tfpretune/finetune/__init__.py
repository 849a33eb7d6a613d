"""A pre-trained backbone in, a model whose chosen weights learn out."""

from tfpretune.finetune.cached import cache_in_order, with_cached_features
from tfpretune.finetune.freezing import format_table, freeze, frozen_table
from tfpretune.finetune.heads import (
    balanced_class_weights,
    classifier,
    embedder,
    multi_label,
    pair_classifier,
    pooled_head,
    regressor,
)
from tfpretune.finetune.multi_head import multi_head
from tfpretune.finetune.position_heads import segmenter, span_finder, tagger
from tfpretune.finetune.probing import start_head_from_probe
from tfpretune.finetune.unfreezing import GradualUnfreezing, format_stages

__all__ = [
    "GradualUnfreezing",
    "balanced_class_weights",
    "cache_in_order",
    "classifier",
    "embedder",
    "format_stages",
    "format_table",
    "freeze",
    "frozen_table",
    "multi_head",
    "multi_label",
    "pair_classifier",
    "pooled_head",
    "regressor",
    "segmenter",
    "span_finder",
    "start_head_from_probe",
    "tagger",
    "with_cached_features",
]
