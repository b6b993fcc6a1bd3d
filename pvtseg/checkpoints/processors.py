"""transformers' preprocessor_config.json, read and written
(https://huggingface.co/docs/transformers/main_classes/image_processor).

Each class of processor reads its own keys and ignores the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pvtseg.checkpoints.images import EVALUATION, IMAGENET_MEAN, IMAGENET_STD, PUBLISHED, normalize, original, sides
from pvtseg.errors import UserError

Node = dict[str, Any]

# Pillow's numbers. Of torchvision's two kinds of nearest, transformers takes Pillow's.
# No number stands for bilinear.
FILTERS = {0: "nearest-exact", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming", None: "bilinear"}
NUMBERS = {name: number for number, name in FILTERS.items() if number is not None}
MOST_CROPPED = 384  # from this size on, ConvNext's processor squashes


def read(defaults: Node, processor: Node, channels: int) -> Node:
    """The nodes `eval_transform` and `normalize` of preprocessor_config.json.

    defaults: what the family's own processor does if the file is silent. channels: of
    the image. Raises UserError, which names the setting, for one that pvtseg lacks.
    """
    kind = _kind(processor) or defaults["image_processor_type"]
    if kind not in READERS:
        raise UserError(
            f"preprocessor_config.json is of {kind}; pvtseg reads {', '.join(READERS)}: write it as one of them."
        )
    silent = defaults if kind == defaults["image_processor_type"] else DEFAULTS.get(kind, defaults)
    settings = {**silent, **processor}
    interpolation = FILTERS.get(settings["resample"])
    if interpolation is None:
        raise UserError(
            f"preprocessor_config.json says resample {settings['resample']!r}; use one of Pillow's, 0 to 5."
        )
    if settings.get("do_pad"):
        raise UserError("preprocessor_config.json says do_pad, which pvtseg lacks; set it to false.")
    transform = (
        READERS[kind](settings, interpolation) if settings.get("do_resize", True) else _unresized(kind, settings)
    )
    return {"eval_transform": transform, "normalize": _normalize(settings, channels)}


def write(defaults: Node, data: Node) -> Node:
    """preprocessor_config.json for the same image, as near as processors can say it.

    Raises UserError for a transform that no processor has.
    """
    transform, mean, std = data["eval_transform"], data["normalize"]["mean"], data["normalize"]["std"]
    if transform["_target_"] not in SIZE_RULES:
        raise UserError(
            f"transformers' image processors have nothing like {transform['_target_']} (data.eval_transform); "
            "save with layout=pvtseg."
        )
    rule = SIZE_RULES[transform["_target_"]](transform)
    return {
        "image_processor_type": _class_for(rule, defaults["image_processor_type"]),
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": any(mean) or any(value != 1 for value in std),
        "image_mean": list(mean),
        "image_std": list(std),
        "resample": NUMBERS[transform.get("interpolation", "bilinear")],
        **rule,
    }


def _kind(processor: Node) -> str | None:
    """The class, in today's spelling; transformers 4 knew feature extractors and a fast
    and a slow kind.
    """
    kind = processor.get("image_processor_type") or processor.get("feature_extractor_type")
    if kind is None:
        return None
    kind = str(kind).replace("FeatureExtractor", "ImageProcessor")
    return kind.removesuffix("Fast").removesuffix("Pil")


def _normalize(settings: Node, channels: int) -> Node:
    scale = settings.get("rescale_factor", 1 / 255) if settings.get("do_rescale", True) else 1.0
    if settings.get("do_normalize", True):
        mean, std = settings.get("image_mean", IMAGENET_MEAN), settings.get("image_std", IMAGENET_STD)
    else:
        mean, std = 0.0, 1.0
    mean, std = ([value] * channels if isinstance(value, int | float) else list(value) for value in (mean, std))
    if abs(scale * 255 - 1) > 1e-6:  # Normalize counts from 0 to 1
        mean, std = ([value / (255 * scale) for value in values] for values in (mean, std))
    return normalize(mean, std)


def _unresized(kind: str, settings: Node) -> Node:
    if kind in CROPPING and settings.get("do_center_crop"):
        raise UserError("preprocessor_config.json says do_center_crop without do_resize; give it a size.")
    return original()


def _squash(settings: Node, interpolation: str) -> Node:
    """SegFormer's processor. It ignores crop_size."""
    size = settings["size"]
    if isinstance(size, dict) and "shortest_edge" in size:
        return {
            "_target_": f"{PUBLISHED}.ShortestEdge",
            "edge": size["shortest_edge"],
            "longest": size.get("longest_edge"),
            "crop": None,
            "interpolation": interpolation,
        }
    if isinstance(size, dict) and size.keys() != {"height", "width"}:
        raise UserError(f"preprocessor_config.json says size {size}; use height and width, or shortest_edge.")
    return {"_target_": f"{PUBLISHED}.Squash", "size": sides(size), "interpolation": interpolation}


def _squash_and_crop(settings: Node, interpolation: str) -> Node:
    """PVT's and ViT's processors."""
    transform = _squash(settings, interpolation)
    if not settings.get("do_center_crop"):
        return transform
    crop = sides(settings["crop_size"])
    if "edge" in transform:
        if transform["longest"] is None and max(crop) > transform["edge"]:
            raise UserError(
                f"preprocessor_config.json says crop_size {crop}, more than shortest_edge; use a larger edge."
            )
        return {**transform, "crop": crop}
    if crop != transform["size"]:
        raise UserError(
            f"preprocessor_config.json says size {transform['size']} and crop_size {crop}; "
            "give it one size, or a shortest_edge."
        )
    return transform


def _round_down(settings: Node, interpolation: str) -> Node:
    """GLPN's processor. It ignores size and crop_size."""
    return {"_target_": f"{PUBLISHED}.RoundDown", "multiple": settings["size_divisor"], "interpolation": interpolation}


def _crop_part(settings: Node, interpolation: str) -> Node:
    """ConvNext's processor: below 384, the image is resized to edge / crop_pct and cropped."""
    if settings.get("do_center_crop"):
        raise UserError("preprocessor_config.json says do_center_crop beside crop_pct; set it to false.")
    size = settings["size"]
    edge = size if isinstance(size, int) else size.get("shortest_edge")
    if edge is None:
        raise UserError(f"preprocessor_config.json says size {size}; ConvNextImageProcessor wants shortest_edge.")
    if edge >= MOST_CROPPED:
        return {"_target_": f"{PUBLISHED}.Squash", "size": [edge, edge], "interpolation": interpolation}
    return {
        "_target_": f"{PUBLISHED}.ShortestEdge",
        "edge": int(edge / settings.get("crop_pct", 224 / 256)),
        "longest": None,
        "crop": [edge, edge],
        "interpolation": interpolation,
    }


READERS: Mapping[str, Callable[[Node, str], Node]] = {
    "SegformerImageProcessor": _squash,
    "PvtImageProcessor": _squash_and_crop,
    "ViTImageProcessor": _squash_and_crop,
    "GLPNImageProcessor": _round_down,
    "ConvNextImageProcessor": _crop_part,
}
CROPPING = ("PvtImageProcessor", "ViTImageProcessor")
DEFAULTS: Mapping[
    str, Node
] = {  # of the classes that no family has as its own, and of each where another family has it
    "SegformerImageProcessor": {"size": 512, "resample": 2},
    "PvtImageProcessor": {"size": 224, "resample": 3},
    "ViTImageProcessor": {"size": 224, "resample": 2, "image_mean": 0.5, "image_std": 0.5},
    "GLPNImageProcessor": {"size_divisor": 32, "resample": 2, "do_normalize": False},
    "ConvNextImageProcessor": {"size": 384, "resample": 3, "image_mean": 0.5, "image_std": 0.5},
}


def _class_for(rule: Node, own: str) -> str:
    """The class that reads all of the rule, the family's own if it can."""
    if "size_divisor" in rule:
        return "GLPNImageProcessor"
    unread = own == "GLPNImageProcessor" and "size" in rule
    return "PvtImageProcessor" if unread or ("crop_size" in rule and own not in CROPPING) else own


def _of_sides(transform: Node) -> Node:
    return {"do_resize": True, "size": _named(transform["size"])}


def _of_multiple(transform: Node) -> Node:
    return {"do_resize": True, "size_divisor": transform["multiple"]}


def _of_edges(transform: Node) -> Node:
    edges = {"shortest_edge": transform["edge"], "longest_edge": transform["longest"]}
    size = {key: edge for key, edge in edges.items() if edge is not None}
    return {"do_resize": True, "size": size, **_of_crop(transform["crop"])}


def _of_center(transform: Node) -> Node:
    edge = int(max(sides(transform["size"])) / transform["crop_pct"])
    return {"do_resize": True, "size": {"shortest_edge": edge}, **_of_crop(transform["size"])}


def _of_frame(transform: Node) -> Node:
    """Settings without rounding the sides up to a multiple, which processors cannot say."""
    long, short = transform["base_size"]
    return {"do_resize": True, "size": {"shortest_edge": short, "longest_edge": long}}


def _of_nothing(transform: Node) -> Node:  # noqa: ARG001 (as the others)
    return {"do_resize": False}


def _of_crop(crop: Any) -> Node:
    return {} if crop is None else {"do_center_crop": True, "crop_size": _named(crop)}


def _named(size: Any) -> Node:
    height, width = sides(size)
    return {"height": height, "width": width}


SIZE_RULES: Mapping[str, Callable[[Node], Node]] = {
    f"{PUBLISHED}.Squash": _of_sides,
    f"{PUBLISHED}.RoundDown": _of_multiple,
    f"{PUBLISHED}.ShortestEdge": _of_edges,
    f"{EVALUATION}.Resize": _of_sides,
    f"{EVALUATION}.ResizeCenterCrop": _of_center,
    f"{EVALUATION}.KeepRatio": _of_frame,
    f"{EVALUATION}.Original": _of_nothing,
}
