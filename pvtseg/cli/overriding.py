"""The configuration that a checkpoint carries, with what the command line names put in its place."""

from typing import Any

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from pvtseg.build import MODEL_KEYS
from pvtseg.errors import UserError

KEPT = MODEL_KEYS | {"task", "experiment"}


def overridden(stored: dict[str, Any], *, config_name: str) -> DictConfig:
    """Composes `config_name` for the checkpoint's task; the stored nodes win, the command line's overrides win over them.

    Raises UserError for an override of what the weights are bound to: the task and the model.
    """
    task = stored["task"]["_target_"].rpartition(".")[2].lower()
    given = list(HydraConfig.get().overrides.task)
    composed = OmegaConf.to_container(compose(config_name, [f"task={task}", *given]))
    config = OmegaConf.create({**composed, **stored})
    groups = HydraConfig.get().runtime.choices
    for override in OverridesParser.create().parse_overrides(given):
        key = override.key_or_group
        top = key.partition(".")[0]
        if top in KEPT:
            raise UserError(f"{key} belongs to the checkpoint and cannot be changed here; leave it out, or train another model.")
        if key in groups:
            config[key] = composed[key]
            if key == "data":  # other images, but prepared as the weights know them
                config.data.normalize = stored["data"]["normalize"]
        else:
            OmegaConf.update(config, key, OmegaConf.select(OmegaConf.create(composed), key))
    return config
