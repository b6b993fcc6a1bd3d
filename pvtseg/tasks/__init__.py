"""The tasks: what is learned and what is answered."""

from pvtseg.tasks.classification import Classification
from pvtseg.tasks.depth import Depth
from pvtseg.tasks.segmentation import Segmentation

__all__ = ["Classification", "Depth", "Segmentation"]
