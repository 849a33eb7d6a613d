"""What a run is told, and how it is told: no TensorFlow.

Examples:
    >>> from tfpretune.settings import RunConfig
    >>> RunConfig("demo:digits", "runs/digits", epochs=2).total_steps(steps_per_epoch=23)
    46
"""

from tfpretune.settings import launch
from tfpretune.settings.columns import ColumnsOfRun, EncodedFiles, ImageColumns, LabelColumns, TableFiles, TextColumns
from tfpretune.settings.comparison import ComparisonConfig, SeedsConfig
from tfpretune.settings.embedding import EmbeddingConfig
from tfpretune.settings.file import read_config
from tfpretune.settings.finetune import FinetuneConfig, TaskConfig
from tfpretune.settings.multitask import WeighedTasks
from tfpretune.settings.preprocessing import MovedImages, WindowedText
from tfpretune.settings.run import DevicesConfig, OptimizerConfig, RunConfig, require_at_least, require_fractions
from tfpretune.settings.splits import OwnSplits, require_splits
from tfpretune.settings.vocabulary import VocabularyConfig

__all__ = [
    "ColumnsOfRun",
    "ComparisonConfig",
    "DevicesConfig",
    "EmbeddingConfig",
    "EncodedFiles",
    "FinetuneConfig",
    "ImageColumns",
    "LabelColumns",
    "MovedImages",
    "OptimizerConfig",
    "OwnSplits",
    "RunConfig",
    "SeedsConfig",
    "TableFiles",
    "TaskConfig",
    "TextColumns",
    "VocabularyConfig",
    "WeighedTasks",
    "WindowedText",
    "launch",
    "read_config",
    "require_at_least",
    "require_fractions",
    "require_splits",
]
