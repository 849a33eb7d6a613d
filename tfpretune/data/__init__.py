"""A source -> examples -> batches. Knows no model; TensorFlow is imported when batches are made.

Examples:
    >>> import typing
    >>> from tfpretune.data import SPECIAL_TOKENS, VOCABULARY, MaskOrientation, image_batches, labelled_splits
    >>> digits = labelled_splits("demo:digits")
    note: demo:digits: 4 examples stand in another part than their contents alone would put them in, ...
    >>> image_batches(digits.train, 64, image_shape=(8, 8, 1))
    <StepIndexed: 1,417 rows in batches of 64: images uint8 (8, 8, 1), labels int32 ()>
    >>> SPECIAL_TOKENS, VOCABULARY, typing.get_args(MaskOrientation)
    (('[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'), 'vocabulary.txt', ('auto', 'stored', 'upright'))
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
