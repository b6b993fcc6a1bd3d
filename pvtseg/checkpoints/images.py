"""The image that a published checkpoint wants: what its format is known to mean, or what its settings say."""

from __future__ import annotations

from typing import Any

from pvtseg.errors import UserError

Node = dict[str, Any]

EVALUATION = "pvtseg.data.transforms.evaluation"
PUBLISHED = "pvtseg.data.transforms.published"
IMAGENET_MEAN = [0.485, 0.456, 0.406]
IMAGENET_STD = [0.229, 0.224, 0.225]
FILTERS = {2: "bilinear", 3: "bicubic"}  # Pillow's numbers

# What transformers' processors do where preprocessor_config.json is silent.
PROCESSORS: dict[str, Node] = {
    "pvt_v2": {"do_normalize": True, "size": {"height": 224, "width": 224}, "resample": 3},
    "segformer": {"do_normalize": True, "size": {"height": 512, "width": 512}, "resample": 2},
    "glpn": {"do_normalize": False, "size_divisor": 32, "resample": 2},
}
PROCESSOR_CLASSES = {"pvt_v2": "PvtImageProcessor", "segformer": "SegformerImageProcessor", "glpn": "GLPNImageProcessor"}


def normalize(mean: list[float], std: list[float]) -> Node:
    """The node of what is subtracted and divided by, on a scale of 0..1."""
    return {"_target_": "pvtseg.data.normalize.Normalize", "mean": list(mean), "std": list(std)}


def _unchanged() -> Node:
    return normalize([0.0, 0.0, 0.0], [1.0, 1.0, 1.0])


def official(task: str | None, depths: tuple[int, ...]) -> Node:
    """The evaluation of the authors' code. GLPN's takes the image as it is, and does not subtract the mean."""
    if task == "segmentation":
        short = 640 if depths[2] == 40 else 512  # B5 was trained on larger crops than the others
        transform = {"_target_": f"{EVALUATION}.KeepRatio", "base_size": [2048, short], "align": 32}
    elif task == "depth":
        return {"eval_transform": {"_target_": f"{EVALUATION}.Original"}, "normalize": _unchanged()}
    else:
        transform = _center_crop(224, 0.875, "bicubic")
    return {"eval_transform": transform, "normalize": normalize(IMAGENET_MEAN, IMAGENET_STD)}


def timm(config: Node) -> Node:
    """From timm's config.json, or from its defaults for PVT v2."""
    settings = config.get("pretrained_cfg", {})
    transform = _center_crop(
        settings.get("input_size", [3, 224, 224])[-1], settings.get("crop_pct", 0.9), settings.get("interpolation", "bicubic")
    )
    mean, std = settings.get("mean", IMAGENET_MEAN), settings.get("std", IMAGENET_STD)
    return {"eval_transform": transform, "normalize": normalize(mean, std)}


def huggingface(model_type: str, processor: Node) -> Node:
    """From preprocessor_config.json. Raises UserError for a rule that no processor of these models has."""
    settings = {**PROCESSORS[model_type], **processor}
    interpolation = FILTERS.get(settings["resample"])
    if interpolation is None:
        raise UserError(f"the image processor resamples by {settings['resample']}; known are 2 (bilinear) and 3 (bicubic).")
    scale = settings.get("rescale_factor", 1 / 255) if settings.get("do_rescale", True) else 1.0
    if settings["do_normalize"]:
        mean, std = settings.get("image_mean", IMAGENET_MEAN), settings.get("image_std", IMAGENET_STD)
    else:
        mean, std = [0.0] * 3, [1.0] * 3
    if abs(scale * 255 - 1) > 1e-6:  # Normalize counts from 0 to 1
        mean, std = ([value / (255 * scale) for value in values] for values in (mean, std))
    return {"eval_transform": _resizing(settings, interpolation), "normalize": normalize(mean, std)}


def to_processor(model_type: str, data: Node) -> Node:
    """preprocessor_config.json for the same image, as near as processors can say it."""
    transform, mean, std = data["eval_transform"], data["normalize"]["mean"], data["normalize"]["std"]
    return {
        "image_processor_type": PROCESSOR_CLASSES[model_type],
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": any(mean) or any(value != 1 for value in std),
        "image_mean": list(mean),
        "image_std": list(std),
        "resample": 3 if transform.get("interpolation") == "bicubic" else 2,
        **_size_rule(transform),
    }


def to_timm(data: Node) -> Node:
    """The part of timm's pretrained_cfg that says which image is wanted."""
    transform = data["eval_transform"]
    return {
        "input_size": [3, *_sides(transform.get("size", 224))],
        "crop_pct": transform.get("crop_pct", 1.0),
        "crop_mode": "center" if "crop_pct" in transform else "squash",
        "interpolation": transform.get("interpolation", "bicubic"),
        "mean": data["normalize"]["mean"],
        "std": data["normalize"]["std"],
    }


def _center_crop(size: int, crop_pct: float, interpolation: str) -> Node:
    return {
        "_target_": f"{EVALUATION}.ResizeCenterCrop",
        "size": [size, size],
        "crop_pct": crop_pct,
        "interpolation": interpolation,
    }


def _resizing(settings: Node, interpolation: str) -> Node:
    crop = _sides(settings["crop_size"]) if settings.get("do_center_crop") else None
    if not settings.get("do_resize", True):
        return {"_target_": f"{EVALUATION}.Original"}
    if "size_divisor" in settings:
        return {"_target_": f"{PUBLISHED}.RoundDown", "multiple": settings["size_divisor"], "interpolation": interpolation}
    size = settings["size"]
    if isinstance(size, dict) and "shortest_edge" in size:
        return {
            "_target_": f"{PUBLISHED}.ShortestEdge",
            "edge": size["shortest_edge"],
            "longest": size.get("longest_edge"),
            "crop": crop,
            "interpolation": interpolation,
        }
    if crop is not None and crop != _sides(size):
        raise UserError(f"the image processor squashes to {size} and crops {crop}; give it one size, or a shortest_edge.")
    return {"_target_": f"{PUBLISHED}.Squash", "size": _sides(size), "interpolation": interpolation}


def _size_rule(transform: Node) -> Node:
    name = transform["_target_"].rpartition(".")[2]
    if name in ("Squash", "Resize"):
        return {"do_resize": True, "size": _named_sides(transform["size"])}
    if name == "RoundDown":
        return {"do_resize": True, "size_divisor": transform["multiple"]}
    if name == "ShortestEdge":
        edges = {"shortest_edge": transform["edge"], "longest_edge": transform["longest"]}
        size = {key: edge for key, edge in edges.items() if edge is not None}
        return {"do_resize": True, "size": size, **_crop_rule(transform["crop"])}
    if name == "ResizeCenterCrop":
        edge = int(max(_sides(transform["size"])) / transform["crop_pct"])
        return {"do_resize": True, "size": {"shortest_edge": edge}, **_crop_rule(transform["size"])}
    if name == "KeepRatio":  # without stretching to a multiple, which processors cannot say
        long, short = transform["base_size"]
        return {"do_resize": True, "size": {"shortest_edge": short, "longest_edge": long}}
    return {"do_resize": False}


def _crop_rule(crop: Any) -> Node:
    return {} if crop is None else {"do_center_crop": True, "crop_size": _named_sides(crop)}


def _sides(size: Any) -> list[int]:
    """[height, width] of a size in any of the forms that settings use."""
    if isinstance(size, dict):
        return [size["height"], size["width"]]
    return [size, size] if isinstance(size, int) else list(size)


def _named_sides(size: Any) -> Node:
    height, width = _sides(size)
    return {"height": height, "width": width}
