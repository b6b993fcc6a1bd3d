"""From a source to a backbone, a model or a predictor, and back to files."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.utils import instantiate

from pvtseg.build import Config, build_backbone, build_eval_transform, build_model
from pvtseg.checkpoints import images
from pvtseg.checkpoints.anatomy import Anatomy
from pvtseg.checkpoints.checkpoint import Checkpoint, read_checkpoint
from pvtseg.checkpoints.describe import Facts, describe
from pvtseg.checkpoints.fitting import CLASSIFIER, FIRST_CONVOLUTION, Report, adapt_classes, adapt_in_channels
from pvtseg.checkpoints.saving import write_checkpoint
from pvtseg.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

    from pvtseg.data.target_info import ClassInfo
    from pvtseg.predictor import Predictor

BACKBONE, HEAD = "backbone.", "head."


def load_backbone(
    source: str | Path,
    *,
    norm_eps: str | None = None,
    revision: str | None = None,
    token: str | None = None,
    cache: str | Path | None = None,
    offline: bool = False,
    **options: Any,
) -> nn.Module:
    """The encoder of any supported checkpoint, in eval mode: image (B, C, H, W) -> four maps.

    options: of `PyramidVisionTransformer`, such as drop_path_rate or frozen_stages; other in_channels adapt the first
    convolution. The others as in `load_model`.
    """
    checkpoint = read_source(source, norm_eps=norm_eps, revision=revision, token=token, cache=cache, offline=offline)
    config = {"backbone": {**checkpoint.config["backbone"], **options}, "data": checkpoint.config["data"]}
    backbone = build_backbone(config)
    state = _adapted(_part(checkpoint.state, BACKBONE), backbone.state_dict())
    _fill(backbone, state, checkpoint.source)
    backbone.config = config
    return backbone.eval()


def load_model(source: str | Path, **options: Any) -> nn.Module:
    """The whole model of any supported checkpoint, in eval mode; `model.config` says what it is.

    model(image) -> logits (B, K, H, W), depth in meters (B, 1, H, W), or class logits (B, K); image is normalized as the
    checkpoint wants. options: those of `read_checkpoint`: norm_eps, max_depth, and for the hub revision, token, cache, offline.
    Raises UserError where there is no model, or one that pvtseg cannot build.
    """
    checkpoint = read_source(source, **options)
    if checkpoint.left_over:
        shown = ", ".join(checkpoint.left_over[:2])
        raise UserError(
            f"{source} holds {len(checkpoint.left_over)} tensors that no model of pvtseg has ({shown}, ...); "
            "its encoder can be had by load_backbone, or by training with pretrained=."
        )
    if "head" not in checkpoint.config:
        raise UserError(f"{source} is an encoder without a head; use load_backbone, or train a head with pretrained={source}.")
    model = build_model(checkpoint.config)
    _fill(model, checkpoint.state, checkpoint.source)
    return model.eval()


def load_predictor(source: str | Path, *, device: str = "cpu", **options: Any) -> Predictor:
    """What turns an image file into an answer in the image's own size, as the checkpoint's settings say.

    options: those of `load_model`. Raises UserError where the checkpoint does not say which image it wants.
    """
    return as_predictor(load_model(source, **options), str(source)).to(device)


def as_predictor(model: nn.Module, source: str = "the model") -> Predictor:
    """The predictor of a model that carries its configuration. Raises UserError where its task is not known to predictors."""
    from pvtseg import predictor  # which waits for OpenCV and Lightning

    config = model.config
    answers = {"Segmentation": predictor.labels, "Depth": predictor.meters, "Classification": predictor.probabilities}
    task = config["task"]["_target_"].rpartition(".")[2]
    if task not in answers:
        raise UserError(f"{source} answers the task {task}; a predictor knows {', '.join(answers)}. Use load_model.")
    return predictor.Predictor(
        model,
        partial(answers[task], **config.get("predictor", {})),
        inference=instantiate(config["inference"], _convert_="all"),
        transform=build_eval_transform(config),
        normalize=instantiate(config["data"]["normalize"], _convert_="all"),
    )


def save_model(model: nn.Module, folder: str | Path, layout: str = "pvtseg") -> Path:
    """Writes a model, or a backbone alone, into a folder; `load_model` and `load_backbone` read it again.

    layout: "pvtseg", "huggingface", "timm" or "official". A model that was loaded or trained carries its configuration; one put
    together by hand is described by its weights, and takes the image of the authors' code. Raises UserError where the
    layout cannot hold the model.
    """
    prefix = "" if hasattr(model, "backbone") else BACKBONE
    state = {prefix + name: tensor for name, tensor in model.state_dict().items()}
    config = getattr(model, "config", None) or _described(model, state)
    write_checkpoint(config, state, Path(folder), layout)
    return Path(folder)


def load_pretrained(backbone: nn.Module, source: str | Path, **options: Any) -> Report:
    """Loads a checkpoint's encoder into this one, whose in_channels may differ. Returns what was loaded.

    Raises UserError when the source is another encoder, or holds less than half of this one.
    """
    checkpoint = read_source(source, **options)
    state, report = _fitting_backbone(backbone, checkpoint)
    backbone.load_state_dict(state, strict=False)
    return report


def load_initial(model: nn.Module, source: str | Path, **options: Any) -> Report:
    """Loads a checkpoint into a model of ours as a start for training. Returns what was loaded.

    The encoder has to be the same. A head of the same kind is kept; of its classes, those that both know by name. What does
    not fit starts anew. Raises UserError as `load_pretrained` does.
    """
    checkpoint = read_source(source, **options)
    state, report = _fitting_backbone(model.backbone, checkpoint)
    state = {BACKBONE + name: tensor for name, tensor in state.items()}
    report.loaded, report.fresh = ([BACKBONE + name for name in names] for names in (report.loaded, report.fresh))
    head, note = _fitting_head(model, checkpoint)
    own = [name for name in model.state_dict() if name.startswith(HEAD)]
    report.loaded += head
    report.fresh += [name for name in own if name not in head]
    report.unused = [name for name in report.unused if name not in head]
    report.notes += note
    model.load_state_dict({**state, **head}, strict=False)
    return report


def read_source(source: str | Path, **options: Any) -> Checkpoint:
    """`read_checkpoint`, with a published encoder called by its name."""
    checkpoint = read_checkpoint(source, **options)
    checkpoint.config["backbone"] = _named(checkpoint.config["backbone"])
    return checkpoint


def _named(node: Config) -> Config:
    """The node of an encoder of a published size as `pvt_v2_b2` would have it, any other as it is."""
    if "channels" not in node:
        return node
    name = encoder_name(node["channels"], node["depths"], node["mlp_ratios"], linear=node["linear"])
    if name is None:
        return node
    sizes = ("channels", "depths", "mlp_ratios", "linear")
    options = {key: value for key, value in node.items() if key not in sizes}
    return {**options, "_target_": f"pvtseg.backbones.pvt_v2.{name}"}


def encoder_name(channels: list[int], depths: list[int], mlp_ratios: list[int], *, linear: bool) -> str | None:
    """The published encoder of these sizes. b5 is both PVT v2's and MiT's, and called PVT v2's; None where there is none."""
    from pvtseg.backbones.pvt_v2.variants import MIT_RATIOS, PVT_V2_RATIOS, SIZES

    size = next((size for size, known in SIZES.items() if known == (tuple(channels), tuple(depths))), None)
    if size is None or (linear and size != "b2"):
        return None
    if tuple(mlp_ratios) == PVT_V2_RATIOS and size != "b5":
        return f"pvt_v2_{size}" + ("_linear" if linear else "")
    if tuple(mlp_ratios) == MIT_RATIOS and not linear:
        return "pvt_v2_b5" if size == "b5" else f"mit_{size}"
    return None


def _described(model: nn.Module, state: Mapping[str, Tensor]) -> Config:
    """The configuration of a model that was put together by hand."""
    anatomy = Anatomy.of(state)
    first = getattr(model, "backbone", model).stages[0]
    facts = Facts((first.embed.norm.eps, first.norm.eps), images.official(anatomy.task, anatomy.depths))
    config = describe(anatomy, facts, max_depth=model.head.max_depth if anatomy.task == "depth" else None)
    return {**config, "backbone": _named(config["backbone"])}


def _part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: tensor for name, tensor in state.items() if name.startswith(prefix)}


def _adapted(state: dict[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The encoder's weights with the first convolution changed to the wanted number of channels."""
    if FIRST_CONVOLUTION not in state or FIRST_CONVOLUTION not in wanted:
        return state
    return {**state, FIRST_CONVOLUTION: adapt_in_channels(state[FIRST_CONVOLUTION], wanted[FIRST_CONVOLUTION].shape[1])}


def _fill(module: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Loads all weights. Raises UserError when one is missing, has another shape, or has no place."""
    wanted = module.state_dict()
    missing = [name for name in wanted if name not in state and not name.endswith("num_batches_tracked")]
    extra = [name for name in state if name not in wanted]
    other = [name for name in wanted if name in state and state[name].shape != wanted[name].shape]
    if missing:
        raise UserError(f"{source} lacks {len(missing)} of {len(wanted)} tensors, {missing[0]} among them; use the whole file.")
    if extra:
        raise UserError(f"{source} holds {extra[0]}, which the model of its configuration lacks; use the file it was saved as.")
    if other:
        name = other[0]
        raise UserError(
            f"{source} holds {name} as {tuple(state[name].shape)}, its configuration says {tuple(wanted[name].shape)}; "
            "take both from one model."
        )
    module.load_state_dict(state, strict=False)


def _fitting_backbone(backbone: nn.Module, checkpoint: Checkpoint) -> tuple[dict[str, Tensor], Report]:
    wanted = backbone.state_dict()
    theirs = _part(checkpoint.state, BACKBONE)
    state = _adapted(theirs, wanted)
    fitting = {name: tensor for name, tensor in state.items() if name in wanted and tensor.shape == wanted[name].shape}
    unfit = [name for name in state if name not in fitting]
    if unfit or len(fitting) < len(wanted) / 2:
        raise UserError(_other_encoder(theirs, wanted, checkpoint.source))
    report = Report(
        checkpoint.source,
        loaded=list(fitting),
        unused=[name for name in checkpoint.state if not name.startswith(BACKBONE)] + checkpoint.left_over,
        fresh=[name for name in wanted if name not in fitting],
    )
    old, new = (part[FIRST_CONVOLUTION].shape[1] if FIRST_CONVOLUTION in part else None for part in (theirs, wanted))
    if old != new:
        report.notes.append(f"first convolution adapted from {old} to {new} channels")
    return fitting, report


def _other_encoder(theirs: Mapping[str, Tensor], wanted: Mapping[str, Tensor], source: str) -> str:
    """Names both encoders where they have names."""
    seen, asked = (_name_of({BACKBONE + name: tensor for name, tensor in part.items()}) for part in (theirs, wanted))
    if seen is None or asked is None or seen == asked:
        name = next((name for name in theirs if name not in wanted or theirs[name].shape != wanted[name].shape), None)
        what = f"{name} does not fit" if name else f"{len(theirs)} of {len(wanted)} tensors are there"
        return f"{source} mostly does not fit this encoder: {what}; give weights of the same encoder."
    choice = seen.removeprefix("pvt_v2_")
    hint = " (MiT has MLP ratios 4, 4, 4, 4, PVT v2 8, 8, 4, 4)" if ("mit" in seen) != ("mit" in asked) else ""
    return f"{source} is {seen}, the model's encoder is {asked}{hint}; use backbone={choice}, or weights of {asked}."


def _name_of(state: Mapping[str, Tensor]) -> str | None:
    try:
        anatomy = Anatomy.of(state)
    except UserError:
        return None
    return encoder_name(anatomy.channels, anatomy.depths, anatomy.mlp_ratios, linear=anatomy.linear)


def _fitting_head(model: nn.Module, checkpoint: Checkpoint) -> tuple[dict[str, Tensor], list[str]]:
    """The head's weights that may be taken over, and what to say about its classes."""
    theirs, ours = (config.get("head", {}).get("_target_") for config in (checkpoint.config, model.config))
    if theirs is None or theirs != ours:
        return {}, []
    wanted = model.state_dict()
    found = {name: tensor for name, tensor in checkpoint.state.items() if name.startswith(HEAD) and name in wanted}
    head = {name: tensor for name, tensor in found.items() if name not in CLASSIFIER and tensor.shape == wanted[name].shape}
    classifier = {name: found[name] for name in CLASSIFIER if name in found}
    if not classifier:
        old, new = (config["head"].get("max_depth") for config in (checkpoint.config, model.config))
        return head, [f"answers stretched from {old:g} to {new:g} m"] if old != new else []
    if any(tensor.shape[1:] != wanted[name].shape[1:] for name, tensor in classifier.items()):
        return head, []
    their_labels, our_labels = (_labels(config) for config in (checkpoint.config, model.config))
    if their_labels.named != our_labels.named or (not our_labels.named and their_labels.names != our_labels.names):
        return head, [f"none of the {their_labels.num_classes} classes kept, as they have no names in common"]
    kept = [name for name in our_labels.names if name in their_labels.names]
    made = [name for name in our_labels.names if name not in their_labels.names]
    if not kept:
        return head, [f"none of the {their_labels.num_classes} classes kept, as they have no names in common"]
    for name, tensor in classifier.items():
        head[name] = adapt_classes(tensor, wanted[name], their_labels.names, our_labels.names)
    return head, [f"classes kept: {', '.join(kept)}"] + ([f"classes new: {', '.join(made)}"] if made else [])


def _labels(config: Config) -> ClassInfo:
    from pvtseg.data.target_info import ClassInfo

    return ClassInfo(**{key: value for key, value in config["data"]["labels"].items() if key != "_target_"})
