"""Every choice composes and builds, every key has a reader, and what is given later wins."""

import inspect
import re
from pathlib import Path

import pytest
import torch
from hydra.utils import get_object
from omegaconf import OmegaConf

import pvtseg
from pvtseg.backbones.pvt_v2 import PyramidVisionTransformer
from pvtseg.build import build_model, build_task, complete, compose
from pvtseg.data.scenes.labels import scene_labels
from pvtseg.instantiate import instantiate_node
from pvtseg.paths import config_dir

TASKS = ("segmentation", "depth", "classification")
BACKBONES = ("b0", "b1", "b2", "b2_linear", "b3", "b4", "b5", *(f"mit_b{size}" for size in range(6)))
PUBLISHED = {
    "ade20k": "segmentation",
    "nyu_depth": "depth",
    "nyu_depth_labelled": "depth",
    "imagenet": "classification",
}
TASK_OF = {"flip_adabins": ["task=depth"]}  # choices that serve one task only
FILLED = ["data.root=/nowhere", "paths.run=/nowhere/run"]  # what only a command line can know


def choices(group: str) -> list[str]:
    """What may be written behind `group=`; a file that begins with _ is what others
    have in common.
    """
    return sorted(path.stem for path in (config_dir() / group).glob("[!_]*.yaml"))


EXPERIMENTS = choices("experiment")


def composed(*overrides: str, config_name: str = "train"):
    return compose(*overrides, "paths.run=/nowhere/run", name=config_name)


def plain(*overrides: str) -> dict:
    return complete(composed(*overrides))


# -- everything composes and builds --------------------------------------------------------------------------------


def test_the_tasks_and_backbones_of_the_contract_are_there():
    assert set(TASKS) <= set(choices("task"))
    assert set(BACKBONES) <= set(choices("backbone"))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_task_and_backbone_compose_and_build(task, backbone):
    config = plain(f"task={task}", f"backbone={backbone}")
    with torch.device("meta"):
        model = build_model(config)
        built = build_task(config, model)
    name = ("" if backbone.startswith("mit") else "pvt_v2_") + backbone
    with torch.device("meta"):
        expected = getattr(pvtseg, name)()
    assert {n: p.shape for n, p in model.backbone.named_parameters()} == {
        n: p.shape for n, p in expected.named_parameters()
    }
    assert built.name == task


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_composes_and_builds(experiment):
    config = composed(f"experiment={experiment}")
    if "root" in config.data.keys():  # noqa: SIM118 (a value that is missing is not "in")
        config.data.root = "/nowhere"  # what only a command line can know
    labels = config.data.get("labels")
    if labels is not None and labels.get("num_classes") is None:  # what only the data can know
        config.data.labels = {
            "_target_": "pvtseg.data.target_info.ClassInfo",
            "names": labels.names,
            "num_classes": len(labels.names or "abc"),
            "ignore_index": labels.ignore_index,
            "palette": None,
        }
    config = complete(config)
    with torch.device("meta"):
        build_task(config, build_model(config))


@pytest.mark.parametrize("task", TASKS)
def test_every_task_composes_with_a_folder_of_images(task):
    data = composed(f"task={task}", "data=folder", "data.root=/nowhere").data
    assert data.train.root == data.val.root == "/nowhere"


@pytest.mark.parametrize("data", PUBLISHED)
def test_every_published_set_composes_builds_and_knows_its_counts(data):
    config = plain(f"task={PUBLISHED[data]}", f"data={data}", "paths.data=/somewhere")
    assert config["data"]["root"].startswith("/somewhere/")
    with torch.device("meta"):
        build_task(config, build_model(config))
    counts = composed(f"task={PUBLISHED[data]}", f"data={data}", config_name="verify").origin.counts
    assert counts.train > counts.val > 0


@pytest.mark.parametrize("group", ["schedule", "trainer", "logger", "optimizer", "inference"])
def test_every_choice_of_the_other_groups_composes(group):
    for choice in choices(group):
        assert plain(f"{group}={choice}", *TASK_OF.get(choice, []))[group]


@pytest.mark.parametrize("callback", ["ema", "early_stopping"])
def test_a_callback_is_added_by_one_override(callback):
    names = plain(f"callbacks=[default,{callback}]")["callbacks"]
    assert callback in names
    assert "checkpoint" in names


# -- every key has a reader ----------------------------------------------------------------------------------------


def arguments_of(target: str) -> set[str]:
    """The names that a target takes. `**options` of a backbone go to the transformer;
    elsewhere they would swallow.
    """
    parameters = inspect.signature(get_object(target)).parameters
    names = {name for name, parameter in parameters.items() if parameter.kind is not inspect.Parameter.VAR_KEYWORD}
    if "options" in parameters and target.startswith("pvtseg.backbones."):
        names |= inspect.signature(PyramidVisionTransformer).parameters.keys()
    return names


def nodes_of(config, path=""):
    """Every part of a configuration that names a _target_, with where it stands."""
    if isinstance(config, dict):
        if "_target_" in config:
            yield path, config
        for key, value in config.items():
            yield from nodes_of(value, f"{path}.{key}" if path else key)
    elif isinstance(config, list):
        for index, value in enumerate(config):
            yield from nodes_of(value, f"{path}.{index}")


RUNS = [
    *([f"task={task}"] for task in TASKS),
    *([f"task={task}", "data=folder", "data.root=/nowhere"] for task in TASKS),
    *([f"task={task}", f"data={data}"] for data, task in PUBLISHED.items()),
    ["trainer=epochs", "schedule=cosine"],
    ["callbacks=[default,ema,early_stopping]"],
    ["logger=[csv,tensorboard,wandb]"],
    *([f"backbone={backbone}"] for backbone in BACKBONES),
    *([f"inference={inference}", *TASK_OF.get(inference, [])] for inference in choices("inference")),
    ["head=semantic_fpn", "auxiliary=fcn"],
    *([f"loss={loss}"] for loss in choices("loss") if not loss.startswith("silog")),
    ["task=depth", "loss=silog_bts", "optimizer=adam", "schedule=one_cycle_poly"],
    ["task=classification", "trainer=epochs", "schedule=cosine_by_epoch", "callbacks=[default,mix_images]"],
    *([f"experiment={experiment}"] for experiment in EXPERIMENTS),
]


@pytest.mark.parametrize("overrides", RUNS, ids=" ".join)
def test_every_key_is_an_argument_of_its_target(overrides):
    config = OmegaConf.to_container(composed(*overrides), resolve=False)
    seen = 0
    for path, node in nodes_of(config):
        unknown = node.keys() - arguments_of(node["_target_"]) - {"_target_"}
        assert not unknown, f"{path}: {node['_target_']} does not take {sorted(unknown)}"
        seen += 1
    assert seen > 10


def test_every_key_without_a_target_is_read_somewhere():
    """paths.data, seed, resume, ...: named by another configuration or by the code."""
    package = Path(pvtseg.__file__).parent
    text = "".join(path.read_text() for path in [*config_dir().rglob("*.yaml"), *package.rglob("*.py")])
    config = OmegaConf.to_container(composed("resume=x"), resolve=True)
    for key in config["paths"]:
        assert re.search(rf"paths\.{key}\b", text), f"nothing reads paths.{key}"
    for key in config.keys() - {"paths"}:
        if isinstance(config[key], dict) and "_target_" in str(config[key]):
            continue  # a group: its node names a target
        assert re.search(rf"\$\{{{key}\}}|config\.{key}\b|[\"']{key}[\"']", text), f"nothing reads {key}"


def test_every_file_of_a_group_says_how_it_is_used_or_what_it_builds():
    for path in config_dir().rglob("*.yaml"):
        text = path.read_text()
        assert text.startswith("#") or "_target_" in text or "defaults" in text or path.parent.name == "paths", path


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("+foo=1", "foo"),
        ("+head.foo=1", "head.foo"),
        ("+backbone.dropp=1", "backbone.dropp"),
        ("+loss.gamma=2", "loss.gamma"),
    ],
)
def test_a_key_that_nothing_reads_is_an_error_that_names_it(override, named):
    with pytest.raises(pvtseg.UserError, match=re.escape(named)):
        config = plain("task=segmentation", override)
        with torch.device("meta"):
            build_task(config, build_model(config))


def test_a_missing_value_is_named():
    with pytest.raises(pvtseg.UserError, match="root"):
        plain("task=segmentation", "data=folder")


# -- precedence ----------------------------------------------------------------------------------------------------


@pytest.fixture
def own_configs(tmp_path):
    """A task and an experiment from outside the repository, as with --config-dir."""
    (tmp_path / "task").mkdir()
    (tmp_path / "experiment").mkdir()
    (tmp_path / "task" / "own.yaml").write_text(
        "# @package _global_\n"
        "defaults:\n  - override /head: segformer\n  - override /loss: cross_entropy\n"
        "  - override /postprocess: segmentation\n  - override /metrics: segmentation\n"
        "  - override /visualizer: segmentation\n  - override /schedule: cosine\n"
        "task:\n  name: own\nmonitor:\n  metric: mIoU\n  mode: max\noptimizer:\n  lr: 0.25\n  weight_decay: 0.25\n"
    )
    (tmp_path / "data" / "scenes").mkdir(parents=True)
    (tmp_path / "data" / "scenes" / "own.yaml").write_text("defaults: [segmentation]\n")
    (tmp_path / "experiment" / "mine.yaml").write_text(
        "# @package _global_\n"
        "defaults:\n  - override /backbone: b1\n"
        "seed: 42\noptimizer:\n  weight_decay: 0.5\n  layer_decay: 0.5\ntrainer:\n  max_steps: 5\n"
    )
    return f"hydra.searchpath=[file://{tmp_path}]"


def test_a_task_wins_over_the_groups_of_train_yaml(own_configs):
    config = composed(own_configs, "task=own")
    assert config.schedule._target_ == "pvtseg.optim.schedules.cosine"
    assert config.optimizer.lr == 0.25


def test_an_experiment_wins_over_the_task(own_configs):
    config = composed(own_configs, "task=own", "experiment=mine")
    assert config.backbone._target_.endswith("pvt_v2_b1")
    assert config.optimizer.lr == 0.25
    assert config.optimizer.weight_decay == 0.5
    assert config.trainer.max_steps == 5


def test_an_experiment_wins_over_the_values_that_stand_in_train_yaml_itself(own_configs):
    assert composed(own_configs, "experiment=mine").seed == 42


def test_the_command_line_wins_over_all(own_configs):
    config = composed(
        own_configs, "experiment=mine", "backbone=b2", "optimizer.weight_decay=0.75", "trainer.max_steps=9", "seed=7"
    )
    assert config.backbone._target_.endswith("pvt_v2_b2")
    assert config.optimizer.weight_decay == 0.75
    assert config.optimizer.layer_decay == 0.5
    assert config.trainer.max_steps == 9
    assert config.seed == 7


def test_the_facts_of_the_labels_are_stated_once():
    config = complete(compose("task=segmentation"), scene_labels("segmentation"))
    names = config["data"]["labels"]["names"]
    assert config["head"]["num_classes"] == config["metrics"]["num_classes"] == len(names)
    assert config["visualizer"]["names"] == config["metrics"]["names"] == names
    changed = plain("task=segmentation", "data.labels.ignore_index=254")
    assert changed["loss"]["ignore_index"] == changed["metrics"]["ignore_index"] == 254
    assert changed["data"]["train_transform"]["ignore_index"] == 254
    deep = plain("task=depth", "data.depth.max=80")
    assert deep["head"]["max_depth"] == deep["metrics"]["max_depth"] == deep["visualizer"]["max_depth"] == 80


def test_every_target_names_the_file_that_defines_the_part():
    """A stored configuration has one spelling for each part."""
    for path in config_dir().rglob("*.yaml"):
        for target in re.findall(r"_target_: (pvtseg[\w.]+)", path.read_text()):
            assert get_object(target).__module__ == target.rpartition(".")[0], f"{path}: {target}"


@pytest.mark.parametrize("task", TASKS)
def test_every_metric_that_is_monitored_is_computed(task):
    config = plain(f"task={task}")
    metrics = instantiate_node(config["metrics"], "metrics")
    assert config["monitor"]["metric"] in metrics.compute()
    assert config["monitor"]["mode"] in ("max", "min")
