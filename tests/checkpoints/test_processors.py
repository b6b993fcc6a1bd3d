"""transformers' image processors against the transforms that their settings become,
pixel by pixel.
"""

import json

import numpy as np
import pytest
from PIL import Image
from transformers import (
    AutoImageProcessor,
    ConvNextImageProcessor,
    GLPNImageProcessor,
    PvtImageProcessor,
    SegformerImageProcessor,
    ViTImageProcessor,
)
from transformers.models.segformer.image_processing_pil_segformer import SegformerImageProcessorPil

from pvtseg.checkpoints import processors
from pvtseg.checkpoints.families import glpn, pvt_v2, segformer
from pvtseg.errors import UserError
from pvtseg.instantiate import instantiate_node

SMALL = {"height": 48, "width": 64}
PROCESSORS = {
    "mean as one number": SegformerImageProcessor(size=SMALL, image_mean=0.4, image_std=0.3),
    "a mean per channel": SegformerImageProcessor(size=SMALL, image_mean=[0.1, 0.2, 0.3], image_std=[0.4, 0.5, 0.6]),
    "no normalization": SegformerImageProcessor(size=SMALL, do_normalize=False),
    "no rescaling": PvtImageProcessor(size=SMALL, do_rescale=False),
    "other rescaling": PvtImageProcessor(size=SMALL, rescale_factor=1 / 127.5),
    "0, nearest": SegformerImageProcessor(size=SMALL, resample=0),
    "1, Lanczos": SegformerImageProcessor(size=SMALL, resample=1),
    "2, bilinear": SegformerImageProcessor(size=SMALL, resample=2),
    "3, bicubic": SegformerImageProcessor(size=SMALL, resample=3),
    "enlarged by Lanczos": SegformerImageProcessor(size={"height": 200, "width": 310}, resample=1),
    "a crop that SegFormer's ignores": SegformerImageProcessor(
        size=SMALL, do_center_crop=True, crop_size={"height": 20, "width": 20}
    ),
    "a crop that GLPN's ignores": GLPNImageProcessor(do_center_crop=True, crop_size={"height": 20, "width": 20}),
    "GLPN's by 16": GLPNImageProcessor(size_divisor=16, resample=3),
    "ConvNext's with a crop": ConvNextImageProcessor(size={"shortest_edge": 64}, crop_pct=0.8),
    "ConvNext's default crop": ConvNextImageProcessor(size={"shortest_edge": 56}),
    "ConvNext's squash": ConvNextImageProcessor(),
    "ViT's": ViTImageProcessor(size=SMALL),
    "PVT's with a crop": PvtImageProcessor(
        size={"shortest_edge": 64}, do_center_crop=True, crop_size={"height": 56, "width": 50}, default_to_square=False
    ),
    "shortest and longest edge": SegformerImageProcessor(size={"shortest_edge": 64, "longest_edge": 80}),
    "no resize": SegformerImageProcessor(do_resize=False),
}
FAMILIES = {SegformerImageProcessor: segformer, GLPNImageProcessor: glpn}


def photo():
    noise = np.random.default_rng(0).integers(0, 256, (9, 13, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((130, 97), Image.Resampling.BICUBIC)


def pixels(data, image):
    """What the model would see, (H, W, 3)."""
    transform = instantiate_node(data["eval_transform"], "data.eval_transform")
    normalize = data["normalize"]
    seen = transform(image=np.array(image))["image"].astype(np.float64) / 255
    return (seen - normalize["mean"]) / normalize["std"]


def difference(processor, data):
    wanted = processor(photo(), return_tensors="np")["pixel_values"][0].transpose(1, 2, 0)
    ours = pixels(data, photo())
    assert ours.shape == wanted.shape
    return np.abs(ours - wanted).max()


def stored(processor, folder):
    processor.save_pretrained(folder)
    return json.loads((folder / "preprocessor_config.json").read_text())


@pytest.mark.parametrize("name", PROCESSORS)
def test_the_model_sees_the_same_pixels(name, tmp_path):
    processor = PROCESSORS[name]
    defaults = FAMILIES.get(type(processor), pvt_v2).TRANSFORMERS.processor
    data = processors.read(defaults, stored(processor, tmp_path), 3)
    scale = 255 if name == "no rescaling" else 1
    assert difference(processor, data) < 1e-4 * scale


@pytest.mark.parametrize("resample", [4, 5], ids=["box", "hamming"])
def test_filters_of_pillow_alone_are_pillows(resample):
    processor = SegformerImageProcessorPil(size=SMALL, resample=resample)
    data = processors.read(segformer.TRANSFORMERS.processor, {"size": SMALL, "resample": resample}, 3)
    assert difference(processor, data) < 1e-4


def test_no_filter_is_bilinear():
    data = processors.read(segformer.TRANSFORMERS.processor, {"size": SMALL, "resample": None}, 3)
    assert difference(SegformerImageProcessor(size=SMALL, resample=2), data) < 1e-4


@pytest.mark.parametrize(
    ("kind", "processor"),
    [
        ({"feature_extractor_type": "SegformerFeatureExtractor"}, SegformerImageProcessor()),
        ({"image_processor_type": "SegformerImageProcessorFast"}, SegformerImageProcessor()),
        ({"image_processor_type": "ConvNextImageProcessor"}, ConvNextImageProcessor()),
        ({"image_processor_type": "ViTImageProcessor"}, ViTImageProcessor()),
        ({"image_processor_type": "GLPNImageProcessor"}, GLPNImageProcessor()),
        ({"image_processor_type": "PvtImageProcessor"}, PvtImageProcessor()),
        ({}, PvtImageProcessor()),
    ],
)
def test_what_the_file_leaves_out_is_the_default_of_its_class(kind, processor):
    assert difference(processor, processors.read(pvt_v2.TRANSFORMERS.processor, kind, 3)) < 1e-4


def test_one_number_stands_for_every_channel():
    normalize = processors.read(pvt_v2.TRANSFORMERS.processor, {"image_mean": 0.5, "image_std": 0.25}, 5)["normalize"]
    assert (normalize["mean"], normalize["std"]) == ([0.5] * 5, [0.25] * 5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"resample": 6}, "says resample 6; use one of Pillow's"),
        ({"image_processor_type": "DPTImageProcessor"}, "is of DPTImageProcessor; pvtseg reads Segformer"),
        ({"do_pad": True}, "says do_pad, which pvtseg lacks"),
        ({"size": {"max_height": 3, "max_width": 4}}, "says size .*use height and width, or shortest_edge"),
        ({"do_resize": False, "do_center_crop": True, "crop_size": 4}, "says do_center_crop without do_resize"),
        ({"size": 64, "do_center_crop": True, "crop_size": 32}, r"says size \[64, 64\] and crop_size \[32, 32\]"),
        (
            {"size": {"shortest_edge": 32}, "do_center_crop": True, "crop_size": 64},
            "says crop_size .*more than shortest_edge",
        ),
        (
            {"image_processor_type": "ConvNextImageProcessor", "do_center_crop": True},
            "says do_center_crop beside crop_pct",
        ),
        (
            {"image_processor_type": "ConvNextImageProcessor", "size": SMALL},
            "ConvNextImageProcessor wants shortest_edge",
        ),
    ],
)
def test_a_setting_that_pvtseg_lacks_is_refused_by_name(settings, message):
    with pytest.raises(UserError, match=message):
        processors.read(pvt_v2.TRANSFORMERS.processor, settings, 3)


@pytest.mark.parametrize("family", [pvt_v2, segformer, glpn])
@pytest.mark.parametrize(
    "transform",
    [
        {"_target_": "pvtseg.data.transforms.published.Squash", "size": [48, 64], "interpolation": "bicubic"},
        {"_target_": "pvtseg.data.transforms.published.Squash", "size": [48, 64], "interpolation": "nearest-exact"},
        {"_target_": "pvtseg.data.transforms.published.RoundDown", "multiple": 32, "interpolation": "bilinear"},
        {
            "_target_": "pvtseg.data.transforms.published.ShortestEdge",
            "edge": 60,
            "longest": None,
            "crop": [40, 56],
            "interpolation": "bilinear",
        },
        {"_target_": "pvtseg.data.transforms.evaluation.Original"},
    ],
    ids=lambda node: node["_target_"].rpartition(".")[2] if isinstance(node, dict) else "",
)
def test_what_is_written_for_transformers_is_read_by_it(family, transform, tmp_path):
    normalize = {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}
    data = {"eval_transform": transform, "normalize": normalize}
    (tmp_path / "preprocessor_config.json").write_text(
        json.dumps(processors.write(family.TRANSFORMERS.processor, data))
    )
    assert difference(AutoImageProcessor.from_pretrained(tmp_path), data) < 1e-4


def test_a_transform_that_no_processor_has_is_refused_by_name():
    data = {"eval_transform": {"_target_": "mine.Spiral"}, "normalize": {"mean": [0], "std": [1]}}
    with pytest.raises(UserError, match=r"nothing like mine.Spiral \(data.eval_transform\); save with layout=pvtseg"):
        processors.write(pvt_v2.TRANSFORMERS.processor, data)
