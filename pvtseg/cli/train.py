"""Trains a model: fits, evaluates the best checkpoint, writes what is worth keeping."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import lightning
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning import Trainer
from omegaconf import DictConfig

from pvtseg.build import (
    Config,
    build_data,
    build_model,
    build_task,
    build_trainer,
    checkpoint_config,
    complete,
)
from pvtseg.callbacks.exact_resume import ExactResume
from pvtseg.callbacks.save_config import SaveConfig
from pvtseg.callbacks.validate_at_end import ValidateAtEnd
from pvtseg.checkpoints.files import CONFIG_KEY, unpack, write_model
from pvtseg.checkpoints.io import Weights, read_weights
from pvtseg.cli import report
from pvtseg.cli.finished_run import Run
from pvtseg.cli.program import command, override
from pvtseg.cli.quiet import quieten
from pvtseg.cli.resuming import changes
from pvtseg.cli.run_folder import RunFolder
from pvtseg.errors import UserError
from pvtseg.files import write_json
from pvtseg.load import load_initial, load_pretrained
from pvtseg.model import Model


def train(config: DictConfig) -> float | None:
    """The best validation score of a training, which a sweep compares; None without
    validation.
    """
    return fit(config).metrics.get(config.monitor.metric)


def fit(config: DictConfig) -> Run:
    """The finished run that the configuration describes.

    Without validation (trainer.limit_val_batches=0) the last weights are kept.
    """
    quieten()
    folder = RunFolder(Path(config.paths.run), resume=config.resume)
    check_seed(config.seed)
    lightning.seed_everything(config.seed, workers=True, verbose=False)
    data = build_data(config)
    data.check()
    settings = complete(config, data.labels)
    model = build_model(settings)
    weights = start(model, settings)
    task = build_task(settings, model)
    if settings["compile"]:
        task.compile()
    trainer = build_trainer(settings, SaveConfig(model.config), ExactResume(), ValidateAtEnd())
    _check_sweep(trainer)
    if trainer.is_global_zero:
        folder.write_config(settings)
        report.training_header(settings, data, task, trainer, folder.path, weights)

    trainer.fit(task, data, ckpt_path=folder.resume)
    trainer.save_checkpoint(folder.last)
    best = folder.best if getattr(trainer.checkpoint_callback, "best_model_path", "") else folder.last
    trainer.loggers = []  # the curves end with the training
    trainer.validate(task, data, ckpt_path=best, verbose=False)
    if trainer.is_global_zero:
        _, state = unpack(read_weights(best))  # not the model's own, because a callback may have averaged them
        write_model(folder.model, state, model.config)
        if task.results:
            content = report.content_of_metrics(settings, task, data, str(best))
            write_json(folder.metrics, content)
            report.results(content, task.metrics.per_class, settings["monitor"]["metric"])
        report.written([folder.best, folder.last, folder.model, folder.metrics, folder.predictions])
        overrides = [override("checkpoint", best), *trust_override(settings)]
        report.console.print(f"\nevaluate it with\n  {command('eval', *overrides)}")
    return Run(folder.path, best, report.measured(task))


def start(model: Model, config: Config) -> str:
    """A line about the weights that training starts from, once they are loaded: what
    fitted and what did not.
    """
    if config["resume"] is not None:  # whatever that run once started from, a recipe's own weights included
        beside = read_weights(Path(config["resume"])).extras
        if "loops" not in beside:
            raise UserError(
                f"{config['resume']} holds weights but not the state of a run; "
                "resume from a run's last.ckpt, or use init=."
            )
        done, wanted = beside["global_step"], config["trainer"]["max_steps"]
        if 0 < wanted <= done:
            raise UserError(
                f"the run of {config['resume']} has done {done} steps, and trainer.max_steps is {wanted}; use more, "
                f"such as trainer.max_steps={2 * done}."
            )
        stored, _ = unpack(Weights({}, {CONFIG_KEY: beside[CONFIG_KEY]}))
        return f"as left in {config['resume']}{changes(stored, config)}"
    if config["pretrained"] is not None and config["init"] is not None:
        raise UserError(
            "pretrained and init are given, and each says where the backbone's weights come from; "
            "keep one (the other: null)."
        )
    if config["pretrained"] is not None:
        return str(load_pretrained(model.backbone, config["pretrained"], trust=config["trust"]))
    if config["init"] is not None:
        return str(load_initial(model, config["init"], trust=config["trust"]))
    return "random"


def check_seed(seed: Any) -> None:
    """Raises UserError for a seed that is not a whole number from 0 on."""
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise UserError(f"seed is {seed!r}; use a whole number from 0 on, such as seed=0.")


def trust_override(config: Config) -> list[str]:
    """`trust=[...]` for the packages of the user's own that the configuration names."""
    targets = re.findall(r"'_target_': '(\w+)\.", str(checkpoint_config(config)))
    own = sorted({package for package in targets if package != "pvtseg"})
    return [f"trust=[{','.join(own)}]"] if own else []


def _check_sweep(trainer: Trainer) -> None:
    """Raises UserError for a sweep on several devices, whose other processes would run
    the whole sweep again.
    """
    in_a_sweep = HydraConfig.initialized() and HydraConfig.get().mode is RunMode.MULTIRUN
    if in_a_sweep and trainer.strategy.launcher is not None:
        raise UserError(
            "a sweep (-m) runs its jobs one after another in one process; "
            "use trainer.devices=1, or a command for each run."
        )
