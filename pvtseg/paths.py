"""Where the configuration files are: beside the package in a checkout, inside it in a wheel."""

from pathlib import Path


def config_dir() -> Path:
    """The absolute path of the folder that holds train.yaml."""
    installed = Path(__file__).parent / "configs"
    return installed if installed.is_dir() else Path(__file__).parents[1] / "configs"
