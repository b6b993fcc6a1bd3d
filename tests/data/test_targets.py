"""Configurations name the file that defines each part, so that a stored configuration
has one spelling.
"""

import re

import pytest
from hydra.utils import get_object

from pvtseg.paths import config_dir

FILES = sorted((config_dir() / "data").rglob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(config_dir())))
def test_each_target_names_the_file_that_defines_it(file):
    for target in re.findall(r"_target_: (pvtseg\.[\w.]+)", file.read_text()):
        part = get_object(target)
        assert target == f"{part.__module__}.{part.__qualname__}"
