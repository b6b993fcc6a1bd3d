"""OpenMMLab's SegFormer and PVT v2, written plainly with its module names.
openmmlab_oracle.py compares with its own code.
"""

import sys
import types

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pvtseg.backbones.pvt_v2.variants import mit_b0
from pvtseg.checkpoints.families import openmmlab
from pvtseg.errors import UserError
from pvtseg.heads.conv_segformer import ConvSegFormerHead
from pvtseg.heads.segformer import SegFormerHead
from pvtseg.load import load_backbone, load_model, load_predictor, save_model
from pvtseg.model import Model

WIDTHS = (32, 64, 160, 256)
HEADS = (1, 2, 5, 8)
RATIOS = (8, 4, 2, 1)
CLASSES = ["road", "car", "sky"]
PALETTE = [[128, 64, 128], [0, 0, 142], [70, 130, 180]]


class Embedding(nn.Module):
    def __init__(self, in_channels, channels, patch, stride):
        super().__init__()
        self.projection = nn.Conv2d(in_channels, channels, patch, stride, patch // 2)
        self.norm = nn.LayerNorm(channels, 1e-6)


class Attention(nn.Module):
    def __init__(self, channels, heads, ratio):
        super().__init__()
        self.attn = nn.MultiheadAttention(channels, heads, batch_first=True)
        if ratio > 1:
            self.sr = nn.Conv2d(channels, channels, ratio, ratio)
            self.norm = nn.LayerNorm(channels, 1e-6)


class FeedForward(nn.Module):
    def __init__(self, channels, hidden):
        super().__init__()
        depthwise = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.layers = nn.Sequential(
            nn.Conv2d(channels, hidden, 1),
            depthwise,
            nn.GELU(),
            nn.Dropout(0),
            nn.Conv2d(hidden, channels, 1),
            nn.Dropout(0),
        )


class Block(nn.Module):
    def __init__(self, channels, heads, ratio, mlp_ratio):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(channels, 1e-6), nn.LayerNorm(channels, 1e-6)
        self.attn = Attention(channels, heads, ratio)
        self.ffn = FeedForward(channels, mlp_ratio * channels)

    def forward(self, tokens, size):
        query = keys = self.norm1(tokens)
        if hasattr(self.attn, "sr"):
            keys = self.attn.norm(self.attn.sr(to_maps(query, size)).flatten(2).transpose(1, 2))
        tokens = tokens + self.attn.attn(query, keys, keys)[0]
        return tokens + self.ffn.layers(to_maps(self.norm2(tokens), size)).flatten(2).transpose(1, 2)


class Encoder(nn.Module):
    def __init__(self, mlp_ratios):
        super().__init__()
        stages, in_channels = [], 3
        for stage, channels in enumerate(WIDTHS):
            patch, stride = (7, 4) if stage == 0 else (3, 2)
            blocks = [Block(channels, HEADS[stage], RATIOS[stage], mlp_ratios[stage]) for _ in range(2)]
            embedding = Embedding(in_channels, channels, patch, stride)
            stages.append(nn.ModuleList([embedding, nn.ModuleList(blocks), nn.LayerNorm(channels, 1e-6)]))
            in_channels = channels
        self.layers = nn.ModuleList(stages)

    def forward(self, maps):
        features = []
        for embedding, blocks, norm in self.layers:
            maps = embedding.projection(maps)
            size = maps.shape[2:]
            tokens = embedding.norm(maps.flatten(2).transpose(1, 2))
            for block in blocks:
                tokens = block(tokens, size)
            maps = to_maps(norm(tokens), size)
            features.append(maps)
        return features


def to_maps(tokens, size):
    return tokens.transpose(1, 2).unflatten(2, size)


class ConvModule(nn.Module):
    def __init__(self, in_channels, channels):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(in_channels, channels, 1, bias=False), nn.BatchNorm2d(channels)

    def forward(self, maps):
        return F.relu(self.bn(self.conv(maps)))


class Decoder(nn.Module):
    def __init__(self, channels=24):
        super().__init__()
        self.convs = nn.ModuleList(ConvModule(width, channels) for width in WIDTHS)
        self.fusion_conv = ConvModule(4 * channels, channels)
        self.conv_seg = nn.Conv2d(channels, len(CLASSES), 1)

    def forward(self, features):
        size = features[0].shape[2:]
        maps = [conv(each) for conv, each in zip(self.convs, features, strict=True)]
        maps = [F.interpolate(each, size=size, mode="bilinear", align_corners=False) for each in maps]
        return self.conv_seg(self.fusion_conv(torch.cat(maps, 1)))


class SegFormer(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone, self.decode_head = Encoder((4, 4, 4, 4)), Decoder()

    def forward(self, image):
        return self.decode_head(self.backbone(image))


METAS = {
    "0.x": {"CLASSES": tuple(CLASSES), "PALETTE": PALETTE, "config": "test_pipeline = [dict(img_scale=(1024, 256))]"},
    "1.x": {
        "dataset_meta": {"classes": tuple(CLASSES), "palette": PALETTE},
        "cfg": "scale=(1, 1)\ntest_pipeline = [dict(scale=(\n 1024, 256))]",
    },
}


@torch.inference_mode()
@pytest.mark.parametrize("version", METAS)
def test_segformer_of_mmsegmentation_is_read_with_its_classes(version, tmp_path, image, shaken):
    theirs = shaken(SegFormer())
    torch.save({"meta": METAS[version], "state_dict": theirs.state_dict()}, tmp_path / "x.pth")
    ours = load_model(tmp_path / "x.pth")
    for picture in (image(129, 187), image(95, 161)):
        assert (ours(picture) - theirs(picture)).abs().max() < 1e-5
    labels = ours.config["data"]["labels"]
    assert (labels["names"], labels["palette"]) == (CLASSES, PALETTE)
    assert ours.config["data"]["eval_transform"]["base_size"] == [1024, 256]
    assert load_predictor(tmp_path / "x.pth").classes.names == tuple(CLASSES)


@torch.inference_mode()
def test_the_epsilons_are_openmmlabs(tmp_path, image, shaken):
    theirs = shaken(SegFormer()).double()
    torch.save({"state_dict": theirs.state_dict()}, tmp_path / "x.pth")
    picture = image(65, 97).double()
    ours = load_model(tmp_path / "x.pth").double()
    assert (ours(picture) - theirs(picture)).abs().max() < 1e-9
    official = load_model(tmp_path / "x.pth", norm_eps="official").double()
    assert (official(picture) - theirs(picture)).abs().max() > 1e-7


@torch.inference_mode()
def test_pvt_v2_of_a_detector_of_mmdetection_is_read(tmp_path, image, shaken):
    theirs = shaken(Encoder((8, 8, 4, 4)))
    state = {f"backbone.{name}": tensor for name, tensor in theirs.state_dict().items()}
    others = {
        f"{part}.{index}.conv.weight": torch.zeros(3)
        for part in ("neck.fpn_convs", "bbox_head.cls_convs")
        for index in (0, 1)
    }
    torch.save({"state_dict": {**state, **others}, "meta": {"CLASSES": ("person",)}}, tmp_path / "x.pth")
    ours = load_backbone(tmp_path / "x.pth")
    picture = image(129, 187)
    for our_map, their_map in zip(ours(picture), theirs(picture), strict=True):
        assert (our_map - their_map).abs().max() < 1e-5
    with pytest.raises(UserError, match=r"holds 4 tensors that no model of pvtseg has .*load_backbone"):
        load_model(tmp_path / "x.pth")


def test_an_encoder_of_theirs_alone_is_read(tmp_path, shaken):
    theirs = shaken(Encoder((4, 4, 4, 4)))
    torch.save(theirs.state_dict(), tmp_path / "mit_b0.pth")
    assert load_backbone(tmp_path / "mit_b0.pth").config["backbone"]["_target_"].endswith("mit_b0")


def test_query_key_and_value_are_stored_in_this_order():
    block = "backbone.stages.0.blocks.1.attention"
    state = {f"{block}.query.bias": torch.arange(2.0), f"{block}.key_value.bias": torch.arange(2.0, 6.0)}
    published = openmmlab.SEGMENTER.to_published(state)
    assert published["backbone.layers.0.1.1.attn.attn.in_proj_bias"].tolist() == [0, 1, 2, 3, 4, 5]


def test_their_code_takes_what_is_saved_for_it(tmp_path, image, shaken):
    backbone = mit_b0(embed_eps=1e-6, norm_eps=1e-6)
    ours = shaken(Model(backbone, ConvSegFormerHead(backbone.channels, len(CLASSES), channels=24)))
    folder = save_model(ours, tmp_path, layout="openmmlab")
    theirs = SegFormer().eval()
    theirs.load_state_dict(torch.load(folder / "model.pth")["state_dict"])
    with torch.inference_mode():
        assert (ours(image(95, 161)) - theirs(image(95, 161))).abs().max() < 1e-5


def test_what_openmmlab_lacks_is_refused(tmp_path):
    backbone = mit_b0()
    with pytest.raises(
        UserError, match="OpenMMLab has no SegFormer head of this kind; save with layout=pvtseg, huggingface, official"
    ):
        save_model(Model(backbone, SegFormerHead(backbone.channels, 3)), tmp_path, layout="openmmlab")
    with pytest.raises(
        UserError, match="Hugging Face has no SegFormer head of this kind; save with layout=pvtseg, openmmlab"
    ):
        save_model(Model(backbone, ConvSegFormerHead(backbone.channels, 3)), tmp_path, layout="huggingface")


def test_the_course_of_the_loss_in_a_checkpoint_is_skipped(tmp_path, shaken):
    """mmengine pickles HistoryBuffer, whose attributes hold methods, which a pickle
    names by getattr.
    """
    theirs = shaken(SegFormer())
    torch.save({"state_dict": theirs.state_dict(), "message_hub": HistoryBuffer()}, tmp_path / "x.pth")
    assert load_model(tmp_path / "x.pth").head.classify.out_channels == len(CLASSES)


class HistoryBuffer:
    """Pickled under mmengine's name."""

    __module__ = "mmengine.logging.history_buffer"

    def __init__(self):
        self._statistics_methods = {"min": self.minimum}

    def minimum(self):
        return 0


@pytest.fixture(autouse=True)
def mmengine(monkeypatch):
    """A module of mmengine's name, because pickle looks a class up before it writes it."""
    for name in ("mmengine", "mmengine.logging", "mmengine.logging.history_buffer"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    sys.modules["mmengine.logging.history_buffer"].HistoryBuffer = HistoryBuffer
