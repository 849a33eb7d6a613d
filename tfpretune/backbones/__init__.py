"""Networks from inputs to features: KerasHub backbones, and what KerasHub lacks."""

from tfpretune.backbones.cnn import SmallCNN
from tfpretune.backbones.text.bert import BertEncoder, BertEncoderTokenizer
from tfpretune.backbones.text.text_encoder import TextEncoder, TextEncoderTokenizer
from tfpretune.backbones.vit import VisionTransformer

__all__ = [
    "BertEncoder",
    "BertEncoderTokenizer",
    "SmallCNN",
    "TextEncoder",
    "TextEncoderTokenizer",
    "VisionTransformer",
]
