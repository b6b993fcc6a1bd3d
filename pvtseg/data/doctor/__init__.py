"""Looks at every image of a data set and says what would go wrong with it, and what to do."""

from pvtseg.data.doctor.classes import class_weights
from pvtseg.data.doctor.diagnosis import Expected, diagnose
from pvtseg.data.doctor.examination import examine_all
from pvtseg.data.doctor.findings import Finding
from pvtseg.data.doctor.part import Part

__all__ = ["Expected", "Finding", "Part", "class_weights", "diagnose", "examine_all"]
