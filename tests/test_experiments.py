"""Every published number has its recipe, and the recipes say what the papers and their
code say.
"""

import re

import pytest
from hydra import compose, initialize_config_dir

from pvtseg.build import resolve
from pvtseg.paths import config_dir

SIZES = ("b0", "b1", "b2", "b2_linear", "b3", "b4", "b5")
PUBLISHED = {  # mIoU; delta1; top-1
    **{
        f"segformer_b{size}_ade20k": score
        for size, score in enumerate(["37.4", "42.2", "46.5", "49.4", "50.3", "51.0"])
    },
    **{
        f"semantic_fpn_pvt_v2_{size}_ade20k": score
        for size, score in zip(SIZES, ["37.2", "42.5", "45.2", "45.1", "47.3", "47.9", "48.7"], strict=True)
    },
    "glpn_mit_b4_nyu_depth": "0.915",
    **{
        f"pvt_v2_{size}_imagenet": score
        for size, score in zip(SIZES, ["70.5", "78.7", "82.0", "82.1", "83.1", "83.6", "83.8"], strict=True)
    },
}


def recipe(name):
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return resolve(compose("train", [f"experiment={name}", "paths.run=/nowhere/run", "paths.data=/nowhere"]))


@pytest.mark.parametrize("name", [*PUBLISHED, *(f"glpn_{size}_nyu_depth" for size in SIZES)])
def test_a_recipe_opens_with_its_command_its_score_and_its_costs(name):
    header = (config_dir() / "experiment" / f"{name}.yaml").read_text().partition("\ndefaults:")[0]
    assert f"python train.py experiment={name} " in header
    assert re.search(r"https://arxiv\.org/abs/|Nobody has published", header)
    assert PUBLISHED.get(name, "Nobody has published") in header
    assert re.search(r"Total batch [\d,]+, [\d,]+ (steps|epochs)", header)
    assert "GPU memory: " in header


@pytest.mark.parametrize("size", range(6))
def test_segformers_recipe_is_that_of_its_authors(size):
    config = recipe(f"segformer_b{size}_ade20k")
    side = 640 if size == 5 else 512
    assert config["backbone"]["_target_"].endswith(f"mit_b{size}")
    assert config["head"]["channels"] == (256 if size < 2 else 768)
    assert (config["total_batch"], config["trainer"]["max_steps"], config["trainer"]["gradient_clip_val"]) == (
        16,
        160_000,
        None,
    )
    assert (
        config["optimizer"].items()
        >= {"lr": 6e-5, "weight_decay": 0.01, "decay": "all_but_norms", "head_lr_factor": 10}.items()
    )
    assert config["schedule"].items() >= {"power": 1.0, "warmup_steps": 1500, "warmup_ratio": 1e-6}.items()
    assert config["data"]["train_transform"]["size"] == [side, side]
    assert (
        config["data"]["train_transform"]["base_size"] == config["data"]["eval_transform"]["base_size"] == [2048, side]
    )
    assert config["data"]["eval_transform"]["align"] == 32
    assert config["loss"]["average"] == "all"


@pytest.mark.parametrize("size", SIZES)
def test_semantic_fpns_recipe_is_that_of_pvt_v2s_code(size):
    config = recipe(f"semantic_fpn_pvt_v2_{size}_ade20k")
    assert config["backbone"]["_target_"].endswith(f"pvt_v2_{size}")
    assert config["backbone"]["drop_path_rate"] == 0.1
    assert (config["total_batch"], config["trainer"]["max_steps"]) == (32, 40_000)
    assert (
        config["optimizer"].items() >= {"lr": 2e-4, "weight_decay": 1e-4, "decay": "all", "head_lr_factor": 1.0}.items()
    )
    assert config["schedule"].items() >= {"power": 0.9, "warmup_steps": 0, "final_ratio": 0.0}.items()


@pytest.mark.parametrize("size", ["mit_b4", *SIZES])
def test_glpns_recipe_is_that_of_its_authors(size):
    config = recipe(f"glpn_{size}_nyu_depth")
    assert (config["total_batch"], config["trainer"]["max_steps"]) == (12, 25 * 2019)
    assert config["optimizer"] == {"_target_": "pvtseg.optim.groups.adam", "lr": 1e-4, "betas": [0.9, 0.999]}
    assert config["schedule"].items() >= {"power": 0.9, "start_ratio": 0.3, "warmup_steps": 12 * 2019}.items()
    assert config["loss"].items() >= {"variance_focus": 0.5, "scale": 1.0}.items()
    assert config["data"]["train_transform"].items() >= {"size": [448, 576], "cut_depth_prob": 0.25}.items()
    assert config["inference"]["_target_"].endswith("Whole")
    assert config["metrics"]["clamp"] is False


@pytest.mark.parametrize("size", SIZES)
def test_pvt_v2s_recipe_on_imagenet_is_that_of_its_authors(size):
    config = recipe(f"pvt_v2_{size}_imagenet")
    large = size in ("b3", "b4", "b5")
    assert config["backbone"]["drop_path_rate"] == (0.3 if large else 0.1)
    assert config["trainer"]["gradient_clip_val"] == (1.0 if large else None)
    assert (config["total_batch"], config["trainer"]["max_epochs"], config["schedule"]["num_epochs"]) == (
        1024,
        300,
        300,
    )
    assert config["optimizer"].items() >= {"lr": 1e-3, "weight_decay": 0.05, "decay": "no_norm_and_bias"}.items()
    assert config["schedule"].items() >= {"warmup_epochs": 5, "warmup_ratio": 1e-3, "final_ratio": 1e-2}.items()
    assert config["loss"]["label_smoothing"] == 0.1
    assert (
        config["callbacks"]["mix_images"].items()
        >= {"mixup_alpha": 0.8, "cutmix_alpha": 1.0, "cutmix_prob": 0.5}.items()
    )
    assert (
        config["data"]["train_transform"].items()
        >= {"rand_augment": 9.0, "erase_prob": 0.25, "color_jitter": 0.0}.items()
    )
    assert config["data"]["repeats"] == 3
    assert config["data"]["eval_transform"]["crop_pct"] == 0.875
