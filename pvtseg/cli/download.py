"""Fetches a data set, or says how to get it."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from pvtseg.cli.bar import bar
from pvtseg.data.download import RemoteFile, obtain
from pvtseg.errors import UserError


def download(config: DictConfig) -> None:
    """Fetches, checks and unpacks. Where a person has to do it, prints the steps and
    raises UserError.
    """
    console = Console(highlight=False, soft_wrap=True, markup=False)
    name = config.data.name
    OmegaConf.resolve(config.origin)
    origin = config.origin
    folder = Path(origin["folder"]).expanduser()
    for remote in (RemoteFile(**file) for file in origin["files"]):
        with bar(console) as progress:
            file = obtain(remote, folder, progress)
        known = "" if remote.checksum else " (no checksum of it is published)"
        console.print(f"{'unpacked' if remote.unpack else 'wrote'} {file}{known}")
    for number, step in enumerate(origin["steps"], start=1):
        console.print(f"{number}. {step}")
    if origin["steps"]:
        raise UserError(f"{name} cannot be fetched by a program; follow the {len(origin['steps'])} steps above.")
    if origin["files"]:
        console.print(f"\ncheck it with\n  pvtseg verify data={name}")
    else:
        console.print(f"{name} needs nothing downloaded")
