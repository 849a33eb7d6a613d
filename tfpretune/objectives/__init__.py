"""Training objectives: `keras.Model`s that say their loss as terms.

All is imported at once, since Keras finds the classes of a saved model by their import.

Examples:
    >>> from tfpretune.backbones import SmallCNN
    >>> from tfpretune.objectives import Autoencoder
    >>> model = Autoencoder(SmallCNN((8, 8, 1), (16, 32)))
    >>> model.output.shape, model.term_names
    ((None, 8, 8, 1), ('mse', 'ssim'))
"""

from tfpretune.objectives.base import Objective
from tfpretune.objectives.image.masked_autoencoder import MaskedAutoencoder
from tfpretune.objectives.image.reconstruction import Autoencoder, DenoisingAutoencoder
from tfpretune.objectives.supervised import Supervised
from tfpretune.objectives.targets.base import Target
from tfpretune.objectives.targets.contrastive import SupervisedContrastive
from tfpretune.objectives.targets.extractive_qa import ExtractiveQA
from tfpretune.objectives.targets.standard import Classification, MultiLabel, Regression
from tfpretune.objectives.terms import Term
from tfpretune.objectives.text.masked_lm import MaskedLM
from tfpretune.objectives.transfer.domains import DeepCoral, DomainAdversarial
from tfpretune.objectives.transfer.multitask import MultiTask

__all__ = [
    "Autoencoder",
    "Classification",
    "DeepCoral",
    "DenoisingAutoencoder",
    "DomainAdversarial",
    "MaskedAutoencoder",
    "MaskedLM",
    "MultiLabel",
    "MultiTask",
    "Regression",
    "Objective",
    "SupervisedContrastive",
    "ExtractiveQA",
    "Supervised",
    "Target",
    "Term",
]
