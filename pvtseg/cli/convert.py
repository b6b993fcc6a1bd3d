"""Writes a checkpoint in another format, and proves it: both models answer the same input."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig, OmegaConf

from pvtseg.cli.app import run
from pvtseg.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor, nn

    Ask = Callable[[Tensor], Tensor]

LIMIT = 1e-3  # of the largest number answered; another epsilon in the norms makes about 1e-5
SIZE = (192, 256)  # of the image that both models see


def main() -> None:
    """`pvtseg convert source=SOURCE layout=LAYOUT output=FOLDER`."""
    run(convert, "convert")


def convert(config: DictConfig) -> float:
    """Converts, and returns the largest difference of the answers. Raises UserError when that is too large."""
    missing = [key for key in ("source", "layout", "output") if OmegaConf.is_missing(config, key)]
    if missing:
        raise UserError(f"{missing[0]} is not given; pvtseg convert source=SOURCE layout=LAYOUT output=FOLDER.")
    # Imported here, so that --help and a misspelt option answer at once.
    import torch

    from pvtseg.load import load_backbone, load_model, read_source, save_model

    options = {"norm_eps": config.norm_eps}
    is_model = "head" in read_source(config.source).config
    model = (
        load_model(config.source, max_depth=config.max_depth, **options) if is_model else load_backbone(config.source, **options)
    )
    folder = save_model(model, config.output, config.layout)
    opened_by, ask = _open(folder, config.layout, model)

    in_channels = model.config["backbone"]["in_channels"]
    image = torch.randn(1, in_channels, *SIZE, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        before, after = _ours(model)(image), ask(image)
    difference, largest = float((before - after).abs().max()), float(before.abs().max())
    print(f"wrote {folder}, layout {config.layout}")
    print(f"largest difference {difference:.1e} in answers up to {largest:.2g}, opened by {opened_by}")
    if not difference <= LIMIT * max(largest, 1):
        raise UserError(
            f"the converted model differs by {difference:.1e}, more than {LIMIT} of its largest answer; do not use {folder}."
        )
    return difference


def _open(folder: Path, layout: str, original: nn.Module) -> tuple[str, Ask]:
    """Who opened the converted model, and how to ask it: the library that the layout is for, where it is installed."""
    head = original.config.get("head")
    if layout == "huggingface" and find_spec("transformers"):
        return "transformers", _transformers(folder)
    if layout == "timm" and find_spec("timm"):
        return "timm", _timm(folder, is_model=head is not None)
    from pvtseg.load import load_backbone, load_model

    converted = load_backbone(folder) if head is None else load_model(folder, max_depth=head.get("max_depth"))
    return "pvtseg", _ours(converted)


def _ours(model: nn.Module) -> Ask:
    """The head's answer at its own resolution; of a backbone alone, the coarsest map."""
    return model.answer if hasattr(model, "answer") else lambda image: model(image)[-1]


def _transformers(folder: Path) -> Ask:
    import transformers

    architecture = transformers.AutoConfig.from_pretrained(folder).architectures[0]
    model = getattr(transformers, architecture).from_pretrained(folder).eval()

    def ask(image: Tensor) -> Tensor:
        output = model(image)
        if "predicted_depth" in output:
            return output.predicted_depth[:, None]
        return output.logits if "logits" in output else output.last_hidden_state

    return ask


def _timm(folder: Path, *, is_model: bool) -> Ask:
    import timm

    model = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    return model if is_model else model.forward_features
