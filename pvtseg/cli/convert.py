"""Writes a checkpoint in another format, and proves it: both models are run on the same
image.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from pvtseg.errors import UserError
from pvtseg.load import load_backbone, load_model, read_checkpoint, save_model

Run = Callable[[Tensor], list[Tensor]]

LIMIT = 1e-3  # of the largest output; another epsilon in the norms makes about 1e-5
SIZE = (192, 256)  # of the image that both models see


def convert(config: DictConfig) -> float:
    """Converts, and returns the largest difference of the outputs. Raises UserError if
    that is too large.
    """
    missing = [key for key in ("source", "layout", "output") if OmegaConf.is_missing(config, key)]
    if missing:
        raise UserError(f"{missing[0]} is not given; pvtseg convert source=SOURCE layout=LAYOUT output=FOLDER.")
    options = {"norm_eps": config.norm_eps, "trust": tuple(config.trust)}
    if "head" in read_checkpoint(config.source, trust=options["trust"]).config:
        model: nn.Module = load_model(config.source, max_depth=config.max_depth, **options)
    else:
        model = load_backbone(config.source, **options)
    folder = save_model(model, config.output, config.layout)
    opened_by, run_converted = _open(folder, config.layout, model, options["trust"])

    backbone: Any = getattr(model, "backbone", model)
    image = torch.randn(1, backbone.in_channels, *SIZE, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        pairs = list(zip(_ours(model)(image), run_converted(image), strict=True))
    difference = max(float((before - after).abs().max()) for before, after in pairs)
    largest = max(float(before.abs().max()) for before, _ in pairs)
    print(f"wrote {folder}, layout {config.layout}")
    print(f"largest difference {difference:.1e} in outputs up to {largest:.2g}, opened by {opened_by}")
    if not difference <= LIMIT * max(largest, 1):
        raise UserError(
            f"the converted model differs by {difference:.1e}, more than {LIMIT} of its largest output; "
            f"do not use {folder}."
        )
    return difference


def _open(folder: Path, layout: str, original: nn.Module, trust: tuple[str, ...]) -> tuple[str, Run]:
    """The library that opens the converted model, and how to run it: the one that the
    layout is for, if it is installed.
    """
    is_model = hasattr(original, "head")
    if layout == "huggingface" and find_spec("transformers"):
        return "transformers", _transformers(folder)
    if layout == "timm" and find_spec("timm"):
        return "timm", _timm(folder, is_model=is_model)
    if not is_model:
        return "pvtseg", _ours(load_backbone(folder, trust=trust))
    max_depth = getattr(original.head, "max_depth", None)
    return "pvtseg", _ours(load_model(folder, trust=trust, max_depth=max_depth))


def _ours(model: nn.Module) -> Run:
    """The head's outputs at its own resolution; of a backbone alone, the coarsest map."""
    return lambda image: _tensors(model(image)) if hasattr(model, "head") else model(image)[-1:]


def _tensors(outputs: Any) -> list[Tensor]:
    """The tensors of outputs by name, in the order of the names."""
    return (
        [tensor for each in outputs.values() for tensor in _tensors(each)]
        if isinstance(outputs, Mapping)
        else [outputs]
    )


def _transformers(folder: Path) -> Run:
    import transformers

    config: Any = transformers.AutoConfig.from_pretrained(folder)
    model = getattr(transformers, config.architectures[0]).from_pretrained(folder).eval()

    def outputs(image: Tensor) -> list[Tensor]:
        output = model(image)
        if "predicted_depth" in output:
            return [output.predicted_depth[:, None]]
        return [output.logits if "logits" in output else output.last_hidden_state]

    return outputs


def _timm(folder: Path, *, is_model: bool) -> Run:
    import timm

    model: Any = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    return lambda image: [model(image) if is_model else model.forward_features(image)]
