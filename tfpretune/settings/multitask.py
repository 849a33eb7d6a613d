"""Settings of several tasks on one backbone. Imports no TensorFlow."""

import dataclasses
import re
from collections.abc import Sequence
from typing import Literal

from tfpretune.errors import UsageError
from tfpretune.settings.columns import LabelColumns
from tfpretune.settings.finetune import TaskConfig

SHARED = ("gradnorm", "pcgrad")  # they compare the tasks' gradients on the weights that all tasks use
TAKEN = ("token_ids", "padding_mask", "sources", "embed", "serving_default")
"""Names of other columns of a batch, and of other signatures of a served model."""


@dataclasses.dataclass(frozen=True)
class WeighedTasks(LabelColumns, TaskConfig):
    """A run on several tasks: which, and how much each counts.

    Examples:
        >>> from tfpretune.settings import WeighedTasks
        >>> run = WeighedTasks("csv:a.csv", "runs/a", steps=5, preset="p", tasks=("mood", "topic=csv:b.csv"))
        >>> run.places
        {'mood': ('csv:a.csv', 'mood'), 'topic': ('csv:b.csv', 'label')}
    """

    tasks: tuple[str, ...] = ()
    """Columns of the source with a class for each text (of a demo, label is its own); an empty one does not count for its task.
    Or NAME=SOURCE for a task with texts of its own, whose column is --label-column: topic=csv:news.csv"""
    temperature: float = 1.0
    """With several sources: 1 fills batches in proportion to their sizes, more takes more of the small ones, inf takes as
    much of each."""
    weighting: Literal["fixed", "uncertainty", "gradnorm", "pcgrad"] = "fixed"
    """How the tasks' losses are weighed: by --weights, learnt as variances, evened out by gradient norms, or summed without
    the parts of gradients that oppose each other."""
    weights: tuple[float, ...] = ()
    """A factor for each task, in their order; empty: 1 each."""
    layered: bool = False
    """After the steps train as many again with the backbone frozen: shared layers first, then the heads."""

    def __post_init__(self) -> None:
        """Refuses values that cannot work."""
        super().__post_init__()
        read_places(self.tasks, self.source, self.label_column)
        if not self.temperature > 0:
            raise UsageError(f"--temperature must be above 0, received {self.temperature}")
        if len(self.tasks) < 2 or (self.weights and len(self.weights) != len(self.tasks)):
            raise UsageError("--tasks needs two or more, and --weights none or as many as there are tasks")
        if self.layered and (self.unfreeze_every or self.frozen == "all"):
            raise UsageError(
                "--layered freezes the backbone after the steps: it is not compatible with --unfreeze-every or --frozen all"
            )
        if self.weighting in SHARED and self.frozen == "all":
            raise UsageError(nothing_shared(self.weighting, self.frozen))
        if self.weights and self.weighting not in ("fixed", "pcgrad"):
            raise UsageError(f"--weighting {self.weighting} finds the weights itself: leave --weights out")

    @property
    def places(self) -> dict[str, tuple[str, str]]:
        """Task -> its source and the label column there."""
        return read_places(self.tasks, self.source, self.label_column)


def read_places(tasks: Sequence[str], source: str, label_column: str = "label") -> dict[str, tuple[str, str]]:
    """Reads what `--tasks` says: `COLUMN` of `source`, or `NAME=SOURCE` for a task with texts of its own.

    Returns:
        task -> its source and the label column there.

    Raises:
        UsageError: a name stands twice or cannot be one, or a source is empty.
    """
    places: dict[str, tuple[str, str]] = {}
    for task in tasks:
        name, equals, own = task.partition("=")
        if (equals and not own) or not re.fullmatch(r"[\w.-]+", name, re.ASCII) or name in TAKEN:
            raise UsageError(
                f"--tasks {task!r}: write a label column, or NAME=SOURCE such as topic=csv:news.csv, with a name of letters, "
                f"digits, _ . or - that is none of {', '.join(TAKEN)}"
            )
        if name in places:
            raise UsageError(f"--tasks names {name} twice: every task needs a name of its own")
        places[name] = (own, label_column) if equals else (source, name)
    return places


def nothing_shared(weighting: str, frozen: str) -> str:
    """Says why a weighting of `SHARED` is not compatible with a frozen backbone."""
    return (
        f"--weighting {weighting} and --frozen {frozen}: it compares the tasks' gradients on the backbone, of which "
        "nothing learns: let part of it learn, or take fixed or uncertainty"
    )
