"""timm's models against ours: the weights of every size, read from a file and written
for timm.
"""

import pytest
import timm
import torch

from pvtseg.backbones.pvt_v2 import mit_b0
from pvtseg.errors import UserError
from pvtseg.heads.segformer import SegFormerHead
from pvtseg.load import load_backbone, load_model, save_model
from pvtseg.model import Model

LARGE = pytest.mark.slow
SIZES = ["b0", "b1", "b2", "b2_li", *(pytest.param(size, marks=LARGE) for size in ("b3", "b4", "b5"))]


def largest_difference(ours, theirs):
    return float((ours - theirs).abs().max())


@torch.inference_mode()
@pytest.mark.parametrize("size", SIZES)
def test_every_size_gives_the_outputs_of_timm(size, tmp_path, image, shaken):
    theirs = shaken(timm.create_model(f"pvt_v2_{size}"))
    torch.save(theirs.state_dict(), tmp_path / "weights")
    ours = load_model(tmp_path / "weights")
    for height, width in [(224, 224), (193, 317)]:
        picture = image(height, width)
        assert largest_difference(ours(picture), theirs(picture)) < 1e-5
        for our_map, their_map in zip(
            ours.backbone(picture), theirs.forward_intermediates(picture, intermediates_only=True), strict=True
        ):
            assert largest_difference(our_map, their_map) < 1e-5 * float(their_map.abs().max())


@torch.inference_mode()
@pytest.mark.parametrize("size", ["b0", "b2_li"])
def test_what_differs_is_rounding_alone(size, tmp_path, image, shaken):
    theirs = shaken(timm.create_model(f"pvt_v2_{size}"))
    torch.save(theirs.state_dict(), tmp_path / "weights")
    ours = load_model(tmp_path / "weights").double()
    picture = image(65, 97).double()
    for our_map, their_map in zip(
        ours.backbone(picture), theirs.double().forward_intermediates(picture, intermediates_only=True), strict=True
    ):
        assert largest_difference(our_map, their_map) < 1e-9  # b2_li averages with weights that are float32


@torch.inference_mode()
@pytest.mark.parametrize("size", ["b0", "b2_li"])
def test_timm_opens_what_is_saved_for_it(size, tmp_path, image, shaken):
    theirs = shaken(timm.create_model(f"pvt_v2_{size}", num_classes=7))
    torch.save(theirs.state_dict(), tmp_path / "weights")
    folder = save_model(load_model(tmp_path / "weights"), tmp_path / "saved", layout="timm")
    by_file = timm.create_model(f"pvt_v2_{size}", num_classes=7, checkpoint_path=folder / "model.safetensors").eval()
    by_folder = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    for again in (by_file, by_folder):
        assert all(torch.equal(again.state_dict()[name], tensor) for name, tensor in theirs.state_dict().items())
        assert largest_difference(again(image(64, 96)), theirs(image(64, 96))) < 1e-5


@torch.inference_mode()
def test_an_encoder_alone_is_saved_for_timm_too(tmp_path, image):
    theirs = timm.create_model("pvt_v2_b0", num_classes=0, in_chans=5).eval()
    torch.save(theirs.state_dict(), tmp_path / "weights")
    folder = save_model(load_backbone(tmp_path / "weights"), tmp_path / "saved", layout="timm")
    again = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    picture = image(64, 64, channels=5)
    assert largest_difference(again(picture), theirs(picture)) < 1e-5


def test_settings_beside_timm_weights_say_which_image_is_wanted(tmp_path):
    theirs = timm.create_model("pvt_v2_b0", num_classes=2)
    (tmp_path / "config.json").write_text(
        '{"architecture": "pvt_v2_b0", "pretrained_cfg": {"input_size": [3, 256, 256], "crop_pct": 0.95, '
        '"interpolation": "bilinear", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}, "label_names": ["cat", "dog"]}'
    )
    torch.save(theirs.state_dict(), tmp_path / "pytorch_model.bin")
    data = load_model(tmp_path).config["data"]
    assert data["eval_transform"]["size"] == [256, 256]
    assert data["eval_transform"]["crop_pct"] == 0.95
    assert data["eval_transform"]["interpolation"] == "bilinear"
    assert data["normalize"]["mean"] == [0.5, 0.5, 0.5]
    assert data["labels"]["names"] == ["cat", "dog"]


def test_timm_is_not_given_what_it_cannot_hold(tmp_path):
    backbone = mit_b0()
    with pytest.raises(UserError, match="timm has no segmentation models; save with layout=pvtseg"):
        save_model(Model(backbone, SegFormerHead(backbone.channels, 3)), tmp_path, layout="timm")
    with pytest.raises(UserError, match="not mit_b0"):
        save_model(backbone, tmp_path, layout="timm")
