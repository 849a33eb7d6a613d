"""Which task a model or a source of labels is for: one closed table, as `serving.heads.by_target` has one of served heads."""

from typing import Any

from tfpretune.objectives import Classification, ExtractiveQA, MultiLabel, Regression, Target
from tfpretune.objectives.targets.contrastive import SupervisedContrastive
from tfpretune.tasks.base import Task
from tfpretune.tasks.classification import ClassificationTask
from tfpretune.tasks.embedding import EmbeddingTask
from tfpretune.tasks.labels import LabelTask
from tfpretune.tasks.multi_label import MultiLabelTask
from tfpretune.tasks.multitask import SeveralTasks
from tfpretune.tasks.questions import QuestionAnsweringTask
from tfpretune.tasks.regression import RegressionTask
from tfpretune.tasks.segmentation import SegmentationTask
from tfpretune.tasks.tagging import TaggingTask

TASKS: dict[tuple[type[Target], int], type[Task]] = {
    (Classification, 2): ClassificationTask,
    (Classification, 3): TaggingTask,
    (Classification, 4): SegmentationTask,
    (MultiLabel, 2): MultiLabelTask,
    (Regression, 2): RegressionTask,
    (SupervisedContrastive, 2): EmbeddingTask,
    (ExtractiveQA, 3): QuestionAnsweringTask,
}
"""(target, rank of the outputs) -> the task. A target of a kind of these is of that task."""

LABELS: dict[str, type[LabelTask]] = {
    "single": ClassificationTask,
    "multi-label": MultiLabelTask,
    "regression": RegressionTask,
}
"""What a label of a whole example is -> the task."""


def task_of(model: Any) -> type[Task] | None:
    """Returns the task of a fine-tuned model, or None for a model of none of these."""
    if hasattr(model, "targets"):
        return SeveralTasks
    rank = len(model.output.shape)
    found = (TASKS.get((kind, rank)) for kind in type(getattr(model, "target", None)).__mro__)
    return next((task for task in found if task is not None), None)
