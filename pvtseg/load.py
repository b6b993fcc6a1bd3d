"""From a source to a backbone, a model or a predictor, and back to files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pvtseg.build import (
    build_backbone,
    build_eval_transform,
    build_inference,
    build_model,
    build_postprocess,
    build_visualizer,
)
from pvtseg.checkpoints.checkpoint import describe_by_hand, read_checkpoint
from pvtseg.checkpoints.fitting import (
    BACKBONE,
    HEAD,
    LoadReport,
    fill,
    fit_backbone,
    fit_head,
    of_part,
    with_channels_of,
    without_auxiliary_heads,
)
from pvtseg.checkpoints.saving import write_checkpoint
from pvtseg.errors import UserError
from pvtseg.instantiate import instantiate_node

if TYPE_CHECKING:
    from torch import nn

    from pvtseg.model import Model
    from pvtseg.predictor import Predictor


def load_backbone(
    source: str | Path,
    *,
    norm_eps: str | None = None,
    trust: Sequence[str] = (),
    revision: str | None = None,
    token: str | None = None,
    cache: str | Path | None = None,
    offline: bool = False,
    **options: Any,
) -> nn.Module:
    """The encoder of any supported checkpoint, in eval mode: image (B, C, H, W) -> its
    maps, finest first.

    options: of `PyramidVisionTransformer`, such as out_indices, drop_path_rate or
    frozen_stages; other in_channels adapt the first convolution. The others as in
    `load_model`.
    """
    checkpoint = read_checkpoint(
        source, norm_eps=norm_eps, trust=trust, revision=revision, token=token, cache=cache, offline=offline
    )
    config = {"backbone": {**checkpoint.config["backbone"], **options}, "data": checkpoint.config["data"]}
    backbone = build_backbone(config)
    state = with_channels_of(backbone.state_dict(), of_part(checkpoint.state, BACKBONE))
    fill(backbone, state, checkpoint.source)
    backbone.config = config  # for whoever saves it
    return backbone.eval()


def load_model(source: str | Path, **options: Any) -> Model:
    """The whole model of any supported checkpoint, in eval mode; `model.config`
    describes it.

    model(image) -> the head's outputs at its own resolution: logits (B, K, H/4, W/4),
    depth in meters (B, 1, H, W), class logits (B, K), or those by name. image is
    normalized as the checkpoint wants. Auxiliary heads, which only training runs, are
    left out. options: those of `read_checkpoint`: norm_eps, max_depth, trust, and for
    the hub revision, token, cache, offline. Raises UserError if there is no model, or
    one that pvtseg cannot build.
    """
    checkpoint = read_checkpoint(source, **options)
    if checkpoint.unmatched:
        shown = ", ".join(checkpoint.unmatched[:2])
        raise UserError(
            f"{source} holds {len(checkpoint.unmatched)} tensors that no model of pvtseg has ({shown}, ...); "
            "load its encoder by load_backbone, or train with pretrained=."
        )
    if "head" not in checkpoint.config:
        raise UserError(
            f"{source} is an encoder without a head; use load_backbone, or train a head with pretrained={source}."
        )
    config, state = without_auxiliary_heads(checkpoint.config, checkpoint.state)
    model = build_model(config)
    fill(model, state, checkpoint.source)
    return model.eval()


def load_predictor(source: str | Path, *, device: str = "cpu", **options: Any) -> Predictor:
    """A predictor of any supported checkpoint: image -> the prediction in the image's
    own size.

    options: those of `load_model`.
    """
    return as_predictor(load_model(source, **options)).to(device)


def as_predictor(model: Model) -> Predictor:
    """The predictor of a model that carries its configuration. Raises UserError if that
    lacks a part of the prediction.
    """
    from pvtseg.data.target_info import ClassInfo  # these wait for OpenCV
    from pvtseg.predictor import Predictor

    config = model.config
    lacking = [key for key in ("postprocess", "inference", "visualizer", "data") if key not in config]
    if lacking:
        raise UserError(
            f"the model's configuration has no {lacking[0]}, which a predictor needs; call the model itself."
        )
    labels = config["data"].get("labels")
    classes = None if labels is None else instantiate_node(labels, "data.labels")
    return Predictor(
        model,
        inference=build_inference(config),
        postprocess=build_postprocess(config),
        transform=build_eval_transform(config),
        normalize=instantiate_node(config["data"]["normalize"], "data.normalize"),
        visualizer=build_visualizer(config),
        classes=classes if isinstance(classes, ClassInfo) else None,
    )


def save_model(model: nn.Module, folder: str | Path, layout: str = "pvtseg") -> Path:
    """Writes a model, or a backbone alone, into a folder; `load_model` and
    `load_backbone` read it again.

    layout: "pvtseg", "huggingface", "timm", "official" or "openmmlab". A model that was
    loaded or trained carries its configuration. One put together by hand is described
    by its weights, and takes the image of the authors' code. Raises UserError if the
    layout cannot hold the model.
    """
    prefix = "" if hasattr(model, "backbone") else BACKBONE
    state = {prefix + name: tensor for name, tensor in model.state_dict().items()}
    config = getattr(model, "config", None) or describe_by_hand(model, state)
    write_checkpoint(config, state, Path(folder), layout)
    return Path(folder)


def load_pretrained(backbone: nn.Module, source: str | Path, **options: Any) -> LoadReport:
    """Loads a checkpoint's encoder into this one, whose in_channels may differ. Returns
    what was loaded.

    options: those of `read_checkpoint`. Raises UserError if the source is another
    encoder, or holds less than half of this one.
    """
    checkpoint = read_checkpoint(source, **options)
    fit = fit_backbone(backbone, checkpoint)
    missing = [name for name in backbone.state_dict() if name not in fit.state]
    backbone.load_state_dict(fit.state, strict=False)
    unused = [name for name in checkpoint.state if not name.startswith(BACKBONE)] + checkpoint.unmatched
    return LoadReport(checkpoint.source, list(fit.state), missing, unused, fit.notes)


def load_initial(model: Model, source: str | Path, **options: Any) -> LoadReport:
    """Loads a checkpoint into a model of ours as a start for training. Returns what was
    loaded.

    The encoder has to be the same. A head of the same kind is kept; of its classes,
    those that both know by name. What does not fit keeps its random start. options and
    errors as `load_pretrained`.
    """
    checkpoint = read_checkpoint(source, **options)
    backbone, head = fit_backbone(model.backbone, checkpoint), fit_head(model, checkpoint)
    state = {**{BACKBONE + name: tensor for name, tensor in backbone.state.items()}, **head.state}
    missing = [name for name in model.state_dict() if name not in state]
    unused = [
        name for name in checkpoint.state if name.startswith(HEAD) and name not in head.used
    ] + checkpoint.unmatched
    model.load_state_dict(state, strict=False)
    return LoadReport(checkpoint.source, list(state), missing, unused, backbone.notes + head.notes)
