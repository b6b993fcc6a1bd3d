"""Rendered indoor scenes: the data set that needs nothing downloaded."""

from pvtseg.data.scenes.dataset import Scenes
from pvtseg.data.scenes.labels import CLASSES, KINDS, PALETTE, scene_labels
from pvtseg.data.scenes.scene import Scene

__all__ = ["CLASSES", "KINDS", "PALETTE", "Scene", "Scenes", "scene_labels"]
