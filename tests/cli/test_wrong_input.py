"""A user's mistake: not 0, a last line that helps, no traceback."""

import os
import pickle

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from pvtseg.cli.verbs import start

TINY_FOLDER = [
    "task=segmentation", "data=folder", "data.labels.names=[low,high]", "data.train_transform.size=[32,32]",
    "data.batch_size=1", "data.num_workers=1", "trainer.accelerator=cpu", "trainer.max_steps=2",
    "trainer.num_sanity_val_steps=0", "logger=[csv]",
]  # fmt: skip


def check(outcome, *texts):
    assert outcome.status != 0
    assert "Traceback" not in outcome.output + outcome.errors
    for text in texts:
        assert text in outcome.last_line, outcome.last_line


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        (["backbone=b9"], ["backbone=b9", "b0", "mit_b5"]),
        (["task=foo"], ["task=foo", "segmentation", "depth", "classification"]),
        (["task=segmentatoin"], ["did you mean segmentation?"]),
        (["optimizer.lrr=1"], ["optimizer.lrr", "optimizer.lr?"]),
        (["optimzer.lr=1"], ["optimzer.lr", "optimizer.lr?"]),
        (["experiment=none_such"], ["experiment=none_such"]),
        (["optimizer=none_such"], ["optimizer=none_such", "adamw"]),
        (["trainer.max_step=2"], ["trainer.max_step", "trainer.max_steps"]),
        (["data=folder"], ["data.root"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_what_composes_to_nothing_is_named_with_the_way_out(command, tmp_path, arguments, texts):
    check(command("train", *arguments, f"hydra.run.dir={tmp_path}"), *texts)


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        (["+foo=1"], ["foo"]),
        (["+head.foo=1"], ["SegFormerHead", "head.foo"]),
        (["+data.foo=1"], ["data.foo"]),
        (["+trainer.foo=1"], ["trainer.foo"]),
        (["backbone.drop_path_rate=2"], ["backbone.drop_path_rate=2"]),
        (["data.batch_size=0"], ["data.batch_size is 0"]),
        (["optimizer.lr=abc"], ["optimizer.lr"]),
        (["trainer.max_steps=many"], ["many"]),
        (["resume=/none/such.ckpt"], ["/none/such.ckpt"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_what_nothing_reads_or_takes_is_named(command, tiny, tmp_path, arguments, texts):
    check(command("train", *tiny, *arguments, f"hydra.run.dir={tmp_path}"), *texts)


def test_a_missing_root_is_named(command, tmp_path):
    check(
        command("train", *TINY_FOLDER, "data.root=/none/such", f"hydra.run.dir={tmp_path}"), "/none/such", "data.root"
    )


def test_a_truncated_image_in_a_data_loading_process_is_named(command, photos, tmp_path):
    image = photos / "images" / "train" / "1.jpg"
    image.write_bytes(image.read_bytes()[:400])
    before = image.read_bytes()
    check(command("train", *TINY_FOLDER, f"data.root={photos}", f"hydra.run.dir={tmp_path / 'run'}"), str(image))
    assert image.read_bytes() == before


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_mask_with_a_value_that_is_no_class_is_named(command, photos, tmp_path, split):
    mask = photos / "masks" / split / "1.png"
    Image.new("L", (48, 40), 7).save(mask)
    outcome = command("train", *TINY_FOLDER, f"data.root={photos}", f"hydra.run.dir={tmp_path / 'run'}")
    check(outcome, str(mask), "7", "label_map")


class Code:
    """Pickled, it runs code when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def missing(folder):
    return folder / "none_such.ckpt"


def text(folder):
    (folder / "notes.ckpt").write_text("not a checkpoint\n")
    return folder / "notes.ckpt"


def empty(folder):
    (folder / "empty.ckpt").touch()
    return folder / "empty.ckpt"


def foreign(folder):
    save_file({"some.weight": torch.zeros(2)}, folder / "foreign.safetensors")
    return folder / "foreign.safetensors"


def plain_weights(folder):
    torch.save({"some.weight": torch.zeros(2)}, folder / "plain.ckpt")
    return folder / "plain.ckpt"


def with_code(folder):
    torch.save({"pvtseg": Code(folder / "the code ran")}, folder / "code.ckpt")
    return folder / "code.ckpt"


def pickle_with_code(folder):
    (folder / "code.pth").write_bytes(pickle.dumps({"state_dict": Code(folder / "the code ran")}))
    return folder / "code.pth"


@pytest.mark.parametrize("make", [missing, text, empty, foreign, plain_weights, with_code, pickle_with_code])
def test_a_checkpoint_of_another_kind_is_named_and_runs_no_code(command, tmp_path, make):
    path = make(tmp_path)
    outcome = command("eval", f"checkpoint={path}", f"hydra.run.dir={tmp_path / 'run'}")
    check(outcome, path.name)
    assert not (tmp_path / "the code ran").exists()


def test_a_truncated_checkpoint_is_named(command, trained, tmp_path):
    folder, _ = trained("classification")
    for name in ("checkpoints/best.ckpt", "model.safetensors"):
        cut = tmp_path / name.replace("/", "_")
        cut.write_bytes((folder / name).read_bytes()[:100_000])
        check(command("eval", f"checkpoint={cut}", f"hydra.run.dir={tmp_path / 'run'}"), cut.name)


def test_an_evaluation_without_a_checkpoint_asks_for_one(command, tmp_path):
    check(command("eval", f"hydra.run.dir={tmp_path}"), "checkpoint=")


def test_an_evaluation_of_no_images_is_refused(command, trained, tmp_path):
    folder, _ = trained("classification")
    arguments = [f"checkpoint={folder}/model.safetensors", "trainer.limit_val_batches=0", f"hydra.run.dir={tmp_path}"]
    check(command("eval", *arguments), "trainer.limit_val_batches=0")


@pytest.mark.parametrize("override", ["backbone=b1", "head.channels=16", "task=depth"])
def test_what_the_weights_are_bound_to_cannot_be_changed_in_an_evaluation(command, trained, tmp_path, override):
    folder, _ = trained("segmentation")
    outcome = command("eval", f"checkpoint={folder}/model.safetensors", override, f"hydra.run.dir={tmp_path}")
    check(outcome, override.partition("=")[0], "checkpoint")


def test_a_second_command_in_one_process_gives_no_traceback_either(command, monkeypatch, capsys):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")  # so that it is restored
    monkeypatch.delenv("HYDRA_FULL_ERROR")
    monkeypatch.setattr("sys.argv", ["train.py", "backbone=b9"])
    for _ in range(2):
        with pytest.raises(SystemExit):
            start("train")
        assert "HYDRA_FULL_ERROR" not in os.environ  # or the next mistake, here or in a child process, is a traceback
    assert "Traceback" not in capsys.readouterr().err


def test_an_unknown_verb_lists_the_verbs(command):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["pvtseg", "trian"])
        from pvtseg.cli import verbs

        with pytest.raises(SystemExit) as end:
            verbs.main()
    assert "trian" in str(end.value.code)
    assert "train" in str(end.value.code)
