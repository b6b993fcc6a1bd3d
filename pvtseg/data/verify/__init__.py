"""Looks at every image of a data set and says what would go wrong with it, and what to do."""

from pvtseg.data.verify.classes import class_weights
from pvtseg.data.verify.diagnosis import Expected, diagnose
from pvtseg.data.verify.examination import examine_all
from pvtseg.data.verify.findings import Finding
from pvtseg.data.verify.statistics import Part

__all__ = ["Expected", "Finding", "Part", "class_weights", "diagnose", "examine_all"]
