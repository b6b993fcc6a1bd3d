"""The printed report of a command: the header, the table of results, the files that
were written.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from lightning import Trainer
from rich.console import Console
from rich.table import Table
from torch import nn

from pvtseg.build import Config
from pvtseg.data.module import DataModule
from pvtseg.model import count_multiply_adds
from pvtseg.task import Task

console = Console(highlight=False, soft_wrap=True, markup=False)


def training_header(config: Config, data: DataModule, task: Task, trainer: Trainer, folder: Path, weights: str) -> None:
    """Prints what will be trained, from what, on what, how and where to."""
    height, width = data.train_item(0)["image"].shape[:2]  # which also tells early when the data cannot be read
    work = count_multiply_adds(task.model, (height, width))
    effective = data.batch_size * trainer.world_size * trainer.accumulate_grad_batches
    steps = trainer.max_steps if trainer.max_steps > 0 else (trainer.max_epochs or 1) * (len(data.train) // effective)
    _print_lines(
        **_model_lines(config, task),
        work=f"{work / 1e9:.2f} GMACs at {height} x {width}",
        weights=weights,
        data=f"{data_name(config)}: {len(data.train):,} training, {len(data.val):,} validation images",
        batch=f"{effective} ({data.batch_size} x {trainer.world_size} devices "
        f"x {trainer.accumulate_grad_batches} accumulated)",
        length=f"{steps:,} steps, {steps * effective / len(data.train):.1f} epochs",
        lr=f"{config['optimizer']['lr']} at its peak",
        device=_device(trainer),
        folder=str(folder),
    )


def evaluation_header(config: Config, data: DataModule, task: Task, trainer: Trainer, checkpoint: str) -> None:
    """Prints what will be evaluated, on what and how."""
    _print_lines(
        **_model_lines(config, task),
        weights=checkpoint,
        data=f"{data_name(config, split='val')}: {len(data.val):,} validation images",
        image=_with_options(config["data"]["eval_transform"]),
        inference=task.inference.protocol,
        device=_device(trainer),
    )


def results(content: Mapping[str, Any], classes: Mapping[str, str], monitor: str) -> None:
    """Prints the metrics as a table: a row per class where classes have numbers of
    their own, then the others.

    classes: the key of each number of one class -> the class name.
    """
    metrics, protocol = content["metrics"], content["protocol"]
    limit = f", limit_val_batches={protocol['limit_val_batches']}" if "limit_val_batches" in protocol else ""
    table = Table(
        title=f"{content['task']} on {content['data']} ({protocol['inference']}{limit})", title_justify="left"
    )
    kinds = list(dict.fromkeys(_kind(key, name) for key, name in classes.items()))
    table.add_column("class" if kinds else "metric")
    for kind in kinds or ["value"]:
        table.add_column(kind, justify="right")
    for name in dict.fromkeys(classes.values()):
        values = {_kind(key, name): metrics.get(key) for key, owner in classes.items() if owner == name}
        table.add_row(name, *("absent" if values.get(kind) is None else f"{values[kind]:.4f}" for kind in kinds))
    if kinds:
        table.add_section()
    for name, value in metrics.items():
        if name not in classes:
            table.add_row(name, f"{value:.4f}", style="bold" if name == monitor else None)
    console.print(table)


def written(paths: Iterable[Path]) -> None:
    """Prints the files that are there now."""
    for path in paths:
        if path.exists():
            console.print(f"wrote {path}")


def measured(task: Task) -> dict[str, float]:
    """The metrics that have a value. Those of a class that occurs nowhere have none."""
    return {name: value for name, value in task.results.items() if not math.isnan(value)}


def content_of_metrics(config: Config, task: Task, data: DataModule, checkpoint: str) -> dict[str, Any]:
    """The content of metrics.json: plain numbers, and under protocol what they depend
    on, absent classes included.
    """
    classes = task.metrics.per_class
    protocol = {
        **task.metrics.protocol,
        "image": _with_options(config["data"]["eval_transform"]),
        "inference": task.inference.protocol,
        "images": len(data.val),
    }
    limit = config["trainer"]["limit_val_batches"]
    if isinstance(limit, int) or limit < 1.0:  # a number of batches, or a fraction of them
        protocol["limit_val_batches"] = limit
    if classes:
        absent = (classes[name] for name, value in task.results.items() if name in classes and math.isnan(value))
        protocol["absent_classes"] = list(dict.fromkeys(absent))
    return {
        "task": task.name,
        "metrics": measured(task),
        "protocol": protocol,
        "data": data_name(config, split="val"),
        "checkpoint": checkpoint,
    }


def data_name(config: Config, *, split: str | None = None) -> str:
    """The name of the data and the folder that it lies in: that of one split, or that
    of all.
    """
    data = config["data"]
    root, images = data.get("root"), None
    if split is not None:
        root = data[split].get("root", root)
        images = data[split].get("images")
    if root is None:
        return data["name"]
    return f"{data['name']} {Path(root) / images if isinstance(images, str) else root}"


def _kind(key: str, name: str) -> str:
    """The metric's name in a key of one class: IoU in IoU/wall."""
    return key.removesuffix(f"/{name}")


def _print_lines(**lines: str) -> None:
    for name, value in lines.items():
        console.print(f"{name:>9}  {value}")


def _model_lines(config: Config, task: Task) -> dict[str, str]:
    return {
        "task": task.name,
        "backbone": f"{part_name(config['backbone'])}, {_millions(task.model.backbone)} parameters",
        "head": f"{part_name(config['head'])}, {_millions(task.model.head)} parameters",
    }


def part_name(node: Mapping[str, Any]) -> str:
    """The name of the part that a node builds; of a mapping of parts, all of them."""
    if "_target_" in node:
        return node["_target_"].rpartition(".")[2]
    return ", ".join(part_name(part) for part in node.values())


def _with_options(node: Mapping[str, Any]) -> str:
    options = ", ".join(f"{key}={value}" for key, value in node.items() if key != "_target_")
    return f"{part_name(node)}({options})"


def _millions(module: nn.Module) -> str:
    return f"{sum(parameter.numel() for parameter in module.parameters()) / 1e6:.2f} M"


def _device(trainer: Trainer) -> str:
    if trainer.strategy.root_device.type == "cuda":
        return f"{trainer.world_size} x {torch.cuda.get_device_name(trainer.strategy.root_device)}, {trainer.precision}"
    return f"{trainer.strategy.root_device.type}, {torch.get_num_threads()} threads, {trainer.precision}"
