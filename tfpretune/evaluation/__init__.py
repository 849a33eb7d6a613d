"""Metrics, reports, gain over scratch, baselines.

Examples:
    >>> from tfpretune.evaluation import gain_over_scratch
    >>> gain_over_scratch([0.90, 0.92, 0.94], [0.80, 0.83, 0.85]).sentence
    'Pre-training paid: 0.920 (sd 0.020) against 0.827 (sd 0.025) from scratch, a gain of +0.093 (sd 0.006); ...'
"""

from tfpretune.evaluation.baselines.linear import pixel_baseline, tfidf_baseline
from tfpretune.evaluation.metrics.bootstrap import bootstrap_intervals
from tfpretune.evaluation.metrics.calibration import ReliabilityBins, reliability_bins
from tfpretune.evaluation.metrics.classification import classification_metrics
from tfpretune.evaluation.metrics.gain import Gain, gain_over_scratch
from tfpretune.evaluation.report.pictures import Pictures
from tfpretune.evaluation.report.report import write_pretraining_report, write_report
from tfpretune.evaluation.report.tables import Table

__all__ = [
    "Gain",
    "Pictures",
    "ReliabilityBins",
    "Table",
    "bootstrap_intervals",
    "classification_metrics",
    "gain_over_scratch",
    "pixel_baseline",
    "reliability_bins",
    "tfidf_baseline",
    "write_pretraining_report",
    "write_report",
]
