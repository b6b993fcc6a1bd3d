"""Checkpoints and outputs of OpenMMLab's own code, to be compared with ours. Run by
hand, in a virtual environment of its own:

    python -m venv oracle
    oracle/bin/pip install torch onedl-mmsegmentation==1.4.2 onedl-mmcv onedl-mmengine
    oracle/bin/pip install --no-deps onedl-mmdetection==3.5.1
    oracle/bin/pip install six pycocotools shapely terminaltables tqdm
    oracle/bin/python tests/checkpoints/openmmlab_oracle.py write FOLDER
    python tests/checkpoints/openmmlab_oracle.py compare FOLDER

`write` needs OpenMMLab alone, `compare` needs pvtseg alone. It prints the largest
difference of each model and exits with 1 if one is above 1e-5. `write` also opens what
`save` has written, if there is something:

    python tests/checkpoints/openmmlab_oracle.py save FOLDER
    oracle/bin/python tests/checkpoints/openmmlab_oracle.py open FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import nn

SIZES = [(129, 187), (95, 161)]  # height, width
LIMIT = 1e-5
SEGFORMERS = {  # embed_dims, num_layers, channels of the head
    "segformer_b0": (32, [2, 2, 2, 2], 256),
    "segformer_b2": (64, [3, 4, 6, 3], 256),
}
DETECTORS = {"pvt_v2_b0": (32, [2, 2, 2, 2]), "pvt_v2_b2": (64, [3, 4, 6, 3])}
CLASSES = [f"class {index}" for index in range(19)]
PALETTE = [[index, 2 * index, 3 * index] for index in range(19)]


def shaken(model: nn.Module, seed: int) -> nn.Module:
    """Random numbers in every tensor, variances positive, because fresh weights hide
    what is swapped.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if not tensor.is_floating_point():
                continue
            if tensor.ndim > 1:
                tensor.copy_(torch.randn(tensor.shape, generator=generator) / tensor[0].numel() ** 0.5)
            else:
                offset = 1.0 if name.endswith(("weight", "running_var")) else 0.0
                tensor.copy_(offset + 0.2 * torch.rand(tensor.shape, generator=generator))
    return model.eval()


def image(size: tuple[int, int]) -> torch.Tensor:
    return torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(1))


def segmenter(embed_dims: int, num_layers: list[int], channels: int) -> nn.Module:
    from mmengine.registry import init_default_scope
    from mmseg.registry import MODELS
    from mmseg.utils import register_all_modules

    register_all_modules()
    init_default_scope("mmseg")
    backbone = {
        "type": "MixVisionTransformer",
        "embed_dims": embed_dims,
        "num_layers": num_layers,
        "num_heads": [1, 2, 5, 8],
    }
    head = {
        "type": "SegformerHead",
        "in_channels": [embed_dims * heads for heads in (1, 2, 5, 8)],
        "in_index": [0, 1, 2, 3],
        "channels": channels,
        "dropout_ratio": 0.1,
        "num_classes": len(CLASSES),
        "norm_cfg": {"type": "BN"},
        "align_corners": False,
    }
    return MODELS.build(
        {"type": "EncoderDecoder", "backbone": backbone, "decode_head": head, "test_cfg": {"mode": "whole"}}
    )


def encoder(embed_dims: int, num_layers: list[int]) -> nn.Module:
    from mmdet.models.backbones.pvt import PyramidVisionTransformerV2

    return PyramidVisionTransformerV2(embed_dims=embed_dims, num_layers=num_layers)


@torch.inference_mode()
def write(folder: Path) -> None:
    """Random models as their training would store them, and their outputs."""
    import numpy as np
    from mmengine.logging import HistoryBuffer

    folder.mkdir(parents=True, exist_ok=True)
    for seed, (name, sizes) in enumerate(SEGFORMERS.items()):
        model = shaken(segmenter(*sizes), seed)
        outputs = [model.decode_head(model.backbone(image(size))) for size in SIZES]
        metas = {
            "0x": {"meta": {"CLASSES": tuple(CLASSES), "PALETTE": PALETTE, "mmseg_version": "0.30.0", "epoch": 3}},
            "1x": {
                "meta": {
                    "dataset_meta": {"classes": CLASSES, "palette": PALETTE},
                    "cfg": "test_pipeline = [dict(scale=(2048, 512))]",
                },
                "message_hub": {
                    "log_scalars": {"train/lr": HistoryBuffer(np.ones(3), np.ones(3))},
                    "runtime_info": {"iter": 3},
                },
                "optimizer": {"state": {}, "param_groups": [{"lr": 6e-5}]},
            },
        }
        for version, meta in metas.items():
            torch.save({"state_dict": model.state_dict(), **meta}, folder / f"{name}_{version}.pth")
        torch.save(outputs, folder / f"{name}.outputs")
    for seed, (name, sizes) in enumerate(DETECTORS.items()):
        backbone = shaken(encoder(*sizes), seed)
        torch.save([backbone(image(size)) for size in SIZES], folder / f"{name}.outputs")
        state = {f"backbone.{key}": tensor for key, tensor in backbone.state_dict().items()}
        state |= {f"neck.lateral_convs.{index}.conv.weight": torch.zeros(256, 8, 1, 1) for index in range(3)}
        state |= {f"bbox_head.cls_convs.{index}.conv.weight": torch.zeros(8, 8, 3, 3) for index in range(4)}
        torch.save({"state_dict": state, "meta": {"CLASSES": ("person", "car")}}, folder / f"{name}_retinanet.pth")


@torch.inference_mode()
def compare(folder: Path) -> None:
    """Our outputs from those files."""
    import pvtseg

    differences = {}
    for name in SEGFORMERS:
        for version in ("0x", "1x"):
            model = pvtseg.load_model(folder / f"{name}_{version}.pth")
            assert model.config["data"]["labels"]["names"] == CLASSES
            assert model.config["data"]["labels"]["palette"] == PALETTE
            outputs = torch.load(folder / f"{name}.outputs")
            differences[f"{name}_{version}"] = [
                _difference([model(image(size))], [theirs]) for size, theirs in zip(SIZES, outputs, strict=True)
            ]
    for name in DETECTORS:
        backbone = pvtseg.load_backbone(folder / f"{name}_retinanet.pth")
        outputs = torch.load(folder / f"{name}.outputs")
        differences[name] = [
            _difference(backbone(image(size)), theirs) for size, theirs in zip(SIZES, outputs, strict=True)
        ]
    for name, (odd, other) in differences.items():
        print(f"{name:22} {SIZES[0][0]} x {SIZES[0][1]}: {odd:.1e}   {SIZES[1][0]} x {SIZES[1][1]}: {other:.1e}")
    sys.exit(max(max(pair) for pair in differences.values()) > LIMIT)


def save(folder: Path) -> None:
    """A model of ours in OpenMMLab's layout, and its outputs."""
    import pvtseg
    from pvtseg.heads.conv_segformer import ConvSegFormerHead
    from pvtseg.model import Model

    backbone = pvtseg.mit_b0(embed_eps=1e-6, norm_eps=1e-6)
    model = shaken(Model(backbone, ConvSegFormerHead(backbone.channels, len(CLASSES))), 7)
    pvtseg.save_model(model, folder / "saved", layout="openmmlab")
    with torch.inference_mode():
        torch.save([model(image(size)) for size in SIZES], folder / "saved.outputs")


@torch.inference_mode()
def open_saved(folder: Path) -> None:
    """mmsegmentation's outputs from that file."""
    model = segmenter(*SEGFORMERS["segformer_b0"]).eval()
    model.load_state_dict(torch.load(folder / "saved" / "model.pth")["state_dict"])
    outputs = torch.load(folder / "saved.outputs")
    for size, ours in zip(SIZES, outputs, strict=True):
        print(f"{size[0]} x {size[1]}: {_difference([model.decode_head(model.backbone(image(size)))], [ours]):.1e}")


def _difference(ours: list[torch.Tensor], theirs: list[torch.Tensor]) -> float:
    assert len(ours) == len(theirs)
    return max(float((mine - other).abs().max()) for mine, other in zip(ours, theirs, strict=True))


if __name__ == "__main__":
    {"write": write, "compare": compare, "save": save, "open": open_saved}[sys.argv[1]](Path(sys.argv[2]))
