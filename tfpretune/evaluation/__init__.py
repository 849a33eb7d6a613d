"""Metrics, reports, gain over scratch, baselines."""

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
