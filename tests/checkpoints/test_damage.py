"""What cannot be read is refused with one line that says what was seen and what to do."""

import json
import os
import pickle
import zipfile

import pytest
import torch
from safetensors.torch import save_file

from pvtseg.backbones.pvt_v2 import pvt_v2_b0
from pvtseg.checkpoints.checkpoint import recognize
from pvtseg.checkpoints.families import pvt_v2, segformer
from pvtseg.errors import UserError
from pvtseg.heads.linear import LinearHead
from pvtseg.load import load_backbone, load_model, save_model
from pvtseg.model import Model


class Burglar:
    """A pickle of it calls os.system when it is read."""

    def __init__(self, touched):
        self.touched = touched

    def __reduce__(self):
        return os.system, (f"touch {self.touched}",)


@pytest.fixture(scope="module")
def model():
    backbone = pvt_v2_b0()
    return Model(backbone, LinearHead(backbone.channels, 3))


@pytest.fixture(scope="module")
def weights(model):
    return pvt_v2.OFFICIAL.to_published(model.state_dict())


def zipped_code(path, weights):
    torch.save({"model": weights, "hook": Burglar(path.parent / "touched")}, path)


def pickled_code(path, weights):
    path.write_bytes(pickle.dumps(Burglar(path.parent / "touched"), protocol=2))


def whole_module(path, weights):
    torch.save(torch.nn.Linear(2, 2), path)


def empty(path, weights):
    path.touch()


def cut_off_zip(path, weights):
    torch.save(weights, path)
    os.truncate(path, path.stat().st_size // 2)


def cut_off_safetensors(path, weights):
    save_file(weights, path)
    os.truncate(path, path.stat().st_size // 2)


def no_zip(path, weights):
    path.write_bytes(b"PK\x03\x04" + bytes(1000))


def other_zip(path, weights):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("cat.txt", "meow")


def noise(path, weights):
    path.write_bytes(bytes(range(7, 255)) * 4)


def text(path, weights):
    path.write_text("these are no weights")


def web_page(path, weights):
    path.write_text("<!DOCTYPE html><html><body>Sign in</body></html>")


def git_lfs_pointer(path, weights):
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n")


def other_model(path, weights):
    torch.save({"layer1.0.conv1.weight": torch.zeros(3), "fc.weight": torch.zeros(3)}, path)


def incomplete(path, weights):
    torch.save({name: tensor for name, tensor in weights.items() if not name.startswith("norm3")}, path)


def one_missing(path, weights):
    torch.save({name: tensor for name, tensor in weights.items() if name != "block2.1.attn.q.bias"}, path)


def no_tensors(path, weights):
    torch.save({"epoch": 3, "lr": 0.1}, path)


def a_list(path, weights):
    torch.save([1, 2, 3], path)


def an_unknown_head(path, weights):
    state = {f"backbone.{name}": tensor for name, tensor in weights.items() if not name.startswith("head")}
    torch.save({**state, "neck.lateral_convs.0.conv.weight": torch.zeros(3)}, path)


def no_head(path, weights):
    torch.save({name: tensor for name, tensor in weights.items() if not name.startswith("head")}, path)


DAMAGE = {
    zipped_code: r"refused: reading it would run (posix|nt)\.system.*get them as safetensors",
    pickled_code: r"refused: reading it would run (posix|nt)\.system.*get them as safetensors",
    whole_module: r"refused: reading it would run torch\.nn\.modules\.linear\.Linear.*save the state_dict alone",
    empty: "is empty; download or write it again",
    cut_off_zip: "cut off; download or write it again",
    cut_off_safetensors: "cut off or damaged .*; download or write it again",
    no_zip: "cut off; download or write it again",
    other_zip: "neither a safetensors file nor one of torch.save.*give a file of weights",
    noise: "neither a safetensors file nor one of torch.save.*give a file of weights",
    text: "neither a safetensors file nor one of torch.save.*give a file of weights",
    web_page: "it is a web page; download the file itself",
    git_lfs_pointer: "git-lfs .*git lfs pull",
    other_model: "the weights are of another model .*layer1.0.conv1.weight.*pvtseg reads",
    incomplete: r"incomplete: backbone.stages.2.norm.weight is missing; use the whole file",
    one_missing: "lacks 1 of .* tensors, backbone.stages.1.blocks.1.attention.query.bias among them; use the whole",
    no_tensors: "holds no tensors, but epoch, lr; give a file of weights",
    a_list: "holds a list; expected a dictionary of tensors",
    an_unknown_head: "neck.lateral_convs.0.conv.weight.*load_backbone",
    no_head: "an encoder without a head; use load_backbone",
}


@pytest.mark.parametrize(("damage", "message"), DAMAGE.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_a_file_that_cannot_be_used_is_refused_in_one_line(damage, message, weights, tmp_path):
    path = tmp_path / "weights"
    damage(path, weights)
    with pytest.raises(UserError, match=message) as refusal:
        load_model(path)
    assert "\n" not in str(refusal.value)
    assert str(path) in str(refusal.value)
    assert not (tmp_path / "touched").exists()


def test_what_lacks_a_head_still_gives_its_encoder(weights, tmp_path):
    for damage in (an_unknown_head, no_head):
        damage(tmp_path / "weights", weights)
        load_backbone(tmp_path / "weights")


def settings_alone(folder):
    (folder / "model.safetensors").unlink()


def several_files(folder):
    (folder / "model.safetensors").rename(folder / "one.pth")
    (folder / "two.pth").touch()


def other_number_of_classes(folder):
    change(folder, id2label={str(index): f"class {index}" for index in range(7)})


def other_type(folder):
    change(folder, model_type="vit")


def no_json(folder):
    (folder / "config.json").write_text("{")


def json_of_a_list(folder):
    (folder / "preprocessor_config.json").write_text("[1]")


def unknown_filter(folder):
    (folder / "preprocessor_config.json").write_text('{"resample": 6}')


def change(folder, **values):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **values}))


FOLDERS = {
    settings_alone: "holds no weights; expected model.safetensors or .*finish the download",
    several_files: "holds 2 files of weights .*give one of them",
    other_number_of_classes: "config.json names 7 classes, the weights have 3; take both from one model",
    other_type: "config.json is of a vit; expected one of pvt_v2, segformer, glpn",
    no_json: "config.json is not JSON .*download or write it again",
    json_of_a_list: "preprocessor_config.json holds a list; expected a JSON object",
    unknown_filter: "says resample 6; use one of Pillow's",
}


@pytest.mark.parametrize(("damage", "message"), FOLDERS.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_a_folder_that_contradicts_itself_is_refused_in_one_line(damage, message, model, tmp_path):
    save_model(model, tmp_path, layout="huggingface")
    load_model(tmp_path)
    damage(tmp_path)
    with pytest.raises(UserError, match=message) as refusal:
        load_model(tmp_path)
    assert "\n" not in str(refusal.value)
    assert str(tmp_path) in str(refusal.value)


def test_our_own_file_whose_configuration_was_changed_is_refused(model, tmp_path):
    save_model(model, tmp_path)
    loaded = load_model(tmp_path)
    loaded.config["head"]["num_classes"] = 4
    save_model(loaded, tmp_path)
    with pytest.raises(UserError, match=r"head.classify.weight as \(3, 256\), its configuration says \(4, 256\)"):
        load_model(tmp_path)


@pytest.mark.parametrize("source", ["nowhere/last.ckpt", "nowhere.pth", "/nowhere/at/all"])
def test_a_path_that_is_not_there_is_named(source):
    with pytest.raises(UserError, match=f"there is no file or folder {source}"):
        load_model(source)


def test_names_that_only_half_belong_to_a_format_are_told_apart():
    # timm's ViT has patch_embed.proj, blocks and head, too.
    names = ["patch_embed.proj.weight", "head.weight", "cls_token", "pos_embed", "blocks.0.attn.qkv.weight"]
    assert recognize(names) is None
    assert recognize(["segformer.encoder.layer_norm.0.weight", "classifier.weight"]) == (
        segformer.FAMILY,
        segformer.CLASSIFIER,
    )
    assert recognize(["encoder.layers.0.layer_norm.weight"]) == (pvt_v2.FAMILY, pvt_v2.ENCODER)
