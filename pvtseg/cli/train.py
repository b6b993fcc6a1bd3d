"""Trains a model: composes a run, fits, evaluates the best checkpoint, writes what is worth keeping."""

from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from pvtseg.cli.app import run
from pvtseg.errors import UserError

if TYPE_CHECKING:
    from torch import nn

    from pvtseg.build import Config


def main() -> None:
    """`python train.py task=... backbone=...`, or `pvtseg train ...`."""
    run(train, "train")


def start(model: "nn.Module", config: "Config") -> str:
    """Loads the weights that training starts from, and says what was loaded and what was not."""
    from pvtseg.checkpoints.io import read_weights
    from pvtseg.load import load_initial, load_pretrained

    if config["resume"] is not None:  # whatever that run once started from, a recipe's own weights included
        if "loops" not in read_weights(Path(config["resume"])).extras:
            raise UserError(
                f"{config['resume']} holds weights but not the state of a run; resume from a run's last.ckpt, or use init=."
            )
        return f"as left in {config['resume']}"
    if config["pretrained"] is not None and config["init"] is not None:
        raise UserError(
            "pretrained and init are given, and each says where the backbone's weights come from; keep one (the other: null)."
        )
    if config["pretrained"] is not None:
        return str(load_pretrained(model.backbone, config["pretrained"]))
    if config["init"] is not None:
        return str(load_initial(model, config["init"]))
    return "random"


def train(config: DictConfig) -> float | None:
    """Runs what the configuration describes. Returns the best validation score, which a sweep compares.

    None without validation (trainer.limit_val_batches=0): then the last weights are what is kept.
    """
    # Imported here, so that --help and a misspelt option answer at once.
    import lightning

    from pvtseg.build import build_data, build_model, build_task, build_trainer, resolve
    from pvtseg.callbacks.carry_config import CarryConfig
    from pvtseg.callbacks.exact_resume import ExactResume
    from pvtseg.checkpoints.files import write_model
    from pvtseg.cli import report
    from pvtseg.cli.quiet import quieten
    from pvtseg.cli.run_folder import RunFolder

    quieten()
    folder = RunFolder(Path(config.paths.run), resume=config.resume)
    lightning.seed_everything(config.seed, workers=True, verbose=False)
    data = build_data(config)
    config = resolve(config)
    model = build_model(config)
    weights = start(model, config)
    task = build_task(config, model)
    if config["compile"]:
        task.compile()
    trainer = build_trainer(config, CarryConfig(model.config), ExactResume())
    if HydraConfig.get().mode is RunMode.MULTIRUN and trainer.strategy.launcher is not None:
        raise UserError(
            "a sweep (-m) runs its jobs one after another in one process; use trainer.devices=1, or a command for each run."
        )
    if trainer.is_global_zero:
        folder.write_config(config)
        report.training_header(config, data, task, trainer, folder.path, weights)

    trainer.fit(task, data, ckpt_path=folder.resume)
    trainer.save_checkpoint(folder.last)
    best = folder.best if trainer.checkpoint_callback.best_model_path else folder.last
    trainer.validate(task, data, ckpt_path=best, verbose=False)
    if trainer.is_global_zero:
        write_model(folder.model, model.state_dict(), model.config)
        if task.results:
            content = report.content_of_metrics(config, task, data, str(best))
            folder.write_metrics(content)
            report.results(content, config["monitor"])
        report.written([folder.best, folder.last, folder.model, folder.metrics, folder.predictions])
        report.console.print(f"\nevaluate it with\n  python eval.py checkpoint={best}")
    return task.results.get(config["monitor"])
