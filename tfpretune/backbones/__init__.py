"""Networks from inputs to features: KerasHub backbones, and what KerasHub lacks.

Examples:
    >>> from tfpretune.backbones import SmallCNN
    >>> SmallCNN((8, 8, 1), (16, 32)).output.shape
    (None, 2, 2, 32)
"""

from tfpretune.backbones.feeding import Preprocessing
from tfpretune.backbones.image.cnn import SmallCNN
from tfpretune.backbones.image.vit import VisionTransformer
from tfpretune.backbones.text.bert import BertEncoder, BertEncoderTokenizer
from tfpretune.backbones.text.text_encoder import TextEncoder, TextEncoderTokenizer

__all__ = [
    "BertEncoder",
    "BertEncoderTokenizer",
    "Preprocessing",
    "SmallCNN",
    "TextEncoder",
    "TextEncoderTokenizer",
    "VisionTransformer",
]
