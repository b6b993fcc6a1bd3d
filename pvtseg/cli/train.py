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

    from pvtseg.build import build_data, build_model, build_task, build_trainer, carried, resolve
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
    task = build_task(config, build_model(config))
    trainer = build_trainer(config, CarryConfig(carried(config)), ExactResume())
    if trainer.is_global_zero:
        report.training_header(config, data, task, trainer, folder.path)

    trainer.fit(task, data, ckpt_path=folder.resume)
    trainer.save_checkpoint(folder.last)
    best = trainer.checkpoint_callback.best_model_path or folder.last
    trainer.validate(task, data, ckpt_path=best, verbose=False)
    if trainer.is_global_zero:
        content = report.content_of_metrics(task, data, best)
        folder.write_metrics(content)
        write_model(folder.model, task.model.state_dict(), carried(config))
        report.results(content, config["monitor"])
        report.written([folder.best, folder.last, folder.model, folder.metrics, folder.predictions])
        report.console.print(f"\nevaluate it with\n  python eval.py checkpoint={folder.best}")
    return task.results[config["monitor"]]
