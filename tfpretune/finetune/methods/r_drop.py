"""R-Drop: two passes with different dropout masks are to agree."""

from tfpretune.errors import UsageError
from tfpretune.objectives import MultiTask, Supervised


def enable_r_drop(model: Supervised | MultiTask, weight: float) -> None:
    """Lets every training step make two passes, and adds how far their outputs are apart to the loss. Call it before compiling.

    R-Drop (Liang et al. 2021, arXiv:2106.14448, section 2.1, equation 4). The loss is half of the paper's: the mean of both
    passes' losses plus `weight / 2` times the divergence, so that its size does not depend on this. The divergence is the
    target's: of classes the mean of the two Kullback-Leibler divergences, of numbers the squared difference. With several
    tasks each has its own. In evaluation there is one pass, without dropout. The weight is saved with the model.

    Without dropout both passes are the same, so that all this costs a second pass and changes nothing.

    Args:
        model: a model from a head of `tfpretune.finetune`.
        weight: the paper's alpha; 0 makes one pass again.

    Raises:
        UsageError: the weight is negative, two outputs of a target cannot be compared (embeddings), or the model is compiled.

    Examples:
        >>> from tfpretune.backbones import SmallCNN
        >>> from tfpretune.finetune import classifier, enable_r_drop
        >>> model = classifier(SmallCNN((8, 8, 1), (8,)), 3, dropout=0.1)
        >>> enable_r_drop(model, 1.0)
        >>> model.term_names
        ('cross_entropy', 'accuracy', 'r_drop')
        >>> model.compile("adamw")
    """
    if not isinstance(model, Supervised | MultiTask):
        raise UsageError(f"R-Drop is compatible with Supervised and MultiTask models, received {type(model).__name__}")
    if model.compiled:
        raise UsageError("R-Drop: the model is compiled already; call enable_r_drop before compile")
    with model.distribute_strategy.scope():
        model.set_r_drop(weight)
