"""A pre-trained backbone in, a model whose chosen weights learn out."""

from tfpretune.finetune.freezing import format_table, freeze, frozen_table
from tfpretune.finetune.heads import balanced_class_weights, classifier
from tfpretune.finetune.probing import start_head_from_probe

__all__ = ["balanced_class_weights", "classifier", "format_table", "freeze", "frozen_table", "start_head_from_probe"]
