"""A configuration out of a file runs nothing: every hostile target here leaves a proof
if it is called, and none does.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from pvtseg.backbones.pvt_v2.variants import pvt_v2_b0
from pvtseg.checkpoints import checkpoint, trust
from pvtseg.checkpoints.files import CONFIG_KEY, pack
from pvtseg.errors import UserError
from pvtseg.heads.linear import LinearHead
from pvtseg.load import load_backbone, load_initial, load_model, load_predictor, load_pretrained, save_model
from pvtseg.model import Model

# {proof}: a path that does not exist. {folder}: its folder, which holds evil.py,
# evil.txt, evil.pkl and evil.npy.
HOSTILE = {
    # the shell
    "os.system": {"command": "touch {proof}"},
    "posix.system": {"command": "touch {proof}"},
    "os.popen": {"cmd": "touch {proof}"},
    "subprocess.run": {"args": ["touch", "{proof}"]},
    "subprocess.call": {"args": ["touch", "{proof}"]},
    "subprocess.check_call": {"args": ["touch", "{proof}"]},
    "subprocess.check_output": {"args": ["touch", "{proof}"]},
    "subprocess.getoutput": {"cmd": "touch {proof}"},
    "subprocess.getstatusoutput": {"cmd": "touch {proof}"},
    "torch.utils.collect_env.run": {"command": "touch {proof}"},
    "pty.spawn": {"argv": ["touch", "{proof}"]},
    # files
    "os.mkdir": {"path": "{proof}"},
    "os.makedirs": {"name": "{proof}"},
    "os.mkfifo": {"path": "{proof}"},
    "os.mknod": {"path": "{proof}"},
    "os.symlink": {"src": "{folder}", "dst": "{proof}"},
    "os.link": {"src": "{folder}/evil.py", "dst": "{proof}"},
    "os.rename": {"src": "{folder}/evil.txt", "dst": "{proof}"},
    "os.open": {"path": "{proof}", "flags": 66},
    "builtins.open": {"file": "{proof}", "mode": "w"},
    "io.open": {"file": "{proof}", "mode": "w"},
    "io.FileIO": {"file": "{proof}", "mode": "w"},
    "codecs.open": {"filename": "{proof}", "mode": "w"},
    "shutil.copy": {"src": "{folder}/evil.py", "dst": "{proof}"},
    "shutil.copyfile": {"src": "{folder}/evil.py", "dst": "{proof}"},
    "shutil.move": {"src": "{folder}/evil.txt", "dst": "{proof}"},
    "gzip.open": {"filename": "{proof}", "mode": "w"},
    "bz2.open": {"filename": "{proof}", "mode": "w"},
    "lzma.open": {"filename": "{proof}", "mode": "w"},
    "zipfile.ZipFile": {"file": "{proof}", "mode": "w"},
    "tarfile.open": {"name": "{proof}", "mode": "w"},
    "wave.open": {"f": "{proof}", "mode": "wb"},
    "mailbox.mbox": {"path": "{proof}"},
    "logging.FileHandler": {"filename": "{proof}"},
    "logging.handlers.RotatingFileHandler": {"filename": "{proof}"},
    "sqlite3.connect": {"database": "{proof}"},
    "py_compile.compile": {"file": "{folder}/evil.py", "cfile": "{proof}"},
    "urllib.request.urlretrieve": {"url": "file://{folder}/evil.py", "filename": "{proof}"},
    "numpy.savetxt": {"fname": "{proof}", "X": [1]},
    "numpy.memmap": {"filename": "{proof}", "mode": "w+", "shape": 3},
    "torch.save": {"obj": 1, "f": "{proof}"},
    "torch.hub.download_url_to_file": {"url": "file://{folder}/evil.py", "dst": "{proof}"},
    "safetensors.torch.save_file": {"tensors": {}, "filename": "{proof}"},
    "omegaconf.OmegaConf.save": {"config": {"a": 1}, "f": "{proof}"},
    # code
    "builtins.exec": {"source": "open('{proof}', 'w')"},
    "builtins.__import__": {"name": "evil"},
    "importlib.import_module": {"name": "evil"},
    "runpy.run_path": {"path_name": "{folder}/evil.py"},
    "runpy.run_module": {"mod_name": "evil"},
    "pkgutil.resolve_name": {"name": "evil"},
    "pydoc.locate": {"path": "evil"},
    "timeit.timeit": {"stmt": "open('{proof}', 'w')", "number": 1},
    "timeit.repeat": {"stmt": "open('{proof}', 'w')", "number": 1, "repeat": 1},
    "cProfile.run": {"statement": "open('{proof}', 'w')"},
    "bdb.Bdb.run": {"self": None, "cmd": "open('{proof}', 'w')"},
    "sympy.sympify": {"a": "__import__('os').mkdir('{proof}')"},
    "sympy.parsing.sympy_parser.parse_expr": {"s": "__import__('os').mkdir('{proof}')"},
    "torch.load": {"f": "{folder}/evil.pkl", "weights_only": False},
    "numpy.load": {"file": "{folder}/evil.npy", "allow_pickle": True},
    "site.addsitedir": {"sitedir": "{folder}"},
    # Hydra itself
    "hydra.utils.instantiate": {"config": {"_target_": "os.mkdir", "path": "{proof}"}},
    "hydra.utils.call": {"config": {"_target_": "os.mkdir", "path": "{proof}"}},
    "hydra.utils.get_object": {"path": "evil.anything"},
    "hydra.utils.get_method": {"path": "evil.anything"},
    "hydra._internal.utils._locate": {"path": "evil.anything"},
    # pvtseg: functions with effects, and what can be reached through its modules
    "pvtseg.instantiate.instantiate_node": {"node": {"_target_": "os.mkdir", "path": "{proof}"}, "key": "x"},
    "pvtseg.checkpoints.files.write_tensors": {"path": "{proof}", "state": {}, "metadata": {}},
    "pvtseg.load.save_model": {"model": None, "folder": "{proof}"},
    "pvtseg.load.load_model": {"source": "{folder}/evil.ckpt"},
    "pvtseg.data.download.fetch": {"file": None, "folder": "{proof}"},
    "pvtseg.data.io.np.savetxt": {"fname": "{proof}", "X": [1]},
    "pvtseg.cli.run_folder.Path.touch": {"self": "{proof}"},
    "pvtseg.cli.app.run": {"main": None, "name": "train"},
    "pvtseg.callbacks.save_config.SaveConfig": {"config": {}},
    "pvtseg.task.Task": {"model": None},
    "pvtseg.predictor.os.mkdir": {"path": "{proof}"},
    "pvtseg.backbones.pvt_v2.pyramid.torch.save": {"obj": 1, "f": "{proof}"},
    "pvtseg.backbones.pvt_v2.pyramid.math.exp": {"x": 1},
    "pvtseg.heads.fcn.nn.Module": {},
    "pvtseg.data.transforms.published.torch.save": {"obj": 1, "f": "{proof}"},
    "pvtseg.data.folder.segmentation.np.savetxt": {"fname": "{proof}", "X": [1]},
    "pvtseg.losses.class_weights.json.loads": {"s": "1"},
    "pvtseg.heads.segformer.SegFormerHead.__init__": {"self": None},
    "pvtseg.heads.__init__.__loader__": {},
    "pvtseg.heads.segformer": {},
    "pvtseg.heads": {},
    "pvtseg": {},
    "": {},
    "mkdir": {"path": "{proof}"},
    "pvtseg.heads.segformer.SegFormerHead ; os.mkdir": {},
    "pvtseg.heads/../../os.mkdir": {"path": "{proof}"},
}
# Called by hand they leave no proof: they want another argument, end the process, or do
# nothing visible.
NO_PROOF = {
    "builtins.exec", "bdb.Bdb.run", "pvtseg.load.save_model", "pvtseg.load.load_model",
    "pvtseg.data.download.fetch", "pvtseg.cli.run_folder.Path.touch", "pvtseg.cli.app.run",
    "pvtseg.callbacks.save_config.SaveConfig", "pvtseg.task.Task",
    "pvtseg.backbones.pvt_v2.pyramid.math.exp", "pvtseg.heads.fcn.nn.Module", "pvtseg.losses.class_weights.json.loads",
    "pvtseg.heads.segformer.SegFormerHead.__init__", "pvtseg.heads.__init__.__loader__", "pvtseg.heads.segformer",
    "pvtseg.heads", "pvtseg", "", "mkdir", "pvtseg.heads.segformer.SegFormerHead ; os.mkdir",
    "pvtseg.heads/../../os.mkdir",
    "pty.spawn",  # which wants a terminal
}  # fmt: skip
CONFIG = {
    "task": {"name": "classification"},
    "backbone": {"_target_": "pvtseg.backbones.pvt_v2.variants.pvt_v2_b0"},
    "head": {"_target_": "pvtseg.heads.linear.LinearHead", "num_classes": 3},
    "postprocess": {"_target_": "pvtseg.tasks.classification.ClassificationPostProcess"},
    "visualizer": {"_target_": "pvtseg.tasks.classification.ClassificationVisualizer", "names": ["a", "b", "c"]},
    "inference": {"_target_": "pvtseg.inference.whole.Whole"},
    "data": {
        "labels": {"_target_": "pvtseg.data.target_info.ClassInfo", "num_classes": 3},
        "eval_transform": {"_target_": "pvtseg.data.transforms.evaluation.Original"},
        "normalize": {"_target_": "pvtseg.data.normalize.Normalize", "mean": [0.5] * 3, "std": [0.5] * 3},
    },
}


def in_the_backbone(node):
    return {**CONFIG, "backbone": {**CONFIG["backbone"], "evil": node}}


def as_the_backbone(node):
    return {**CONFIG, "backbone": node}


def in_a_list(node):
    return {**CONFIG, "head": {**CONFIG["head"], "options": [1, [node]]}}


def in_dictionaries_and_lists(node):
    return {**CONFIG, "data": {**CONFIG["data"], "val": {"parts": [{"a": {"b": [node]}}]}}}


def in_an_unread_key(node):
    return {**CONFIG, "notes": {"x": node}}


PLACES = (in_the_backbone, as_the_backbone, in_a_list, in_dictionaries_and_lists, in_an_unread_key)


def as_ckpt(config, folder, state):
    torch.save(
        {CONFIG_KEY: config, "state_dict": {f"model.{k}": v for k, v in state.items()}, "loops": {}}, folder / "x.ckpt"
    )
    return folder / "x.ckpt"


def as_safetensors(config, folder, state):
    save_file(state, folder / "x.safetensors", metadata={CONFIG_KEY: json.dumps(config)})
    return folder / "x.safetensors"


def as_run_folder(config, folder, state):
    run = folder / "run"
    run.mkdir(exist_ok=True)
    save_file(state, run / "model.safetensors", metadata={CONFIG_KEY: json.dumps(config)})
    (run / "config.json").write_text(json.dumps(config))
    return run


CONTAINERS = (as_ckpt, as_safetensors, as_run_folder)


@pytest.fixture(scope="module")
def model():
    backbone = pvt_v2_b0()
    return Model(backbone, LinearHead(backbone.channels, 3), config=CONFIG)


def lay_trap(folder):
    """A folder that holds what hostile nodes want to run. Returns the proof that they
    would leave.
    """
    folder.mkdir()
    proof = folder / "proof"
    (folder / "evil.py").write_text(f"open({str(proof)!r}, 'w').close()\n")
    (folder / "evil.txt").touch()
    (folder / "evil.pth").write_text(f"import os; os.path.exists({str(proof)!r}) or os.mkdir({str(proof)!r})\n")

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(proof),)

    torch.save(Evil(), folder / "evil.pkl")
    np.save(folder / "evil.npy", np.array(Evil(), dtype=object), allow_pickle=True)
    return proof


@pytest.fixture
def trap(tmp_path, monkeypatch):
    """The proof of a trap that lies on the import path."""
    proof = lay_trap(tmp_path / "trap")
    monkeypatch.syspath_prepend(str(proof.parent))
    yield proof
    sys.modules.pop("evil", None)


def filled(value, proof):
    if isinstance(value, str):
        return value.replace("{proof}", str(proof)).replace("{folder}", str(proof.parent))
    if isinstance(value, dict):
        return {key: filled(each, proof) for key, each in value.items()}
    return [filled(each, proof) for each in value] if isinstance(value, list) else value


def loaders(model):
    return (
        load_model,
        load_backbone,
        load_predictor,
        lambda path: load_pretrained(model.backbone, path),
        lambda path: load_initial(model, path),
    )


CALL_EACH = """
import importlib, json, os, sys
from pathlib import Path
import numpy, omegaconf, sympy, torch, hydra, pvtseg.load

for folder, target, arguments in json.load(open(sys.argv[1])):
    if os.fork():
        os.wait()
        continue
    os.chdir(folder)
    sys.path.insert(0, folder)
    parts = target.split(".")
    for count in range(len(parts) - 1, 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:count]))
        except ImportError:
            continue
        break
    for part in parts[count:]:
        found = getattr(found, part)
    if target.endswith("write_tensors"):
        arguments["path"] = Path(arguments["path"])
    try:
        found(**arguments)
    finally:
        os._exit(0)
"""


def test_called_by_hand_each_of_them_leaves_a_proof(tmp_path):
    """So the next test can fail."""
    pytest.importorskip("sympy")
    proofs = {target: lay_trap(tmp_path / str(index)) for index, target in enumerate(HOSTILE) if target not in NO_PROOF}
    calls = [(str(proof.parent), target, filled(HOSTILE[target], proof)) for target, proof in proofs.items()]
    (tmp_path / "calls.json").write_text(json.dumps(calls))
    command = [sys.executable, "-c", CALL_EACH, str(tmp_path / "calls.json")]
    subprocess.run(command, capture_output=True, timeout=300, check=False, cwd=Path(__file__).parents[2])
    assert len(proofs) >= 65
    assert [target for target, proof in proofs.items() if not (proof.exists() or proof.is_symlink())] == []


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("target", HOSTILE)
def test_nothing_of_it_runs(target, container, trap, model, tmp_path):
    node = {"_target_": target, **filled(HOSTILE[target], trap)}
    for place in PLACES:
        config = place(node)
        old = {**config, "task": {"_target_": "pvtseg.tasks.Classification"}}  # before versions were counted
        for packed in (old, pack(config)):
            path = container(packed, tmp_path, {"backbone.x": torch.zeros(1)})
            for load in loaders(model):
                with pytest.raises(UserError) as refusal:
                    load(path)
                assert target in str(refusal.value)
                assert "\n" not in str(refusal.value)
            assert not trap.exists()
            assert not trap.is_symlink()
            assert "evil" not in sys.modules


def test_without_the_check_it_would_run(trap, model, tmp_path, monkeypatch):
    monkeypatch.setattr(trust, "check", lambda config, trust: None)
    node = {"_target_": "torch.utils.collect_env.run", "command": f"touch {trap}"}
    path = as_safetensors(pack(in_the_backbone(node)), tmp_path, dict(model.state_dict()))
    with pytest.raises(UserError):
        load_model(path)
    assert trap.exists()


def test_a_model_of_ours_loads(model, tmp_path):
    save_model(model, tmp_path / "saved")
    assert load_model(tmp_path / "saved").config == CONFIG


@pytest.mark.parametrize("text", ["${oc.env:HOME}", "x ${.names} y", "${hydra:job.name}", "\\${oc.env:HOME}"])
@pytest.mark.parametrize("place", PLACES)
def test_an_interpolation_is_refused(text, place, model, tmp_path):
    for node in ({"a": text}, {"a": [1, text]}, {text: 1}):
        path = as_safetensors(pack(place(node)), tmp_path, dict(model.state_dict()))
        with pytest.raises(UserError, match="which Hydra would resolve; write the value itself"):
            load_backbone(path)


@pytest.mark.parametrize("key", ["_args_", "_partial_", "_recursive_", "_convert_", "_here_", "_self_", "_evil_"])
def test_a_key_that_hydra_obeys_is_refused_by_name(key, model, tmp_path):
    for place in PLACES:
        path = as_safetensors(pack(place({"a": {key: [1]}})), tmp_path, dict(model.state_dict()))
        with pytest.raises(UserError, match=f"has the key {key} .*which Hydra would obey; remove it"):
            load_model(path)


@pytest.mark.parametrize("value", [torch.zeros(1), {1, 2}, b"x", 1j])
def test_a_value_that_is_not_plain_is_refused(value, model, tmp_path):
    path = as_ckpt(pack(in_the_backbone({"a": value})), tmp_path, {})
    with pytest.raises(UserError):
        load_model(path)


def test_a_configuration_without_end_is_refused(tmp_path):
    config = in_the_backbone({})
    config["backbone"]["evil"]["again"] = config["backbone"]["evil"]
    with pytest.raises(UserError, match="nested more than 40 deep"):
        load_model(as_ckpt(pack(config), tmp_path, {"x": torch.zeros(1)}))


@pytest.mark.parametrize("target", [["os.mkdir"], 3, None, {"_target_": "os.mkdir"}])
def test_a_target_that_is_not_a_name_is_refused(target, model, tmp_path):
    path = as_safetensors(pack(in_the_backbone({"_target_": target})), tmp_path, dict(model.state_dict()))
    with pytest.raises(UserError, match="evil._target_ is a .*; expected a name"):
        load_model(path)


def test_the_settings_beside_published_weights_run_nothing_either(trap, model, tmp_path):
    node = {"_target_": "torch.utils.collect_env.run", "command": f"touch {trap}"}
    timm = save_model(model, tmp_path / "timm", layout="timm")
    config = json.loads((timm / "config.json").read_text())
    for key in ("crop_pct", "interpolation", "mean"):
        changed = {**config, "pretrained_cfg": {**config["pretrained_cfg"], key: [node] if key == "mean" else node}}
        (timm / "config.json").write_text(json.dumps(changed))
        with pytest.raises(UserError, match="torch.utils.collect_env.run"):
            load_backbone(timm)
    face = save_model(model, tmp_path / "face", layout="huggingface")
    (face / "preprocessor_config.json").write_text(json.dumps({"image_mean": [node], "size": 32}))
    with pytest.raises(UserError, match="torch.utils.collect_env.run"):
        load_backbone(face)
    config = json.loads((face / "config.json").read_text())
    (face / "preprocessor_config.json").unlink()
    (face / "config.json").write_text(json.dumps({**config, "id2label": {"0": "${oc.env:HOME}", "1": "b", "2": "c"}}))
    with pytest.raises(UserError, match="which Hydra would resolve"):
        load_backbone(face)
    assert not trap.exists()


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A package of a user's own with a head. Returns the proof that its import leaves."""
    folder, proof = tmp_path / "packages" / "mine", tmp_path / "imported"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(f"open({str(proof)!r}, 'w').close()\n")
    (folder / "heads.py").write_text(
        "import os\nimport torch\nfrom functools import partial\nfrom pvtseg.heads.linear import LinearHead\n"
        "class MyHead(LinearHead):\n    pass\n\nmake = partial(os.mkdir)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    yield proof
    for name in [name for name in sys.modules if name.split(".")[0] == "mine"]:
        del sys.modules[name]


def with_head(target, **options):
    return pack({**CONFIG, "head": {"_target_": target, "num_classes": 3, **options}})


def test_a_part_of_ones_own_needs_one_word(mine, model, tmp_path):
    path = as_safetensors(with_head("mine.heads.MyHead"), tmp_path, dict(model.state_dict()))
    for load in loaders(model):
        with pytest.raises(
            UserError, match=r"mine.heads.MyHead \(head._target_\).*if mine is a package of yours, add 'trust=\[mine\]'"
        ):
            load(path)
    assert not mine.exists()
    for trusted in (("mine",), ["other", "mine"], "mine", ("mine.heads",)):
        assert type(load_model(path, trust=trusted).head).__name__ == "MyHead"
    assert load_predictor(path, trust=("mine",)).classes.num_classes == 3
    assert load_backbone(path, trust=("mine",)).channels == (32, 64, 160, 256)
    load_pretrained(model.backbone, path, trust=("mine",))
    load_initial(model, path, trust=("mine",))
    assert checkpoint.read_checkpoint(path, trust=("mine",)).config["head"]["_target_"] == "mine.heads.MyHead"


@pytest.mark.parametrize(
    "target", ["mine.heads.os.mkdir", "mine.heads.torch.save", "mine.heads.make", "mine.heads.LinearHead"]
)
def test_what_is_reached_through_a_trusted_package_is_not_trusted(target, mine, model, tmp_path):
    path = as_safetensors(with_head(target), tmp_path, dict(model.state_dict()))
    with pytest.raises(UserError, match="which mine does not define itself; name the file that defines it"):
        load_model(path, trust=("mine",))


@pytest.mark.usefixtures("mine")
def test_a_name_that_begins_like_a_trusted_one_is_another(model, tmp_path):
    path = as_safetensors(with_head("minestrone.heads.MyHead"), tmp_path, dict(model.state_dict()))
    with pytest.raises(UserError, match=r"add 'trust=\[minestrone\]'"):
        load_model(path, trust=("mine",))


@pytest.mark.usefixtures("mine")
def test_a_trusted_part_that_is_not_there_is_named(model, tmp_path):
    path = as_safetensors(with_head("mine.tails.MyTail"), tmp_path, dict(model.state_dict()))
    with pytest.raises(UserError, match="names mine.tails.MyTail .*cannot be imported.*add its folder to PYTHONPATH"):
        load_model(path, trust=("mine",))
