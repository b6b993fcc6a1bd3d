"""Downloads a checkpoint from the Hugging Face hub, or finds it in the cache
(https://huggingface.co/docs/huggingface_hub).
"""

from __future__ import annotations

import re
from pathlib import Path

from pvtseg.errors import UserError

WEIGHTS = ("model.safetensors", "pytorch_model.bin")  # the first that is there
SETTINGS = ("config.json", "preprocessor_config.json")
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")  # owner/name, and after the @ a branch, tag or commit
FILE_ENDINGS = (".ckpt", ".safetensors", ".pth", ".pt", ".bin")


def is_hub_id(source: str) -> bool:
    """True for a possible owner/name on the hub; what ends like a file is taken for one."""
    return HUB_ID.fullmatch(source) is not None and not source.endswith(FILE_ENDINGS)


def download(
    source: str,
    *,
    revision: str | None = None,
    token: str | None = None,
    cache: str | Path | None = None,
    offline: bool = False,
) -> Path:
    """The folder, in the hub's cache, that holds the weights and settings of
    `owner/name` or `owner/name@revision`.

    `offline` looks into the cache only. Raises UserError if the files cannot be had.
    """
    from huggingface_hub import (
        hf_hub_download,
    )  # imported here, because it costs a second that local files need not wait
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError

    name, _, tag = source.partition("@")
    files: dict[str, Path] = {}
    unreachable: Exception | None = None
    try:
        for file in (*WEIGHTS, *SETTINGS):
            if file in WEIGHTS and files:
                continue
            cached_only = offline or unreachable is not None
            try:
                path = hf_hub_download(
                    name, file, revision=tag or revision, token=token, cache_dir=cache, local_files_only=cached_only
                )
                files[file] = Path(path)
            except LocalEntryNotFoundError as error:  # neither in the cache nor within reach
                unreachable = unreachable or error
            except EntryNotFoundError:  # the repository has no such file
                continue
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise UserError(
            f"{source} is neither a file nor a folder here, and the hub says: {_reason(error)}; check the name."
        ) from error
    weights = [files[file] for file in WEIGHTS if file in files]
    if weights:
        return weights[0].parent
    if unreachable is None:
        raise UserError(f"{source} on the Hugging Face hub has no {' or '.join(WEIGHTS)}; give another repository.")
    raise UserError(
        f"{source} is no file or folder here, and not in the hub's cache, and the hub is out of reach "
        f"({_reason(unreachable.__cause__ or unreachable)}); check the name and the connection, or give the folder "
        "of the downloaded files."
    ) from unreachable


def _reason(error: BaseException) -> str:
    """The first sentence of what went wrong."""
    return str(error).strip().splitlines()[0].rstrip(".")
