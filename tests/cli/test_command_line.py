"""Versions, help, printed commands and messages of the command line."""

import re
import shlex
import subprocess
import sys
from importlib.metadata import version

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from pvtseg.cli import program
from pvtseg.cli.verbs import VERBS
from pvtseg.paths import config_dir


def test_the_version_is_printed(command):
    assert command("--version").output == f"pvtseg {version('pvtseg')}\n"


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_a_verb_shows_its_keys_with_a_line_each_and_two_examples(command, verb):
    outcome = command(verb, "--help")
    assert outcome.status == 0
    examples = re.findall(rf"^  pvtseg {verb} .+", outcome.output, flags=re.MULTILINE)
    assert len(examples) >= 2
    own = re.findall(r"^(\w+): ", (config_dir() / f"{VERBS[verb].config}.yaml").read_text(), flags=re.MULTILINE)
    for key in own:
        assert re.search(rf"^  {key}= +\S", outcome.output, flags=re.MULTILINE), key


def test_the_help_of_training_shows_the_choices_of_each_group(command):
    output = command("train", "--help").output
    assert re.search(r"^  backbone= +b0, b1, .*mit_b5$", output, flags=re.MULTILINE)


def test_help_does_not_wait_for_hydra_jobs_or_torch():
    code = "import sys; from pvtseg.cli.verbs import start; start('eval', ['--help']); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


@pytest.mark.parametrize(
    ("argv", "printed"),
    [
        (["/usr/bin/pvtseg", "train"], "pvtseg eval checkpoint=x"),
        (["/site-packages/pvtseg/__main__.py", "train"], "pvtseg eval checkpoint=x"),
        (["train.py"], "python eval.py checkpoint=x"),
        (["my checkout/train.py"], "python 'my checkout/eval.py' checkpoint=x"),
        (["ipykernel_launcher.py"], "pvtseg eval checkpoint=x"),
    ],
)
def test_a_printed_command_names_the_program_that_was_started(monkeypatch, argv, printed):
    monkeypatch.setattr("sys.argv", argv)
    assert program.command("eval", "checkpoint=x") == printed


def test_under_uv_a_printed_command_runs_under_uv(monkeypatch):
    monkeypatch.setattr("sys.argv", ["train.py"])
    monkeypatch.setenv("UV_RUN_RECURSION_DEPTH", "1")
    assert program.command("eval", "checkpoint=x") == "uv run eval.py checkpoint=x"


@pytest.mark.parametrize("value", ["runs/b0", "my runs/b0 (old)", "a,b", "it's", "x=1", "{a: 1}", "$HOME", "[b0]"])
def test_a_printed_value_comes_back_from_shell_and_hydra(value):
    line = program.command("eval", program.override("checkpoint", value))
    (word,) = shlex.split(line)[2:]
    assert OverridesParser.create().parse_override(word).value() == value


def test_an_unknown_choice_lists_those_of_a_folder_of_ones_own(command, tmp_path):
    (tmp_path / "configs" / "head").mkdir(parents=True)
    (tmp_path / "configs" / "head" / "mine.yaml").write_text("_target_: mine.Head\n")
    outcome = command("train", "--config-dir", tmp_path / "configs", "head=mne", f"hydra.run.dir={tmp_path / 'run'}")
    assert outcome.status == 1
    assert "there is no head=mne; did you mean mine? choose one of" in outcome.last_line
    assert "segformer" in outcome.last_line


def test_the_suggestion_for_a_key_knows_the_chosen_task(command, tmp_path):
    outcome = command("train", "task=depth", "loss.varince_focus=1", f"hydra.run.dir={tmp_path}")
    assert "did you mean loss.variance_focus?" in outcome.last_line


def test_a_value_of_the_wrong_kind_is_named_with_its_full_key(command, tiny, tmp_path):
    outcome = command("train", *tiny, "optimizer.lr=abc", f"hydra.run.dir={tmp_path}")
    assert outcome.status == 1
    assert "optimizer.lr is 'abc'" in outcome.last_line


def test_a_folder_that_cannot_be_written_gives_no_traceback(command, tmp_path):
    (tmp_path / "file").touch()
    outcome = command("train", f"hydra.run.dir={tmp_path}/file/run")
    assert outcome.status == 1
    assert "hydra.run.dir" in outcome.last_line
    assert "Traceback" not in outcome.errors
