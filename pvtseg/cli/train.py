"""Trains a model: composes a run, fits, evaluates the best checkpoint, writes what is worth keeping."""

from pathlib import Path

from omegaconf import DictConfig

from pvtseg.cli.app import run


def main() -> None:
    """`python train.py task=... backbone=...`, or `pvtseg train ...`."""
    run(train, "train")


def train(config: DictConfig) -> float:
    """Runs what the configuration describes. Returns the best validation score, which a sweep compares."""
    # Imported here, so that --help and a misspelt option answer at once.
    import lightning

    from pvtseg.build import build_data, build_model, build_task, build_trainer, resolve
    from pvtseg.callbacks.carry_config import CarryConfig
    from pvtseg.cli import report
    from pvtseg.cli.quiet import quieten
    from pvtseg.cli.run_folder import RunFolder

    quieten()
    folder = RunFolder(Path(config.paths.run), resume=config.resume)
    lightning.seed_everything(config.seed, workers=True, verbose=False)
    data = build_data(config)
    config = resolve(config)
    task = build_task(config, build_model(config))
    stored = report.stored(config)
    trainer = build_trainer(config, CarryConfig(stored))
    report.header(config, data, task, trainer, folder)

    trainer.fit(task, data, ckpt_path=folder.resume)
    results = folder.finish(trainer, task, data, stored)
    report.table(results)
    report.paths(folder)
    return results["metrics"][config["monitor"]]
