"""Dense prediction with PVTv2: segmentation, depth and classification. The names below load when they are first used."""

from importlib import import_module

_ROOMS = {
    **dict.fromkeys([f"pvt_v2_b{size}" for size in range(6)], "pvtseg.backbones.pvt_v2"),
    "pvt_v2_b2_linear": "pvtseg.backbones.pvt_v2",
    **dict.fromkeys([f"mit_b{size}" for size in range(6)], "pvtseg.backbones.pvt_v2"),
    **dict.fromkeys(["load_backbone", "load_model", "load_predictor", "save_model"], "pvtseg.load"),
    "UserError": "pvtseg.errors",
}

__all__ = sorted(_ROOMS)


def __getattr__(name: str) -> object:
    if name not in _ROOMS:
        raise AttributeError(f"module 'pvtseg' has no attribute '{name}'")
    return getattr(import_module(_ROOMS[name]), name)


def __dir__() -> list[str]:
    return __all__
