"""Targets appear whole or not at all, keep what they were, and are never replaced unasked."""

import errno
import os
import stat
import threading
from pathlib import Path

import pytest

from vidcolor import atomic
from vidcolor.atomic import AtomicFile, write_whole
from vidcolor.errors import OutputError

LINUX = pytest.mark.skipif(os.name != "posix", reason="links and pipes of POSIX")


def test_nothing_is_seen_before_it_is_whole(tmp_path):
    target = tmp_path / "out.bin"
    with AtomicFile(target, overwrite=False) as partial:
        partial.write_bytes(b"half")
        assert not target.exists()
    assert target.read_bytes() == b"half"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_an_error_leaves_everything_as_it_was(tmp_path, error):
    target = tmp_path / "out.bin"
    target.write_bytes(b"old")

    def work():
        with AtomicFile(target, overwrite=True) as partial:
            partial.write_bytes(b"new")
            raise error("stop")

    with pytest.raises(OutputError if error is OSError else error):
        work()
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("links", [True, False])
def test_of_two_runs_without_y_the_second_fails(tmp_path, monkeypatch, links):
    """Also on a disk without hard links."""
    if not links:
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError(errno.EPERM, "not permitted")))
    target = tmp_path / "out.bin"
    first, second = (AtomicFile(target, overwrite=False) for _ in range(2))
    first.partial.write_bytes(b"first")
    second.partial.write_bytes(b"second")
    first.commit()
    with pytest.raises(OutputError, match="exists already; add -y"):
        second.commit()
    assert target.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [target]


def test_of_many_threads_one_wins(tmp_path):
    target, won, lost = tmp_path / "out.bin", [], []
    barrier = threading.Barrier(8)

    def work(number):
        file = AtomicFile(target, overwrite=False)
        file.partial.write_bytes(bytes([number]) * 1000)
        barrier.wait()
        try:
            file.commit()
            won.append(number)
        except OutputError:
            lost.append(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost)) == (1, 7)
    assert target.read_bytes() == bytes(won) * 1000
    assert list(tmp_path.iterdir()) == [target]


@LINUX
@pytest.mark.parametrize("dangling", [False, True])
def test_a_link_stays_a_link(tmp_path, dangling):
    (tmp_path / "disk").mkdir()
    real, link = tmp_path / "disk" / "real.bin", tmp_path / "link.bin"
    if not dangling:
        real.write_bytes(b"old")
    (tmp_path / "between").symlink_to(Path("disk") / "real.bin")
    link.symlink_to("between")
    write_whole(link, b"new", overwrite=True)
    assert link.is_symlink()
    assert (real.read_bytes(), real.is_symlink()) == (b"new", False)
    assert list((tmp_path / "disk").iterdir()) == [real]


@LINUX
def test_permissions_are_kept(tmp_path):
    target, fresh = tmp_path / "out.bin", tmp_path / "fresh.bin"
    target.write_bytes(b"old")
    target.chmod(0o640)
    write_whole(target, b"new", overwrite=True)
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    before = os.umask(0o027)
    try:
        write_whole(fresh, b"new", overwrite=False)
    finally:
        os.umask(before)
    assert stat.S_IMODE(fresh.stat().st_mode) == 0o640


@LINUX
def test_a_pipe_is_written_into(tmp_path):
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    write_whole(pipe, b"through", overwrite=False)
    reader.join(10)
    assert got == [b"through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    write_whole(Path("/dev/null"), b"away", overwrite=True)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@pytest.mark.parametrize("length", [200, 242, 250, 255])
def test_names_as_long_as_the_disk_takes(tmp_path, length):
    target = tmp_path / ("ü" * ((length - 4) // 2) + "a" * (length % 2) + ".bin")
    assert len(os.fsencode(target.name)) == length
    write_whole(target, b"data", overwrite=False)
    assert target.read_bytes() == b"data"
    with pytest.raises(OutputError, match="too long"):
        write_whole(tmp_path / ("a" * 256), b"data", overwrite=True)
    assert list(tmp_path.iterdir()) == [target]


def test_file_and_folder_are_synced(tmp_path, monkeypatch):
    """The file before its name, the folder after."""
    steps = []
    real_sync, real_put = atomic.sync, atomic.put
    monkeypatch.setattr(atomic, "sync", lambda p: (steps.append(p.suffix or "folder"), real_sync(p)))
    monkeypatch.setattr(atomic, "put", lambda *a, **k: (steps.append("name"), real_put(*a, **k)))
    write_whole(tmp_path / "out.bin", b"data", overwrite=False)
    assert steps == [".part", "name", "folder"]


@pytest.mark.parametrize(
    ("number", "says"),
    [(errno.ENOSPC, "disk is full"), (errno.EACCES, "no permission"), (errno.EIO, "check the disk"),
     (errno.EROFS, "takes no changes")],
)  # fmt: skip
def test_the_message_names_fault_and_remedy(tmp_path, monkeypatch, number, says):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OutputError, match=says):
        write_whole(tmp_path / "out.bin", b"data", overwrite=False)
    assert list(tmp_path.iterdir()) == []
