"""The sides of a comparison, as plain values. Imports no TensorFlow."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

from tfpretune.settings.run import OptimizerConfig

if TYPE_CHECKING:
    from tfpretune.objectives import Supervised

PRETRAINED, SCRATCH = "pre-trained", "from scratch"


@dataclasses.dataclass(frozen=True)
class Side:
    """One way to train the network.

    Attributes:
        name: of its row in the table.
        pretrained: start from the preset's weights; otherwise only from its architecture.
        steps: optimizer steps.
        optimizer: the update rule.
        init_head_from_probe: start the head from a logistic regression on the frozen features.
        head_dropout: rate before the last layer.
        backbone_dropout: another rate than the preset's; None keeps that.
        prepare: puts fine-tuning methods on the network before it is compiled, such as `apply_methods` with settings.

    Examples:
        >>> from tfpretune.experiments import Side
        >>> from tfpretune.settings import OptimizerConfig
        >>> sides = [Side(name, name == "pre-trained", 100, OptimizerConfig()) for name in ("from scratch", "pre-trained")]
        >>> [(side.name, side.pretrained) for side in sides]
        [('from scratch', False), ('pre-trained', True)]
    """

    name: str
    pretrained: bool
    steps: int
    optimizer: OptimizerConfig
    init_head_from_probe: bool = False
    head_dropout: float = 0.1
    backbone_dropout: float | None = None
    prepare: "Callable[[Supervised], object] | None" = None
