"""A pre-trained backbone in, a model whose chosen weights learn out.

All is imported at once, since Keras finds the classes of a saved model by their import.

Examples:
    >>> from tfpretune.backbones import SmallCNN
    >>> from tfpretune.finetune import classifier, freeze
    >>> model = classifier(SmallCNN((8, 8, 1), (16, 32)), num_classes=10)
    >>> freeze(model, "all")[-1]  # the head learns: 32 x 10 and 10 biases
    FrozenRow(layer='logits', trainable=330, frozen=0)
"""

from tfpretune.finetune.heads.class_weights import balanced_class_weights, balanced_positive_weights
from tfpretune.finetune.heads.multi_head import multi_head
from tfpretune.finetune.heads.pooled import (
    classifier,
    embedder,
    multi_label,
    pair_classifier,
    pair_head,
    pooled_head,
    regressor,
)
from tfpretune.finetune.heads.positions import segmenter, span_finder, tagger
from tfpretune.finetune.methods.distillation import SoftClassification, without_teacher
from tfpretune.finetune.methods.freezing import format_table, freeze, frozen_table
from tfpretune.finetune.methods.layerwise_rates import format_rates, layerwise_rates
from tfpretune.finetune.methods.lora import enable_lora, format_lora, merge_lora, remove_lora
from tfpretune.finetune.methods.penalties import L2SP, add_l1
from tfpretune.finetune.methods.probing import features_of, start_head_from_probe
from tfpretune.finetune.methods.r_drop import enable_r_drop
from tfpretune.finetune.methods.unfreezing import GradualUnfreezing, format_stages
from tfpretune.finetune.reuse.cached import cache_in_order, with_cached_features

__all__ = [
    "L2SP",
    "GradualUnfreezing",
    "SoftClassification",
    "add_l1",
    "balanced_class_weights",
    "balanced_positive_weights",
    "cache_in_order",
    "classifier",
    "embedder",
    "enable_lora",
    "enable_r_drop",
    "features_of",
    "format_lora",
    "format_rates",
    "format_stages",
    "format_table",
    "freeze",
    "frozen_table",
    "layerwise_rates",
    "merge_lora",
    "multi_head",
    "multi_label",
    "pair_classifier",
    "pair_head",
    "pooled_head",
    "regressor",
    "remove_lora",
    "segmenter",
    "span_finder",
    "start_head_from_probe",
    "tagger",
    "with_cached_features",
    "without_teacher",
]
