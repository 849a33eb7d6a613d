"""Which task a model or a source of labels is for: one closed table, as `serving.heads.by_target` has one of served heads."""

from typing import Any

from tfpretune.objectives import Classes, MultiLabel, Numbers, Spans, Target
from tfpretune.objectives.targets.contrastive import Similar
from tfpretune.tasks.base import Task
from tfpretune.tasks.classification import Classification
from tfpretune.tasks.embedding import Embedding
from tfpretune.tasks.labels import LabelTask
from tfpretune.tasks.multi_label import MultiLabelClassification
from tfpretune.tasks.multitask import SeveralTasks
from tfpretune.tasks.questions import Questions
from tfpretune.tasks.regression import Regression
from tfpretune.tasks.segmentation import Segmentation
from tfpretune.tasks.tagging import Tagging

TASKS: dict[tuple[type[Target], int], type[Task]] = {
    (Classes, 2): Classification,
    (Classes, 3): Tagging,
    (Classes, 4): Segmentation,
    (MultiLabel, 2): MultiLabelClassification,
    (Numbers, 2): Regression,
    (Similar, 2): Embedding,
    (Spans, 3): Questions,
}
"""(target, rank of the outputs) -> the task. A target of a kind of these is of that task."""

LABELS: dict[str, type[LabelTask]] = {
    "class": Classification,
    "set": MultiLabelClassification,
    "number": Regression,
}
"""What a label of a whole example is -> the task."""


def task_of(model: Any) -> type[Task] | None:
    """Returns the task of a fine-tuned model, or None for a model of none of these."""
    if hasattr(model, "targets"):
        return SeveralTasks
    rank = len(model.output.shape)
    found = (TASKS.get((kind, rank)) for kind in type(getattr(model, "target", None)).__mro__)
    return next((task for task in found if task is not None), None)
