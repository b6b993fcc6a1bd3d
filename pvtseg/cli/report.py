"""What a command tells the person who started it: the header, the table of results, what was written."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from rich.console import Console
from rich.table import Table

from pvtseg.model import count_multiply_adds

if TYPE_CHECKING:
    from lightning import Trainer

    from pvtseg.build import Config
    from pvtseg.data.module import DataModule
    from pvtseg.tasks.base import Task

console = Console(highlight=False, soft_wrap=True)


def training_header(config: "Config", data: "DataModule", task: "Task", trainer: "Trainer", folder: Path, weights: str) -> None:
    """What will be trained, from what, on what, how and where to."""
    height, width = data.train_item(0)["image"].shape[:2]  # which also tells early when the data cannot be read
    work = count_multiply_adds(task.model, config["backbone"]["in_channels"], (height, width))
    effective = data.batch_size * trainer.world_size * trainer.accumulate_grad_batches
    steps = trainer.max_steps if trainer.max_steps > 0 else trainer.max_epochs * (len(data.train) // effective)
    _print_lines(
        **_model_lines(config, task),
        work=f"{work / 1e9:.2f} GMACs at {height} x {width}",
        weights=weights,
        data=f"{data.name}: {len(data.train):,} training, {len(data.val):,} validation images",
        batch=f"{effective} ({data.batch_size} x {trainer.world_size} devices x {trainer.accumulate_grad_batches} accumulated)",
        length=f"{steps:,} steps, {steps * effective / len(data.train):.1f} epochs",
        rate=f"{config['optimizer']['lr']} at its peak",
        device=_device(trainer),
        folder=str(folder),
    )


def evaluation_header(config: "Config", data: "DataModule", task: "Task", trainer: "Trainer", checkpoint: str) -> None:
    """What will be evaluated, on what and how."""
    _print_lines(
        **_model_lines(config, task),
        weights=checkpoint,
        data=f"{data.name}: {len(data.val):,} validation images",
        asked=task.inference.protocol,
        device=_device(trainer),
    )


def results(content: dict[str, Any], monitor: str) -> None:
    """The metrics as a table: per class where there are classes with figures of their own, one line else."""
    metrics = content["metrics"]
    classes = {name.removeprefix("IoU/"): value for name, value in metrics.items() if name.startswith("IoU/")}
    protocol = content["protocol"]
    limit = f", limit_val_batches={protocol['limit_val_batches']}" if "limit_val_batches" in protocol else ""
    table = Table(title=f"{content['task']} on {content['data']} ({protocol['inference']}{limit})", title_justify="left")
    if classes:
        table.add_column("class")
        table.add_column("IoU", justify="right")
        for name, value in classes.items():
            table.add_row(name, f"{value:.4f}")
        for name in protocol["absent_classes"]:
            table.add_row(name, "absent")
        table.add_section()
    else:
        table.add_column("metric")
        table.add_column("value", justify="right")
    for name, value in metrics.items():
        if not name.startswith("IoU/"):
            table.add_row(name, f"{value:.4f}", style="bold" if name == monitor else None)
    console.print(table)


def written(paths: Iterable[Path]) -> None:
    """The files that are there now."""
    for path in paths:
        if path.exists():
            console.print(f"wrote {path}")


def content_of_metrics(config: "Config", task: "Task", data: "DataModule", checkpoint: str) -> dict[str, Any]:
    """What metrics.json holds: plain numbers; classes that occur nowhere have none and are named in the protocol."""
    absent = [name for name, value in task.results.items() if math.isnan(value)]
    protocol = {
        **task.metrics.protocol,
        "image": _with_options(config["data"]["eval_transform"]),
        "inference": task.inference.protocol,
        "images": len(data.val),
    }
    limit = config["trainer"]["limit_val_batches"]
    if isinstance(limit, int) or limit < 1.0:  # so many batches, or a share of them
        protocol["limit_val_batches"] = limit
    if absent or any(name.startswith("IoU/") for name in task.results):
        protocol["absent_classes"] = [name.removeprefix("IoU/") for name in absent]
    return {
        "task": task.name,
        "metrics": {name: value for name, value in task.results.items() if not math.isnan(value)},
        "protocol": protocol,
        "data": data.name,
        "checkpoint": checkpoint,
    }


def _print_lines(**lines: str) -> None:
    for name, value in lines.items():
        console.print(f"{name:>9}  {value}")


def _model_lines(config: "Config", task: "Task") -> dict[str, str]:
    return {
        "task": task.name,
        "backbone": f"{_last_name(config['backbone'])}, {_millions(task.model.backbone)} parameters",
        "head": f"{_last_name(config['head'])}, {_millions(task.model.head)} parameters",
    }


def _last_name(node: dict[str, Any]) -> str:
    return node["_target_"].rpartition(".")[2]


def _with_options(node: dict[str, Any]) -> str:
    options = ", ".join(f"{key}={value}" for key, value in node.items() if key != "_target_")
    return f"{_last_name(node)}({options})"


def _millions(module: torch.nn.Module) -> str:
    return f"{sum(parameter.numel() for parameter in module.parameters()) / 1e6:.2f} M"


def _device(trainer: "Trainer") -> str:
    if trainer.strategy.root_device.type == "cuda":
        return f"{trainer.world_size} x {torch.cuda.get_device_name(trainer.strategy.root_device)}, {trainer.precision}"
    return f"{trainer.strategy.root_device.type}, {torch.get_num_threads()} threads, {trainer.precision}"
