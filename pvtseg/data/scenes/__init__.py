"""Rendered indoor scenes: the data set that needs nothing downloaded."""

from .dataset import Scenes
from .scene import CLASSES, KIND_PALETTE, KINDS, PALETTE, Scene

__all__ = ["CLASSES", "KINDS", "KIND_PALETTE", "PALETTE", "Scene", "Scenes"]
