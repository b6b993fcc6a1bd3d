"""Checks every item of a data set: what would go wrong in training, and what to do."""

from pvtseg.data.verify.checked_dataset import CheckedDataset, CheckedDepth, CheckedMasks
from pvtseg.data.verify.class_weights import class_weights
from pvtseg.data.verify.findings import KINDS, Finding
from pvtseg.data.verify.judge import Expected, judge
from pvtseg.data.verify.sample_check import SampleCheck, check_dataset, check_sample
from pvtseg.data.verify.start import check_start
from pvtseg.data.verify.statistics import SplitStatistics

__all__ = [
    "KINDS",
    "CheckedDataset",
    "CheckedDepth",
    "CheckedMasks",
    "Expected",
    "Finding",
    "SampleCheck",
    "SplitStatistics",
    "check_dataset",
    "check_sample",
    "check_start",
    "class_weights",
    "judge",
]
