"""Downloads go on where they broke, are checked, and unpack nothing that leads elsewhere."""

import hashlib
import io
import stat
import sys
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from made import add

from pvtseg.cli.verbs import main
from pvtseg.data.download import RemoteFile, obtain, unpack
from pvtseg.errors import UserError

CONTENT = bytes(range(256)) * 4000
SHA1 = f"sha1:{hashlib.sha1(CONTENT).hexdigest()}"


def silent(*_):
    pass


class Server(ThreadingHTTPServer):
    """Sends CONTENT; `ranges` tells whether it knows them, `breaks_at` after how many
    bytes the line goes dead.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.ranges, self.breaks_at, self.requested = CONTENT, True, None, []
        self.url = f"http://127.0.0.1:{self.server_port}/set.bin"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server, start = self.server, 0
        requested = self.headers.get("Range")
        server.requested.append(requested)
        if self.path.startswith("/gone"):
            return self.send_error(404)
        if requested and server.ranges:
            start = int(requested.removeprefix("bytes=").removesuffix("-"))
            if start >= len(server.content):
                return self.send_error(416)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(server.content) - start))
        self.end_headers()
        end = len(server.content) if server.breaks_at is None else server.breaks_at
        return self.wfile.write(server.content[start:end])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_a_file_is_fetched_checked_and_not_fetched_again(server, tmp_path):
    reports = []
    remote = RemoteFile(server.url, SHA1)
    file = obtain(remote, tmp_path / "new", lambda *report: reports.append(report))
    assert file.read_bytes() == CONTENT
    assert reports[-1] == ("checking set.bin", len(CONTENT), len(CONTENT))
    assert ("fetching set.bin", len(CONTENT), len(CONTENT)) in reports
    obtain(remote, tmp_path / "new", silent)
    assert len(server.requested) == 1


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_transfer_goes_on_where_it_stopped(server, tmp_path, ranges):
    server.breaks_at, server.ranges = 300_000, ranges
    with pytest.raises(UserError, match=r"broke off after 300,000 of 1,024,000 bytes; run the same command"):
        obtain(RemoteFile(server.url, SHA1), tmp_path, silent)
    assert not (tmp_path / "set.bin").exists()
    server.breaks_at = None
    assert obtain(RemoteFile(server.url, SHA1), tmp_path, silent).read_bytes() == CONTENT
    assert server.requested == [None, "bytes=300000-"]


def test_a_transfer_that_was_whole_but_unchecked_is_checked(server, tmp_path):
    (tmp_path / "set.bin.partial").write_bytes(CONTENT)
    assert obtain(RemoteFile(server.url, SHA1), tmp_path, silent).read_bytes() == CONTENT


def test_a_file_with_another_checksum_is_removed(server, tmp_path):
    server.content = CONTENT[::-1]
    with pytest.raises(UserError, match=rf"set\.bin has the sha1 \w+, expected {SHA1[5:]}"):
        obtain(RemoteFile(server.url, SHA1), tmp_path, silent)
    assert list(tmp_path.iterdir()) == []


def test_an_address_that_is_not_found_is_named(server, tmp_path):
    with pytest.raises(UserError, match=r"/gone\.zip returns 404"):
        obtain(RemoteFile(server.url.replace("set.bin", "gone.zip")), tmp_path, silent)
    with pytest.raises(UserError, match=r"127\.0\.0\.1:9/a\.zip broke off after 0 bytes"):
        obtain(RemoteFile("http://127.0.0.1:9/a.zip"), tmp_path, silent)


def zip_of(names, *, link=False):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("set/good.txt", "good")
        for name in names:
            member = zipfile.ZipInfo(name)
            member.external_attr = ((stat.S_IFLNK if link else stat.S_IFREG) | 0o644) << 16
            archive.writestr(member, "/etc/passwd")
    return content.getvalue()


def tar_of(names, *, kind=None):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        add(archive, "set/good.txt", b"good")
        for name in names:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind or tarfile.REGTYPE, "../../outside" if kind else ""
            archive.addfile(member)
    return content.getvalue()


ESCAPES = {
    "a zip to the folder above": zip_of(["set/../../outside"]),
    "a zip to the root": zip_of(["/outside"]),
    "a zip with backslashes": zip_of(["..\\outside"]),
    "a zip with a drive": zip_of(["C:/outside"]),
    "a zip with a symbolic link": zip_of(["set/link"], link=True),
    "a tar to the folder above": tar_of(["../outside"]),
    "a tar to the root": tar_of(["/outside"]),
    "a tar with a symbolic link": tar_of(["set/link"], kind=tarfile.SYMTYPE),
    "a tar with a hard link": tar_of(["set/link"], kind=tarfile.LNKTYPE),
    "a tar with a device": tar_of(["set/device"], kind=tarfile.CHRTYPE),
}


@pytest.mark.parametrize("escape", ESCAPES)
def test_an_archive_that_leads_elsewhere_is_refused_before_anything_is_written(escape, tmp_path):
    archive = tmp_path / "archive"
    archive.write_bytes(ESCAPES[escape])
    with pytest.raises(UserError, match=r"archive holds '.*nothing of it was unpacked"):
        unpack(archive, tmp_path / "in", silent)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["archive"]


def test_a_link_that_was_there_before_leads_nowhere_either(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/set").symlink_to(tmp_path)
    (tmp_path / "archive").write_bytes(zip_of([]))
    with pytest.raises(UserError, match="leads out of the folder"):
        unpack(tmp_path / "archive", tmp_path / "in", silent)


@pytest.mark.parametrize("content", [zip_of([]), tar_of([])], ids=["zip", "tar"])
def test_an_archive_is_unpacked_and_what_is_there_is_left(content, tmp_path):
    archive = tmp_path / "archive"
    archive.write_bytes(content)
    unpack(archive, tmp_path / "in", silent)
    file = tmp_path / "in/set/good.txt"
    assert file.read_text() == "good"
    file.write_text("mine")
    unpack(archive, tmp_path / "in", silent)
    assert file.read_text() == "mine"


def test_an_archive_that_is_none_is_named(tmp_path):
    (tmp_path / "archive").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"archive cannot be unpacked"):
        unpack(tmp_path / "archive", tmp_path, silent)


def run_command(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["pvtseg", "download", *words])
    main()


def test_the_command_fetches_unpacks_and_says_what_comes_next(
    server, tmp_path, monkeypatch, capsys, as_a_fresh_process
):
    server.content = zip_of([])
    files = f"origin.files=[{{url: '{server.url}', unpack: true}}]"
    run_command(monkeypatch, "data=ade20k", f"paths.data={tmp_path}", files)
    assert (tmp_path / "set/good.txt").read_text() == "good"
    printed = capsys.readouterr().out
    assert "no checksum of it is published" in printed
    assert "pvtseg verify data=ade20k" in printed


@pytest.mark.parametrize("data", ["imagenet", "nyu_depth"])
def test_what_no_program_can_fetch_comes_with_its_steps_and_a_status(
    data, tmp_path, monkeypatch, capsys, as_a_fresh_process
):
    with pytest.raises(SystemExit) as left:
        run_command(monkeypatch, f"data={data}", f"paths.data={tmp_path}")
    assert left.value.code == 1
    printed = capsys.readouterr()
    assert "1. " in printed.out
    assert str(tmp_path) in printed.out
    assert (
        printed.err.strip().splitlines()[-1]
        == f"error: {data} cannot be fetched by a program; follow the 4 steps above."
    )
