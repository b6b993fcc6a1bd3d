"""Fetches files over HTTP: resumes a broken transfer, checks the checksum, and unpacks
nothing outside the folder.
"""

from __future__ import annotations

import hashlib
import http.client
import shutil
import stat
import tarfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from pvtseg.errors import UserError

Progress = Callable[[str, int, "int | None"], None]  # what is done, how much is done, the total
BLOCK = 1 << 20
PATIENCE = 60  # seconds without a byte


@dataclass(frozen=True)
class RemoteFile:
    """A file to fetch.

    checksum: "sha1:..." or another of hashlib's; None where none is published.
    unpack: the file is a .zip or .tar archive, to be unpacked into its folder.
    """

    url: str
    checksum: str | None = None
    unpack: bool = False

    @property
    def name(self) -> str:
        """The last part of the address."""
        return PurePosixPath(self.url).name


def obtain(remote: RemoteFile, folder: Path, progress: Progress) -> Path:
    """Fetches and checks the file, and unpacks an archive; a file that is there is not
    fetched again.

    Raises UserError if the server refuses, the transfer breaks, the checksum differs,
    or an archive would write outside the folder.
    """
    file = folder / remote.name
    if not file.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        partial = file.with_name(f"{file.name}.partial")
        fetch(remote.url, partial, progress)
        check(partial, remote.checksum, progress)
        partial.replace(file)
    if remote.unpack:
        unpack(file, folder, progress)
    return file


def fetch(url: str, file: Path, progress: Progress) -> None:
    """Writes the content of the address into the file. Bytes of an earlier try are not
    fetched again.
    """
    there = file.stat().st_size if file.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={there}-"} if there else {})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            if response.status != 206:  # the server sends the whole file
                there = 0
            length = response.headers.get("Content-Length")
            total = None if length is None else there + int(length)
            with file.open("ab" if there else "wb") as target:
                for block in iter(lambda: response.read(BLOCK), b""):
                    target.write(block)
                    there += len(block)
                    progress(f"fetching {PurePosixPath(url).name}", there, total)
    except urllib.error.HTTPError as error:
        if error.code == 416 and there:  # nothing is left to send: all bytes are there, or the file is another one
            return
        raise UserError(f"{url} returns {error.code} ({error.reason}); fetch it by hand into {file.parent}.") from error
    except (OSError, http.client.HTTPException) as error:
        raise UserError(f"{url} broke off after {there:,} bytes ({error}); run the same command to resume.") from error
    if total is not None and there < total:
        raise UserError(f"{url} broke off after {there:,} of {total:,} bytes; run the same command to resume.")


def check(file: Path, checksum: str | None, progress: Progress) -> None:
    """Raises UserError, and removes the file, unless its content has the checksum. None
    lets anything pass.
    """
    if checksum is None:
        return
    algorithm, _, wanted = checksum.partition(":")
    digest, done, total = hashlib.new(algorithm), 0, file.stat().st_size
    with file.open("rb") as content:
        for block in iter(lambda: content.read(BLOCK), b""):
            digest.update(block)
            done += len(block)
            progress(f"checking {file.name.removesuffix('.partial')}", done, total)
    if digest.hexdigest() != wanted:
        file.unlink()
        raise UserError(
            f"{file.name.removesuffix('.partial')} has the {algorithm} {digest.hexdigest()}, expected {wanted}; "
            "it was damaged on the way or is another file, and is removed: run the command again."
        )


def unpack(archive: Path, folder: Path, progress: Progress) -> None:
    """Unpacks a .zip or .tar. Members that are there at their size are left; before
    anything is written, every name is checked.

    Raises UserError for a member that is a link or a device, or whose name leads out of
    the folder.
    """
    try:
        with _Opened(archive) as members:
            wanted = list(members)
            for name, _, is_plain, _ in wanted:
                _check_member(archive, name, is_plain=is_plain, folder=folder)
            for done, (name, size, _, content) in enumerate(wanted, start=1):
                _write(folder / name, size, content)
                progress(f"unpacking {archive.name}", done, len(wanted))
    except (zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise UserError(f"{archive} cannot be unpacked ({error}); remove it and run the command again.") from error


Member = tuple[str, int, bool, Callable[[], "IO[bytes]"]]  # name, size, whether it is a plain file, its content


class _Opened:
    """The members of an archive that are no folders, for as long as it is open."""

    def __init__(self, archive: Path) -> None:
        self.file = zipfile.ZipFile(archive) if zipfile.is_zipfile(archive) else tarfile.open(archive)  # noqa: SIM115

    def __enter__(self) -> Iterator[Member]:
        return self._of_zip(self.file) if isinstance(self.file, zipfile.ZipFile) else self._of_tar(self.file)

    def __exit__(self, *_: object) -> None:
        self.file.close()

    @staticmethod
    def _of_zip(file: zipfile.ZipFile) -> Iterator[Member]:
        for member in file.infolist():
            mode = stat.S_IFMT(member.external_attr >> 16)  # 0 where the archive was made without Unix
            if not member.is_dir():
                yield (
                    member.orig_filename,
                    member.file_size,
                    mode in (0, stat.S_IFREG),
                    lambda member=member: file.open(member),
                )

    @staticmethod
    def _of_tar(file: tarfile.TarFile) -> Iterator[Member]:
        for member in file:
            if not member.isdir():
                yield (
                    member.name,
                    member.size,
                    member.isreg(),
                    lambda member=member: cast(IO[bytes], file.extractfile(member)),
                )


def _check_member(archive: Path, name: str, *, is_plain: bool, folder: Path) -> None:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    leads_out = not parts or parts[0].startswith("/") or ":" in parts[0] or ".." in parts
    if not is_plain or leads_out or not (folder / name).resolve().is_relative_to(folder.resolve()):
        seen = f"{name!r}, which leads out of the folder" if is_plain else f"{name!r}, which is a link or a device"
        raise UserError(
            f"{archive} holds {seen}; nothing of it was unpacked: remove it, and get the archive from its publisher."
        )


def _write(file: Path, size: int, content: Callable[[], IO[bytes]]) -> None:
    if file.is_file() and file.stat().st_size == size:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with content() as source, file.open("wb") as target:
        shutil.copyfileobj(source, target, BLOCK)
