"""The same model in other libraries: our weights, written by `pvtseg.save_model` in the
form that each of them opens.

    python benchmarks/peers.py encoder pvt_v2_b0 timm FOLDER

writes them. It is a process of its own, so that one that measures another library has
done no more than open a file.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn

import pvtseg
from pvtseg.heads.glpn import GLPNHead
from pvtseg.heads.segformer import SegFormerHead
from pvtseg.model import Model

os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

NORM_EPS = 1e-5  # the libraries differ in it; here it is the same for all


def encoder(name: str) -> nn.Module:
    """Ours, with random weights: no download, and the same each time."""
    torch.manual_seed(0)
    return _made(getattr(pvtseg, name)())


def segformer(size: str, *, num_classes: int = 150) -> nn.Module:
    """SegFormer on a MiT, without dropout, so that training can be compared too."""
    torch.manual_seed(0)
    backbone = getattr(pvtseg, f"mit_{size}")()
    head = SegFormerHead(backbone.channels, num_classes, channels=256 if size in ("b0", "b1") else 768, dropout=0.0)
    return _made(Model(backbone, head))


def glpn(size: str) -> nn.Module:
    """GLPN on a MiT, up to 10 m."""
    torch.manual_seed(0)
    backbone = getattr(pvtseg, f"mit_{size}")()
    return _made(Model(backbone, GLPNHead(backbone.channels, max_depth=10)))


def with_one_epsilon(model: nn.Module) -> nn.Module:
    """The model, its layer norms' epsilon changed to NORM_EPS."""
    for module in model.modules():
        if isinstance(module, nn.LayerNorm):
            module.eps = NORM_EPS
    return model


def in_transformers(kind: str, name: str, architecture: str, **options: Any) -> nn.Module:
    """Our encoder, segformer or glpn of that name as transformers' class of that name,
    in eval mode.
    """
    import transformers

    with _saved(kind, name, "huggingface") as folder:
        return with_one_epsilon(getattr(transformers, architecture).from_pretrained(folder, **options).eval())


def in_timm(name: str) -> nn.Module:
    """Our encoder of that name as timm's model, in eval mode."""
    import timm

    with _saved("encoder", name, "timm") as folder:
        return with_one_epsilon(timm.create_model(f"local-dir:{folder}", pretrained=True).eval())


def in_smp(size: str) -> nn.Module:
    """Our segformer as segmentation_models.pytorch's, in eval mode.

    Its last step aligns the corners of the coarse and the fine map, as no other
    SegFormer does. Here it is told not to, which takes as long.
    """
    import segmentation_models_pytorch as smp

    with _saved("segformer", size, "official") as folder:
        weights = torch.load(folder / "model.pth", weights_only=True)["state_dict"]
    classes, channels = weights["decode_head.linear_pred.weight"].shape[:2]
    theirs = smp.Segformer(f"mit_{size}", encoder_weights=None, decoder_segmentation_channels=channels, classes=classes)
    theirs.load_state_dict({_smp_name(name): tensor for name, tensor in weights.items()})
    theirs.segmentation_head[1].align_corners = False
    return with_one_epsilon(theirs.eval())


@contextmanager
def _saved(kind: str, name: str, layout: str) -> Iterator[Path]:
    """A folder with our weights in a peer's layout."""
    with TemporaryDirectory() as folder:
        subprocess.run([sys.executable, __file__, kind, name, layout, folder], check=True)
        yield Path(folder)


def _smp_name(official: str) -> str:
    renames = {
        "backbone.": "encoder.",
        **{f"decode_head.linear_c{stage}.proj.": f"decoder.mlp_stage.{4 - stage}.linear." for stage in (1, 2, 3, 4)},
        "decode_head.linear_fuse.conv.": "decoder.fuse_stage.0.",
        "decode_head.linear_fuse.bn.": "decoder.fuse_stage.1.",
        "decode_head.linear_pred.": "segmentation_head.0.",
    }
    old, new = next((old, new) for old, new in renames.items() if official.startswith(old))
    return new + official.removeprefix(old)


def _made(model: nn.Module) -> nn.Module:
    """With random biases and norms instead of zeros and ones, so that none can be
    mistaken for another; in eval mode.
    """
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter += 0.1 * torch.randn_like(parameter)
    return model.eval()


if __name__ == "__main__":
    kind, name, layout, folder = sys.argv[1:]
    pvtseg.save_model({"encoder": encoder, "segformer": segformer, "glpn": glpn}[kind](name), folder, layout=layout)
