"""Training objectives: `keras.Model`s that say their loss as terms."""

from tfpretune.objectives.base import Objective, Term
from tfpretune.objectives.masked_autoencoder import MaskedAutoencoder
from tfpretune.objectives.masked_lm import MaskedLM
from tfpretune.objectives.reconstruction import Autoencoder, DenoisingAutoencoder
from tfpretune.objectives.supervised import Supervised

__all__ = ["Autoencoder", "DenoisingAutoencoder", "MaskedAutoencoder", "MaskedLM", "Objective", "Supervised", "Term"]
