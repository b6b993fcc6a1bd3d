"""PVTv2 and MiT encoders for dense prediction: build, load, train and run models.

Each name is loaded when it is first used, because torch takes seconds to import.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the same names as in _MODULES, for editors and type checkers
    from pvtseg.api import evaluate, train
    from pvtseg.backbones.pvt_v2.variants import (
        mit_b0,
        mit_b1,
        mit_b2,
        mit_b3,
        mit_b4,
        mit_b5,
        pvt_v2_b0,
        pvt_v2_b1,
        pvt_v2_b2,
        pvt_v2_b2_linear,
        pvt_v2_b3,
        pvt_v2_b4,
        pvt_v2_b5,
    )
    from pvtseg.build import compose
    from pvtseg.errors import UserError
    from pvtseg.load import load_backbone, load_model, load_predictor, save_model

    __version__: str

__all__ = [
    "UserError",
    "__version__",
    "compose",
    "evaluate",
    "load_backbone",
    "load_model",
    "load_predictor",
    "mit_b0",
    "mit_b1",
    "mit_b2",
    "mit_b3",
    "mit_b4",
    "mit_b5",
    "pvt_v2_b0",
    "pvt_v2_b1",
    "pvt_v2_b2",
    "pvt_v2_b2_linear",
    "pvt_v2_b3",
    "pvt_v2_b4",
    "pvt_v2_b5",
    "save_model",
    "train",
]

_MODULES = {
    "UserError": "pvtseg.errors",
    "compose": "pvtseg.build",
    **dict.fromkeys(["evaluate", "train"], "pvtseg.api"),
    **dict.fromkeys(["load_backbone", "load_model", "load_predictor", "save_model"], "pvtseg.load"),
}


if not TYPE_CHECKING:  # so that a type checker reports an unknown name

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module 'pvtseg' has no attribute '{name}'")
        if name == "__version__":
            return import_module("importlib.metadata").version("pvtseg")
        return getattr(import_module(_MODULES.get(name, "pvtseg.backbones.pvt_v2.variants")), name)


def __dir__() -> list[str]:
    return __all__
