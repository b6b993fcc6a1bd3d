"""Measures a model: parameters, multiply-adds, time and memory from an image to its
prediction.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from pvtseg.build import build_model, complete
from pvtseg.cli import benchmark_report as report
from pvtseg.cli.evaluate import trusting
from pvtseg.cli.from_checkpoint import overridden
from pvtseg.cli.measuring import device_name, peak_memory, time_in_turn
from pvtseg.cli.quiet import quieten
from pvtseg.cli.report import part_name
from pvtseg.data.transforms.sizes import as_size
from pvtseg.errors import UserError
from pvtseg.files import write_json
from pvtseg.interfaces import Batch
from pvtseg.layers.resize import resize
from pvtseg.load import as_predictor, load_model
from pvtseg.model import Model, count_multiply_adds

Predict = Callable[[Tensor], list[Any]]

OPTIONS = ("size", "batch_size", "device", "dtype", "compile", "threads", "seconds")
DTYPES = ("float32", "bfloat16", "float16")
SMALL = 64  # the side of the image that a model meets first, so that no library has to be loaded later


def benchmark(config: DictConfig) -> dict[str, Any]:
    """Measures, prints a table, writes benchmark.json, and returns what is in it."""
    quieten()
    sizes, batch_sizes = _sizes(config.size), _batch_sizes(config.batch_size)
    device, dtype = _device(config.device), _dtype(config.dtype)
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    model = _model(config)
    content = {
        "task": model.config["task"]["name"],
        "backbone": part_name(model.config["backbone"]),
        "head": part_name(model.config["head"]),
        "checkpoint": config.checkpoint,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "device": device_name(device),
        "dtype": config.dtype,
        "compile": config.compile,
        "torch": torch.__version__,
    }
    work = {size: count_multiply_adds(model, size) for size in sizes}
    report.header(content)
    predict = _predicting(model.to(device, dtype), compiled=config.compile)
    with torch.inference_mode():
        content["measurements"] = []
        for size, batch_size in product(sizes, batch_sizes):
            image = torch.randn(batch_size, model.backbone.in_channels, *size, device=device, dtype=dtype)
            image = image.contiguous(memory_format=torch.channels_last)  # as the data module hands it over
            found = _measure(predict, image, config.seconds)
            content["measurements"].append({"size": list(size), "multiply_adds": work[size], **found})
    report.measurements(content["measurements"])
    file = write_json(Path(config.paths.run) / "benchmark.json", content)
    report.console.print(f"wrote {file}")
    return content


def _model(config: DictConfig) -> Model:
    """The checkpoint's model with the inference that the command line names; without a
    checkpoint a new one.
    """
    if config.checkpoint is None:
        return build_model(
            complete(OmegaConf.masked_copy(config, [str(key) for key in config if key not in OPTIONS]))
        ).eval()
    model = load_model(str(config.checkpoint), **trusting(config))
    inference = overridden(model.config, config, HydraConfig.get().overrides.task).inference
    model.config = {**model.config, "inference": OmegaConf.to_container(inference, resolve=True)}
    return model


def _predicting(model: Model, *, compiled: bool) -> Predict:
    """A function from normalized images to predictions at their size, which are what a
    user gets.
    """
    predictor = as_predictor(model)
    if compiled:
        model.compile()

    def predict(image: Tensor) -> list[Any]:
        height, width = image.shape[-2:]
        sizes = [(height, width)] * len(image)
        views = [_resized(image, ratio) for ratio in predictor.inference.ratios or (1.0,)]
        batch = Batch(image=image, image_size=sizes, views=views, target=None, size=sizes, name=[])
        return predictor.postprocess(predictor.inference(model, batch), sizes)

    return predict


def _resized(image: Tensor, ratio: float) -> Tensor:
    if ratio == 1.0:
        return image
    height, width = image.shape[-2:]
    return resize(image, (round(height * ratio), round(width * ratio)))


def _measure(predict: Predict, image: Tensor, seconds: float) -> dict[str, Any]:
    """Time and memory of one batch."""
    predict(image[..., :SMALL, :SMALL])
    peak = peak_memory(lambda: predict(image), image.device)
    predict(image)
    timing = time_in_turn({"predict": lambda: predict(image)}, image.device, seconds=seconds)["predict"]
    return {
        "batch_size": len(image),
        "seconds": timing.median,
        "quartiles": list(timing.quartiles),
        "repeats": len(timing.seconds),
        "images_per_second": len(image) / timing.median,
        "peak_mib": peak,
    }


def _sizes(given: Any) -> list[tuple[int, int]]:
    """[height, width], one number for both, or a list of such."""
    plain: Any = OmegaConf.to_container(given) if OmegaConf.is_config(given) else given
    several = plain if isinstance(plain, list) and any(isinstance(size, list) for size in plain) else [plain]
    return [as_size(size) for size in several]


def _batch_sizes(given: Any) -> list[int]:
    numbers = list(given) if OmegaConf.is_list(given) else [given]
    wrong = [number for number in numbers if not isinstance(number, int) or number < 1]
    if wrong or not numbers:
        raise UserError(f"batch_size is {given}; use a number of images, 1 or more, or several: batch_size=[1,8].")
    return numbers


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if not re.fullmatch(r"cpu|cuda(:\d+)?", name):
        raise UserError(f"device is {name}; use cpu, cuda, cuda:1 or auto.")
    index = int(name.partition(":")[2] or 0)
    if name != "cpu" and index >= torch.cuda.device_count():
        raise UserError(
            f"device is {name}, torch sees {torch.cuda.device_count()} GPUs; use device=cpu, or one that is there."
        )
    return torch.device(name)


def _dtype(name: str) -> torch.dtype:
    if name not in DTYPES:
        raise UserError(f"dtype is {name}; use one of {', '.join(DTYPES)}.")
    return getattr(torch, name)
