"""A file is written completely or not at all."""

import json
import subprocess
import sys

import pytest

from pvtseg.files import replacing, write_json


def test_a_file_is_replaced_at_the_end_only(tmp_path):
    file = tmp_path / "folder" / "numbers.json"
    write_json(file, {"mIoU": 0.5})
    with replacing(file) as partial:
        partial.write_text("new")
        assert json.loads(file.read_text()) == {"mIoU": 0.5}
    assert file.read_text() == "new"
    assert list(file.parent.iterdir()) == [file]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    file = write_json(tmp_path / "numbers.json", {"mIoU": 0.5})
    with pytest.raises(OSError, match="full"), replacing(file) as partial:
        partial.write_text("half")
        raise OSError("the disk is full")
    assert json.loads(file.read_text()) == {"mIoU": 0.5}
    assert list(tmp_path.iterdir()) == [file]


def test_nan_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "numbers.json", {"mIoU": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_a_kill_while_writing_leaves_the_old_file(tmp_path):
    file = write_json(tmp_path / "numbers.json", {"mIoU": 0.5})
    code = (
        "import os, signal, sys; from pathlib import Path; from pvtseg.files import replacing\n"
        "with replacing(Path(sys.argv[1])) as partial:\n"
        "    partial.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(file)], check=False).returncode == -9
    assert json.loads(file.read_text()) == {"mIoU": 0.5}
