"""Metrics, reports, gain over scratch, baselines. TensorFlow is imported when a name needs it.

Examples:
    >>> from tfpretune.evaluation import Cell, Table, gain_over_scratch
    >>> gain_over_scratch([0.90, 0.92, 0.94], [0.80, 0.83, 0.85]).sentence
    'Pre-training paid: 0.920 (sd 0.020) against 0.827 (sd 0.025) from scratch, a gain of +0.093 (sd 0.006); ...'
    >>> cells: list[Cell] = ["digits", 0.8125, 1200, None]
    >>> Table("", ("source", "accuracy", "images", "loss"), [cells]).texts()
    [['digits', '0.812', '1,200', '–']]
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
