"""Networks from inputs to features: KerasHub backbones, and what KerasHub lacks.

All is imported at once, since Keras finds the classes of a saved model by their import.

Examples:
    >>> from tfpretune.backbones import SmallCNN
    >>> SmallCNN((8, 8, 1), (16, 32)).output.shape
    (None, 2, 2, 32)
"""

from tfpretune.backbones.by_name import load_backbone, load_tokenizer, make_image_backbone, make_text_backbone
from tfpretune.backbones.feeding import Pixels, Preprocessing, read_pixels
from tfpretune.backbones.hugging_face.folder import packaged_folder
from tfpretune.backbones.image.cnn import SmallCNN
from tfpretune.backbones.image.vit import VisionTransformer
from tfpretune.backbones.stored_resize import read_resize
from tfpretune.backbones.text.bert import BertEncoder, BertEncoderTokenizer
from tfpretune.backbones.text.electra import ElectraEncoder, ElectraEncoderTokenizer
from tfpretune.backbones.text.text_encoder import TextEncoder, TextEncoderTokenizer

__all__ = [
    "BertEncoder",
    "BertEncoderTokenizer",
    "ElectraEncoder",
    "ElectraEncoderTokenizer",
    "Pixels",
    "Preprocessing",
    "SmallCNN",
    "TextEncoder",
    "TextEncoderTokenizer",
    "VisionTransformer",
    "load_backbone",
    "load_tokenizer",
    "make_image_backbone",
    "make_text_backbone",
    "packaged_folder",
    "read_pixels",
    "read_resize",
]
