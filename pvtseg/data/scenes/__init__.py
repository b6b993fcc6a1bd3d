"""Rendered indoor scenes: the data set that needs nothing downloaded."""

from .dataset import CLASSES, KIND_PALETTE, KINDS, PALETTE, Scene, Scenes

__all__ = ["CLASSES", "KINDS", "KIND_PALETTE", "PALETTE", "Scene", "Scenes"]
