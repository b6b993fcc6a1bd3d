"""Every checkpoint of a run carries the configuration that made it."""

from __future__ import annotations

import lightning
import torch
from torch.utils.data import DataLoader

from pvtseg.callbacks.save_config import SaveConfig
from pvtseg.checkpoints.files import is_ours, unpack
from pvtseg.checkpoints.io import read_weights

CONFIG = {
    "task": {"name": "segmentation"},
    "backbone": {"_target_": "pvtseg.backbones.pvt_v2.variants.pvt_v2_b2", "drop_path_rate": 0.1},
    "head": {"num_classes": 3, "names": ["a", "b"], "class_weights": None},
    "seed": 0,
}


class Line(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.model = torch.nn.Linear(1, 1)

    def training_step(self, batch):
        return self.model(batch).sum()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def test_the_configuration_of_a_checkpoint_is_that_of_the_run(tmp_path):
    quiet = {
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
    }
    trainer = lightning.Trainer(accelerator="cpu", max_steps=1, callbacks=[SaveConfig(CONFIG)], **quiet)
    line = Line()
    trainer.fit(line, DataLoader(torch.ones(1, 1)))
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    torch.load(tmp_path / "last.ckpt", weights_only=True)  # a file from a stranger runs nothing
    weights = read_weights(tmp_path / "last.ckpt")
    assert is_ours(weights)
    config, state = unpack(weights)
    assert config == CONFIG
    assert state.keys() == line.model.state_dict().keys()
    assert all(torch.equal(state[name], tensor) for name, tensor in line.model.state_dict().items())
