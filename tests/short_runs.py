"""Overrides that make a run small and change nothing else: head, loss, schedule,
optimizer, inference and metrics stay.
"""

from __future__ import annotations

TWO_STEPS = [
    "trainer.max_steps=2",
    "trainer.val_check_interval=2",
    "trainer.num_sanity_val_steps=0",
    "data.num_workers=0",
]
SCENES = [
    "data.train.length=8", "data.val.length=4", "data.train.size=[64,64]", "data.batch_size=2",
    "data.eval_batch_size=2",
]  # fmt: skip
RECIPES = {  # the end of an experiment's name -> what makes it small
    "ade20k": [
        "total_batch=4", "data.batch_size=2", "data.train_transform.size=[64,64]",
        "data.train_transform.base_size=[256,64]", "data.eval_transform.base_size=[256,64]",
    ],
    "nyu_depth": ["total_batch=2", "data.batch_size=1", "data.train_transform.size=[64,96]"],
    "imagenet": [
        "total_batch=8",
        "data.batch_size=4",
        "data.train_transform.size=[32,32]",
        "data.eval_transform.size=[32,32]",
    ],
    "camvid": ["data.batch_size=2", "data.train_transform.size=[64,96]", "data.eval_transform.size=[96,128]"],
    "indoor_rgbd": [
        "data.batch_size=2", "data.train_transform.size=[60,80]",
        "data.train_transform.resize=[60,80]", "data.eval_transform.size=[60,80]",
    ],
    "digits": ["data.batch_size=10"],
}  # fmt: skip
FOLDERS = {  # data=folder, by task
    "segmentation": ["data.batch_size=1", "data.train_transform.size=[32,32]"],
    "depth": ["data.batch_size=1", "data.train_transform.size=[32,32]"],
    "classification": ["data.batch_size=1", "data.train_transform.size=[32,32]", "data.eval_transform.size=[32,32]"],
}


def recipe_of(experiment: str) -> str:
    """The key of RECIPES that an experiment belongs to."""
    return next(name for name in RECIPES if experiment.endswith(name))
