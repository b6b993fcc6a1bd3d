"""From a composed configuration to the parts of a run."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from pvtseg.errors import UserError
from pvtseg.instantiate import Config, instantiate_node, make, partial_node
from pvtseg.paths import config_dir

if TYPE_CHECKING:  # these cost seconds to import, and the nodes' _target_ does it when they are needed
    from lightning import Callback, Trainer

    from pvtseg.data.module import DataModule
    from pvtseg.data.target_info import ClassInfo
    from pvtseg.interfaces import EvalTransform, Inference, PostProcess, Visualizer
    from pvtseg.model import Model
    from pvtseg.task import Task

# What a run is made of, and goes with the weights.
PART_KEYS = {
    "task", "data", "backbone", "head", "loss", "postprocess", "metrics", "visualizer", "inference", "optimizer",
    "schedule", "monitor", "seed",
}  # fmt: skip
# Where and how long a run is, and what it starts from: no business of the weights.
RUN_KEYS = {
    "trainer", "compile", "total_batch", "callbacks", "logger", "paths", "pretrained", "init", "resume", "checkpoint",
    "trust",
}  # fmt: skip


def compose(*overrides: str, name: str = "train") -> DictConfig:
    """The configuration that the command line would compose from `configs/NAME.yaml`
    and these overrides.

    `paths.run` is the folder that the command would write into. Raises Hydra's errors
    for overrides that do not fit.
    """
    with hydra.initialize_config_dir(str(config_dir()), version_base="1.3"):
        config = hydra.compose(name, list(overrides), return_hydra_config=True)
    with _hydra_config(config):
        run = str(config.hydra.run.dir)
    with open_dict(config):
        del config["hydra"]
    config.paths.run = run
    return config


@contextmanager
def _hydra_config(config: DictConfig) -> Iterator[None]:
    """Interpolations such as ${hydra:runtime.choices.task} read this configuration."""
    known = HydraConfig.instance().cfg
    HydraConfig.instance().cfg = cast(Any, config)
    try:
        yield
    finally:
        HydraConfig.instance().cfg = known


def complete(config: DictConfig, labels: ClassInfo | None = None) -> Config:
    """The configuration as plain containers, with what only the data knows.

    labels: the classes that the data module has found. `class_weights: auto` becomes
    their weights. Auxiliary heads and their losses stand beside the task's own, by
    name. Raises UserError for a missing value and for a key that nothing reads.
    """
    config = copy.deepcopy(config)
    if labels is not None:
        config.data.labels = {"_target_": "pvtseg.data.target_info.ClassInfo", **labels.as_dict()}
        _measure_class_weights(config.get("loss"), config.data.get("root"), labels.names)
    return _with_auxiliary_heads(resolve(config))


def resolve(config: DictConfig) -> Config:
    """The configuration as plain containers. Raises UserError for a missing value and
    for a key that nothing reads.
    """
    try:
        plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise UserError(_first_line(error)) from error
    assert isinstance(plain, dict)
    unknown = sorted(str(key) for key in plain.keys() - PART_KEYS - RUN_KEYS - {"auxiliary"})
    if unknown:
        raise UserError(
            f"nothing reads the key '{unknown[0]}'; remove it, or put it under the group that it is meant for."
        )
    return {str(key): value for key, value in plain.items()}


def _with_auxiliary_heads(config: Config) -> Config:
    """Each node of `auxiliary`, a head and its loss, beside the head and the loss of
    the task.
    """
    auxiliary = config.pop("auxiliary", None)
    if not auxiliary:
        return config
    name = config["task"]["name"]
    mappings = {
        key: {name: config[key]} | {extra: auxiliary[extra][key] for extra in auxiliary} for key in ("head", "loss")
    }
    return config | mappings


def checkpoint_config(config: Config) -> Config:
    """The part of the configuration that goes with the weights: all but where and how
    long a run is.
    """
    return {key: config[key] for key in config if key not in RUN_KEYS}


def build_data(config: Config | DictConfig) -> DataModule:
    """The data module of the configuration."""
    if isinstance(config, DictConfig):
        OmegaConf.to_container(
            config.data, throw_on_missing=True
        )  # names a missing root itself, not the keys that use it
    return instantiate_node(config["data"], "data", eval_transform=build_eval_transform(config))


def build_eval_transform(config: Config | DictConfig) -> EvalTransform:
    """What an image goes through before the model sees it: the data's own transform, at
    the ratios of the inference.
    """
    from pvtseg.data.transforms.evaluation import MultiScale

    transform = instantiate_node(config["data"]["eval_transform"], "data.eval_transform")
    ratios = build_inference(config).ratios
    return transform if ratios is None else MultiScale(transform, ratios)


def build_visualizer(config: Config | DictConfig) -> Visualizer:
    """What draws targets and predictions."""
    from pvtseg.tasks.several import Visualizers

    return make(config["visualizer"], "visualizer", several=Visualizers)


def build_backbone(config: Config) -> Any:
    """The encoder alone, with random weights."""
    return instantiate_node(config["backbone"], "backbone")


def build_model(config: Config) -> Model:
    """A backbone and its heads, joined, with random weights."""
    from pvtseg.model import Heads, Model

    backbone = build_backbone(config)
    several = partial(Heads, training_only=auxiliary_heads(config))
    head = make(config["head"], "head", backbone.channels, several=several)
    return Model(backbone, head, config=checkpoint_config(config))


def build_postprocess(config: Config) -> PostProcess:
    """What makes predictions of outputs. A single one reads the head of the task's name
    where there are several heads.
    """
    from pvtseg.tasks.several import OfHead, PostProcesses

    postprocess = make(config["postprocess"], "postprocess", several=PostProcesses)
    if "_target_" in config["postprocess"] and "_target_" not in config["head"]:
        return OfHead(config["task"]["name"], postprocess)
    return postprocess


def build_inference(config: Config | DictConfig) -> Inference:
    """How the model is run on a batch."""
    return instantiate_node(config["inference"], "inference")


def auxiliary_heads(config: Config) -> set[str]:
    """The names of the heads that have no postprocess."""
    if "_target_" in config["head"]:
        return set()
    predicted = {config["task"]["name"]} if "_target_" in config["postprocess"] else set(config["postprocess"])
    return set(config["head"]) - predicted


def build_task(config: Config, model: Model) -> Task:
    """The Lightning module that trains and evaluates the model."""
    from pvtseg.losses.several import PerHead
    from pvtseg.metrics.several import MetricsByName
    from pvtseg.task import Task

    return Task(
        model,
        name=config["task"]["name"],
        loss=make(config["loss"], "loss", several=PerHead),
        postprocess=build_postprocess({**config, "head": model.config["head"]}),
        metrics=make(config["metrics"], "metrics", several=MetricsByName),
        inference=build_inference(config),
        optimizer=partial_node(config["optimizer"], "optimizer"),
        schedule=partial_node(config["schedule"], "schedule"),
    )


def build_trainer(config: Config, *callbacks: Callback) -> Trainer:
    """Lightning's trainer with the callbacks and loggers of the configuration, and the
    further `callbacks`.

    Lightning counts `val_check_interval` in batches, we in steps; a run that is shorter
    than it is validated at its end. `total_batch`, where it is given, is reached by
    accumulation, or the run refused.
    """
    from lightning.fabric.utilities.exceptions import MisconfigurationException

    from pvtseg.checkpoints.training_io import TrainingCheckpointIO  # which waits for Lightning

    built = [*callbacks, *(instantiate_node(node, f"callbacks.{name}") for name, node in config["callbacks"].items())]
    loggers = [instantiate_node(node, f"logger.{name}") for name, node in (config.get("logger") or {}).items()]
    options = dict(config["trainer"])
    _check_length(options)
    total_batch, accumulated = config.get("total_batch"), options["accumulate_grad_batches"]
    if total_batch is not None and accumulated != 1:
        raise UserError(
            f"total_batch={total_batch} and trainer.accumulate_grad_batches={accumulated} both say "
            "how large a step is; keep one."
        )
    plugins = [TrainingCheckpointIO()]
    try:
        trainer = instantiate_node(options, "trainer", callbacks=built, logger=loggers, plugins=plugins)
    except (MisconfigurationException, ImportError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise UserError(f"trainer cannot be built: {reason}; correct its keys.") from error
    if total_batch is not None:  # the number of devices is known to the trainer only
        trainer.accumulate_grad_batches = accumulation(total_batch, config["data"]["batch_size"], trainer.world_size)
    if isinstance(options["val_check_interval"], int):
        steps = options["val_check_interval"]
        if options["max_steps"] > 0:
            steps = min(steps, options["max_steps"])
        trainer.val_check_interval = steps * trainer.accumulate_grad_batches
    return trainer


def _check_length(options: Config) -> None:
    """Raises UserError for a training of no steps, and for an interval of none."""
    steps, interval = options["max_steps"], options["val_check_interval"]
    if not isinstance(steps, int) or (steps < 1 and steps != -1):
        raise UserError(f"trainer.max_steps is {steps!r}; use a whole number of steps from 1 on, or trainer=epochs.")
    if isinstance(interval, str | bool) or (interval is not None and interval <= 0):
        raise UserError(f"trainer.val_check_interval is {interval!r}; use a number of steps from 1 on.")


def accumulation(total_batch: int, batch_size: int, num_devices: int) -> int:
    """The batches of `batch_size` on each device that make `total_batch` images. Raises
    UserError where none do.
    """
    if total_batch % (batch_size * num_devices) == 0:
        return total_batch // (batch_size * num_devices)
    if total_batch % num_devices:
        way_out = f"use a number of devices that divides {total_batch}"
    else:
        of_device = total_batch // num_devices
        way_out = f"use data.batch_size={max(size for size in range(1, batch_size + 1) if of_device % size == 0)}"
    raise UserError(
        f"total_batch={total_batch} is not a multiple of {batch_size} images on each of {num_devices} devices; "
        f"{way_out}, or another total_batch (null for none)."
    )


def _measure_class_weights(node: Any, root: str | None, names: Sequence[str]) -> None:
    """Replaces each `class_weights: auto` of a loss and its terms by numbers, because a
    checkpoint carries them.
    """
    from pvtseg.losses.class_weights import measured_weights

    if not isinstance(node, dict | DictConfig):
        return
    if node.get("class_weights") == "auto":
        node["class_weights"] = measured_weights(root, names)
    for part in node.values():
        _measure_class_weights(part, root, names)


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0]
