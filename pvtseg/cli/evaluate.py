"""Evaluates a checkpoint by the configuration that it carries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from pvtseg.build import build_data, build_task, build_trainer, complete
from pvtseg.cli import report
from pvtseg.cli.from_checkpoint import overridden
from pvtseg.cli.program import command
from pvtseg.cli.quiet import quieten
from pvtseg.cli.run_folder import RunFolder
from pvtseg.errors import UserError
from pvtseg.files import write_json
from pvtseg.load import load_model


def evaluate(config: DictConfig) -> float | None:
    """The main score of the checkpoint that the command line names."""
    return measure(config, HydraConfig.get().overrides.task)["metrics"].get(config.monitor.metric)


def measure(config: DictConfig, arguments: Sequence[str]) -> dict[str, Any]:
    """The content of metrics.json: the checkpoint on its own validation data, or on the
    data that `arguments` name.
    """
    if OmegaConf.is_missing(config, "checkpoint"):
        raise UserError(
            f"no checkpoint is given; {command('eval')} checkpoint=SOURCE, such as a run's checkpoints/best.ckpt."
        )
    quieten()
    checkpoint = str(config.checkpoint)
    model = load_model(checkpoint, **trusting(config))
    stored = model.config
    composed = overridden(stored, config, arguments)
    if "val" not in composed.data:
        raise UserError(
            "the checkpoint does not say what to evaluate it on; add data=, such as data=folder data.root=FOLDER."
        )
    composed.data = _validation_alone(composed.data)
    folder = RunFolder(Path(composed.paths.run))
    lightning.seed_everything(composed.seed, workers=True, verbose=False)
    data = build_data(composed)
    run = complete(composed, data.labels)
    check_same_classes(stored["data"], run["data"])
    task = build_task(run, model)
    if run["compile"]:
        task.compile()
    trainer = build_trainer(run)
    if not trainer.limit_val_batches:
        raise UserError(
            "trainer.limit_val_batches=0 leaves nothing to evaluate; leave it out, or give a number of batches."
        )
    if trainer.is_global_zero:
        report.evaluation_header(run, data, task, trainer, checkpoint)
    trainer.validate(task, data, verbose=False)
    content = report.content_of_metrics(run, task, data, checkpoint)
    if trainer.is_global_zero:
        write_json(folder.metrics, content)
        report.results(content, task.metrics.per_class, run["monitor"]["metric"])
        report.written([folder.metrics, folder.predictions])
    return content


def _validation_alone(data: DictConfig) -> dict[str, Any]:
    """The data without its training images, because an evaluation must not need them."""
    plain: Any = OmegaConf.to_container(data, resolve=True, throw_on_missing=True)
    return {**plain, "train": plain["val"], "batch_size": 1}


def trusting(config: DictConfig) -> dict[str, Any]:
    """The option of `load_model` that opens packages of the user's own."""
    return {"trust": list(config.trust)} if config.trust else {}


def check_same_classes(stored: Mapping[str, Any], data: Mapping[str, Any]) -> None:
    """Raises UserError when the data's classes are not those of the checkpoint.

    A run's own checkpoint knows them by name, all of them. Of a published one, nine
    names in ten have to share a synonym, because lists differ in wording ("crane" of
    one list of ImageNet is "crane bird" of another). Without names the number of
    classes counts.
    """
    known, wanted = (facts.get("labels") or {} for facts in (stored, data))
    names, wanted_names = known.get("names"), wanted.get("names")
    if names is None or wanted_names is None:
        same = known.get("num_classes") == wanted.get("num_classes")
    else:
        agreeing = sum(
            bool(_synonyms(name) & _synonyms(other)) for name, other in zip(names, wanted_names, strict=False)
        )
        same = len(names) == len(wanted_names) and agreeing >= (1.0 if "val" in stored else 0.9) * len(wanted_names)
    if not same:
        raise UserError(
            f"the checkpoint knows the classes {names or known.get('num_classes')}, the data has "
            f"{wanted_names or wanted.get('num_classes')}; evaluate on data with the same classes."
        )


def _synonyms(name: str) -> set[str]:
    return {synonym.strip().lower() for synonym in name.split(",")}
