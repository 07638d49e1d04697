"""A full disk: what is done stays, nothing stands at the target's name, and it is said how much more is needed."""

import errno
import os
import re
import resource
import subprocess
from dataclasses import replace

import pytest

from tests.film.test_segments import OPTIONS, color, make_film
from vidcolor.errors import OutputError
from vidcolor.film.packets import PacketWriter
from vidcolor.film.plan import frames_done
from vidcolor.film.space import amount, is_full
from vidcolor.film.work import folder_of


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Segments that begin at 0, 20, 40 and 76."""
    return make_film(tmp_path_factory.mktemp("film") / "film.mkv", {20, 30, 40}, 110)


@pytest.fixture(scope="module")
def whole(film, colorizer, tmp_path_factory):
    """The bytes of undisturbed runs, by the targets' names."""
    folder = tmp_path_factory.mktemp("whole")
    for name in ("out.mkv", "out.mp4"):
        color(film, folder / name, colorizer)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class Disk:
    """A real file system of few bytes."""

    def __init__(self, place):
        self.place = place

    def size(self, size: int, how: str = "remount,") -> bool:
        command = ["mount", "-t", "tmpfs", "-o", f"{how}size={size}", "none", str(self.place)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture
def disk(tmp_path):
    place = tmp_path / "disk"
    place.mkdir()
    made = Disk(place)
    if not made.size(1 << 20, ""):
        pytest.skip("no right to mount a file system")
    yield made
    subprocess.run(["umount", "-l", str(place)], check=True)


def needed(text: str) -> float:
    """Bytes that a message asks for."""
    number, unit = re.search(r"about ([\d.]+) (kB|MB) more are needed", text).groups()
    return float(number) * {"kB": 1e3, "MB": 1e6}[unit]


@pytest.mark.parametrize(
    ("name", "room", "done"),
    [("out.mkv", 12, 0), ("out.mp4", 36, 40), ("out.mkv", 48, 76), ("out.mkv", 64, 110), ("out.mp4", 100, 110),
     ("out.mkv", 150, 110)],
)  # fmt: skip
def test_a_real_disk_that_is_full(film, whole, colorizer, disk, name, room, done):
    """Kilobytes of room: for the first frames, for some segments, for all of them, and for most of the target."""
    target, data = disk.place / name, whole[name]
    assert disk.size(room << 10)
    with pytest.raises(OutputError, match=r"the disk is full .* make room, and the same command goes on") as caught:
        color(film, target, colorizer)
    assert not target.exists()
    assert not [path for path in disk.place.iterdir() if path.name.startswith(".")]
    assert frames_done(folder_of(target)) == done
    said = str(caught.value)
    assert ("put together" in said) == (done == 110)
    if done == 110:  # all sizes are known but those of the other streams that have not come yet
        left = os.statvfs(disk.place)
        assert 0.9 < (needed(said) + left.f_bavail * left.f_frsize) / len(data) < 1.25
        assert disk.size((room << 10) + int(needed(said)) + 16384)
    else:
        assert f"after {done} of about 110 frames" in said
        assert "and what its other streams take" in said
        assert disk.size(1 << 20)
    summary = color(film, target, colorizer)
    assert target.read_bytes() == data
    assert any(f"{done} frames were done already" in note for note in summary.notes) == bool(done)
    assert list(disk.place.iterdir()) == [target]


def test_a_target_elsewhere_needs_the_room_once(film, colorizer, disk, tmp_path):
    """The work folder's disk is full: the target lies on another one."""
    target, options = tmp_path / "out.mkv", replace(OPTIONS, work=disk.place)
    assert disk.size(36 << 10)
    with pytest.raises(OutputError, match="the disk is full after 40") as caught:
        color(film, target, colorizer, options=options)
    packets = sum(path.stat().st_size for path in disk.place.rglob("*.packets"))
    left = os.statvfs(disk.place)
    total = needed(str(caught.value)) + left.f_bavail * left.f_frsize + packets
    assert 0.7 < total / (packets / 40 * 110) < 1.3


def full(self, data):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_everywhere_a_disk_that_says_it_is_full(film, colorizer, tmp_path, monkeypatch):
    """Also on systems where the tests may not make a disk: nothing was written, so nothing can be estimated."""
    with monkeypatch.context() as patch:
        patch.setattr(PacketWriter, "append", full)
        with pytest.raises(OutputError, match="after 0 of about 110 frames, and how much more it needs cannot be told"):
            color(film, tmp_path / "out.mkv", colorizer)
    assert list(tmp_path.iterdir()) == []


def test_a_limit_on_the_size_of_files(film, whole, colorizer, tmp_path):
    """A disk that takes no large files (FAT32), played by a limit of the process: packet files fit, the target not."""
    name, before = "out.mkv", resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, before[1]))
    try:
        with pytest.raises(OutputError, match=rf"{name}: is larger than this disk takes a file"):
            color(film, tmp_path / name, colorizer)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}.vidcolor"]
    assert "110 frames were done already; going on from there" in color(film, tmp_path / name, colorizer).notes
    assert (tmp_path / name).read_bytes() == whole[name]


def test_amounts_are_never_less_than_there_are():
    assert [amount(size) for size in (-5, 1, 1234, 99_100, 1_234_567, 999_999_999, 12_345_678_901)] == [
        "1 kB", "1 kB", "1.3 kB", "100 kB", "1.3 MB", "1 GB", "13 GB",
    ]  # fmt: skip


def test_what_stands_behind_an_error():
    deep = OutputError("said")
    deep.__cause__ = OSError(errno.EDQUOT, "quota")
    circle = OutputError("said")
    circle.__cause__ = circle
    assert is_full(deep)
    assert not any(is_full(error) for error in (None, circle, OSError(errno.EIO, "broken")))
