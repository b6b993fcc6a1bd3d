"""Images in directories, with masks, with depth maps, or in one folder per class."""

from pvtseg.data.folder.classification import ClassFolder
from pvtseg.data.folder.depth import DepthFolder
from pvtseg.data.folder.segmentation import SegmentationFolder

__all__ = ["ClassFolder", "DepthFolder", "SegmentationFolder"]
