"""Evaluates a checkpoint by the configuration that it carries."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from pvtseg.cli.app import run
from pvtseg.errors import UserError


def main() -> None:
    """`python eval.py checkpoint=SOURCE`, or `pvtseg eval ...`."""
    run(evaluate, "eval")


def evaluate(config: DictConfig) -> float:
    """Measures the checkpoint on its own validation data, or on what the command line names. Returns its main score."""
    if OmegaConf.is_missing(config, "checkpoint"):
        raise UserError("no checkpoint is given; python eval.py checkpoint=SOURCE, such as a run's checkpoints/best.ckpt.")
    # Imported here, so that --help and a misspelt option answer at once.
    import lightning

    from pvtseg.build import build_data, build_task, build_trainer, resolve
    from pvtseg.cli import report
    from pvtseg.cli.overriding import overridden
    from pvtseg.cli.quiet import quieten
    from pvtseg.cli.run_folder import RunFolder
    from pvtseg.load import load_model

    quieten()
    checkpoint = str(config.checkpoint)
    model = load_model(checkpoint)
    stored = model.config
    config = overridden(stored, config_name="eval")
    if "val" not in config.data:
        raise UserError("the checkpoint does not say what to evaluate it on; add data=, such as data=folder data.root=FOLDER.")
    folder = RunFolder(Path(config.paths.run))
    lightning.seed_everything(config.seed, workers=True, verbose=False)
    data = build_data(config)
    config = resolve(config)
    check_same_classes(stored["data"], config["data"])
    task = build_task(config, model)
    if config["compile"]:
        task.compile()
    trainer = build_trainer(config)
    if not trainer.limit_val_batches:
        raise UserError("trainer.limit_val_batches=0 leaves nothing to evaluate; leave it out, or give a number of batches.")
    if trainer.is_global_zero:
        report.evaluation_header(config, data, task, trainer, checkpoint)
    trainer.validate(task, data, verbose=False)
    if trainer.is_global_zero:
        content = report.content_of_metrics(config, task, data, checkpoint)
        folder.write_metrics(content)
        report.results(content, config["monitor"])
        report.written([folder.metrics, folder.predictions])
    return task.results[config["monitor"]]


def check_same_classes(stored: dict[str, Any], data: dict[str, Any]) -> None:
    """Raises UserError when the data's classes are not those that the checkpoint answers with.

    A run's own checkpoint knows them by name, all of them. A published one names them in its own words: nine in ten have to
    share a synonym ("crane" of one list of ImageNet is "crane bird" of another); without names its number of classes counts.
    """
    known, asked = (facts.get("labels") or {} for facts in (stored, data))
    names, wanted = known.get("names"), asked.get("names")
    if names is None or wanted is None:
        same = known.get("num_classes") == asked.get("num_classes")
    else:
        agreeing = sum(bool(_synonyms(name) & _synonyms(other)) for name, other in zip(names, wanted, strict=False))
        same = len(names) == len(wanted) and agreeing >= (1.0 if "val" in stored else 0.9) * len(wanted)
    if not same:
        raise UserError(
            f"the checkpoint knows the classes {names or known.get('num_classes')}, the data has "
            f"{wanted or asked.get('num_classes')}; evaluate on data with the same classes."
        )


def _synonyms(name: str) -> set[str]:
    return {synonym.strip().lower() for synonym in name.split(",")}
