"""From a composed configuration to objects."""

import re
from collections.abc import Callable, Sequence
from inspect import signature
from typing import TYPE_CHECKING, Any

from hydra.errors import InstantiationException
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pvtseg.errors import UserError

if TYPE_CHECKING:  # these cost seconds to import, and the nodes' _target_ does it when they are needed
    from lightning import Callback, Trainer
    from torch import nn
    from torch.utils.data import Dataset

    from pvtseg.data.module import DataModule
    from pvtseg.data.target_info import ClassInfo, DepthRange
    from pvtseg.drawing import Painter
    from pvtseg.interfaces import Transform
    from pvtseg.tasks.base import Task

Config = dict[str, Any]

MODEL_KEYS = {"model", "backbone", "head", "auxiliary"}
TASK_KEYS = {"task", "loss", "auxiliary_loss", "metrics", "inference", "optimizer", "schedule", "monitor", "painter", "predictor"}
WEIGHTS_KEYS = {"pretrained", "init", "resume", "checkpoint"}
RUN_KEYS = {"trainer", "compile", "total_batch", "callbacks", "logger", "paths", "seed"} | WEIGHTS_KEYS


def resolve(config: DictConfig) -> Config:
    """The composed configuration as plain containers. Raises UserError for keys that nothing would read."""
    try:
        plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise UserError(_first_line(error)) from error
    unknown = sorted(plain.keys() - MODEL_KEYS - TASK_KEYS - RUN_KEYS - {"data"})
    if unknown:
        raise UserError(f"nothing reads the key '{unknown[0]}'; remove it or put it under the group that it is meant for.")
    return plain


def build_data(config: Config | DictConfig) -> "DataModule":
    """The data module. Facts about the classes that only the data set knows are written into the configuration."""
    if isinstance(config, DictConfig):
        OmegaConf.to_container(config.data, throw_on_missing=True)  # names a missing root itself, not the keys that use it
    data = _make(config, "data", eval_transform=build_eval_transform(config))
    if data.labels is not None:
        config["data"]["labels"] = {"_target_": "pvtseg.data.target_info.ClassInfo", **data.labels.as_dict()}
        _measure_class_weights(config.get("loss"), config["data"].get("root"), data.labels.names)
    return data


def build_eval_transform(config: Config | DictConfig) -> "Transform":
    """What an image goes through before the model sees it: the data's own transform, at the ratios that the inference has."""
    from pvtseg.data.transforms.evaluation import MultiScale

    key = "data.eval_transform"
    transform = _make({key: config["data"]["eval_transform"]}, key)
    ratios = config["inference"].get("ratios")
    return transform if ratios is None else MultiScale(transform, ratios)


def build_samples(config: DictConfig, part: str, **options: Any) -> "Dataset":
    """The samples of one part, train or val, alone. Of the options, those that this data set knows are handed over."""
    known = signature(get_object(config["data"][part]["_target_"])).parameters
    return _make(config["data"], part, **{name: value for name, value in options.items() if name in known})


def build_truth(config: DictConfig) -> "ClassInfo | DepthRange":
    """The facts of the data's labels: classes, or the range of depths."""
    return _make(config["data"], "labels" if "labels" in config["data"] else "depth")


def build_painter(config: Config) -> "Painter":
    """Who draws the answers of the configuration's task."""
    return _make(config, "painter")


def build_backbone(config: Config) -> "nn.Module":
    """The encoder alone, with fresh weights."""
    return _make(config, "backbone")


def build_model(config: Config) -> "nn.Module":
    """A backbone, a head and perhaps an auxiliary head, joined, with fresh weights.

    It carries its configuration, as `config`, for whoever saves it.
    """
    backbone = build_backbone(config)
    heads = [_make(config, key, backbone.channels) for key in ("head", "auxiliary") if key in config]
    model = _make(config, "model", backbone, *heads)
    model.config = carried(config)
    return model


def build_task(config: Config, model: "nn.Module") -> "Task":
    """The Lightning module that trains and evaluates the model."""
    loss = _make(config, "loss")
    if "auxiliary_loss" in config:
        loss = _make(config, "auxiliary_loss", loss)
    return _make(
        config,
        "task",
        model,
        loss=loss,
        metrics=_make(config, "metrics"),
        inference=_make(config, "inference"),
        optimizer=_later(config, "optimizer"),
        schedule=_later(config, "schedule"),
    )


def build_trainer(config: Config, *callbacks: "Callback") -> "Trainer":
    """Lightning's trainer with the callbacks and loggers of the configuration, and the further `callbacks`.

    Lightning counts `val_check_interval` in batches, we in steps; a run that is shorter than it is validated at its end.
    `total_batch`, where it is given, is reached by accumulation, or the run refused.
    """
    callbacks = [*callbacks, *(_make(config["callbacks"], name) for name in config["callbacks"])]
    loggers = [_make(config["logger"], name) for name in config.get("logger") or ()]
    options = dict(config["trainer"])
    if not isinstance(options["max_steps"], int):
        raise UserError(f"trainer.max_steps is {options['max_steps']!r}; use a whole number of steps, or trainer=epochs.")
    total_batch, accumulated = config.get("total_batch"), options["accumulate_grad_batches"]
    if total_batch is not None and accumulated != 1:
        raise UserError(
            f"total_batch={total_batch} and trainer.accumulate_grad_batches={accumulated} both say how large a step is; keep one."
        )
    trainer = _make({"trainer": options}, "trainer", callbacks=callbacks, logger=loggers)
    if total_batch is not None:  # the number of devices is known to the trainer only
        trainer.accumulate_grad_batches = accumulation(total_batch, config["data"]["batch_size"], trainer.world_size)
    if isinstance(options["val_check_interval"], int):
        steps = options["val_check_interval"]
        if options["max_steps"] > 0:
            steps = min(steps, options["max_steps"])
        trainer.val_check_interval = steps * trainer.accumulate_grad_batches
    return trainer


def accumulation(total_batch: int, batch_size: int, num_devices: int) -> int:
    """How many batches of `batch_size` on each device make `total_batch` images. Raises UserError where none do."""
    if total_batch % (batch_size * num_devices) == 0:
        return total_batch // (batch_size * num_devices)
    if total_batch % num_devices:
        way_out = f"use a number of devices that divides {total_batch}"
    else:
        share = total_batch // num_devices
        way_out = f"use data.batch_size={max(size for size in range(1, batch_size + 1) if share % size == 0)}"
    raise UserError(
        f"total_batch={total_batch} is no multiple of {batch_size} images on each of {num_devices} devices; "
        f"{way_out}, or another total_batch (null for none)."
    )


def carried(config: Config) -> Config:
    """The part of the configuration that goes with the weights: all but where and how long a run was."""
    return {key: config[key] for key in config if key in MODEL_KEYS | TASK_KEYS | {"data", "seed"}}


def _measure_class_weights(node: Any, root: str | None, names: Sequence[str]) -> None:
    """Puts numbers in the place of each `class_weights: auto` of a loss and its terms, so that a checkpoint carries them."""
    from pvtseg.losses.class_weights import measured_weights

    if not isinstance(node, dict | DictConfig):
        return
    if node.get("class_weights") == "auto":
        node["class_weights"] = measured_weights(root, names)
    for part in node.values():
        _measure_class_weights(part, root, names)


def _make(config: Config, key: str, *parts: Any, **named_parts: Any) -> Any:
    """What the node `key` describes, built from its own values and the parts that are handed over."""
    return _later(config, key)(*parts, **named_parts)


def _later(config: Config, key: str) -> Callable[..., Any]:
    """A function that builds what the node `key` describes from the parts that it is called with."""

    def make(*parts: Any, **named_parts: Any) -> Any:
        try:
            return instantiate(config[key], _partial_=True, _convert_="all")(*parts, **named_parts)
        except (InstantiationException, TypeError, ValueError) as error:
            raise _explained(error, key) from error

    return make


def _explained(error: Exception, key: str) -> UserError:
    """Why building from the node `key` failed, as what it nearly always is: a value that does not fit."""
    cause = error
    while not isinstance(cause, UserError) and cause.__cause__ is not None:
        cause = cause.__cause__
    if isinstance(cause, UserError):
        return cause
    text = str(cause)
    if unexpected := re.search(r"(\w+)(?:\.__init__)?\(\) got an unexpected keyword argument '(\w+)'", text):
        owner, argument = unexpected.groups()
        return UserError(f"{owner} has no option '{argument}' ({key}.{argument}); correct or remove it.")
    if missing := re.search(r"(\w+)(?:\.__init__)?\(\) missing .* required .*argument.*?: (.*)", text):
        owner, arguments = missing.groups()
        return UserError(f"{owner} needs {arguments}, which the configuration does not give; set it under {key}.")
    reason = " ".join(text.split())
    return UserError(f"{key} cannot be built from its values: {reason}; correct them (HYDRA_FULL_ERROR=1 shows where it failed).")


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0]
