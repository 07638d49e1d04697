"""Bad targets: refused before any work, and nothing lost when the disk gives up half-way."""

import dataclasses
import subprocess
import sys

import av
import pytest

from tests.films import read
from vidcolor.atomic import AtomicFile
from vidcolor.errors import OptionError, OutputError
from vidcolor.film.run import colorize_film
from vidcolor.options import EncodeOptions
from vidcolor.video.encoder import Encoder, video_settings
from vidcolor.video.muxer import Muxer
from vidcolor.video.reader import Reader


def color(colorizer, source, target, **changes):
    return colorize_film(source, target, colorizer.backend, dataclasses.replace(colorizer.options, **changes))


@pytest.mark.parametrize(
    ("name", "text"),
    [("out.xyz", "cannot write .xyz"), ("out", "ending"), ("missing/out.mp4", "folder does not exist")],
)
def test_targets_that_cannot_be(colorizer, short_film, tmp_path, name, text):
    with pytest.raises(OutputError, match=text):
        color(colorizer, short_film, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_the_source_is_never_overwritten(colorizer, short_film, tmp_path):
    source = tmp_path / "film.mp4"
    source.write_bytes(short_film.read_bytes())
    (tmp_path / "link.mp4").symlink_to(source)
    for target in (source, tmp_path / "link.mp4"):
        with pytest.raises(OutputError, match="source itself"):
            color(colorizer, source, target, overwrite=True)
    assert source.read_bytes() == short_film.read_bytes()


def test_an_existing_target_needs_y(colorizer, short_film, tmp_path):
    target = tmp_path / "out.mp4"
    target.write_text("precious")
    with pytest.raises(OutputError, match="-y"):
        color(colorizer, short_film, target)
    assert target.read_text() == "precious"
    color(colorizer, short_film, target, overwrite=True)
    assert target.stat().st_size > 1000


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"codec": "ffv1"}, r"\.mov cannot hold ffv1"),
        ({"preset": "warp9"}, "refuses"),
        ({"codec": "prores", "crf": 3}, "crf has no meaning"),
        ({"pix_fmt": "rgb24"}, "choose from"),
    ],
)
def test_settings_a_codec_refuses(colorizer, short_film, tmp_path, changes, text):
    with pytest.raises((OutputError, OptionError), match=text):
        color(colorizer, short_film, tmp_path / "out.mov", **changes)
    assert list(tmp_path.iterdir()) == []


def write(source, target, *, overwrite, before_the_end=lambda: None):
    """One frame by way of a muxer."""
    with Reader(source) as reader:
        settings = video_settings(reader.info, EncodeOptions(), "x264")
        muxer = Muxer(target, reader.info, settings, codec="x264", file=AtomicFile(target, overwrite=overwrite))
        encoder = Encoder(settings, muxer.video.codec_context)
        frame = next(item for item in reader if isinstance(item, av.VideoFrame))
        muxer.mux_video([*encoder.encode(frame), *encoder.finish()])
        before_the_end()
        muxer.finish()


def test_a_target_that_appears_meanwhile_stays(short_film, tmp_path):
    target = tmp_path / "out.mp4"
    with pytest.raises(OutputError, match="exists already; add -y"):
        write(short_film, target, overwrite=False, before_the_end=lambda: target.write_text("another run's"))
    assert target.read_text() == "another run's"
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]
    write(short_film, target, overwrite=True)
    assert len(read(target).frames) == 1


def test_a_link_stays_one_and_names_may_be_long(short_film, tmp_path):
    (tmp_path / "far").mkdir()
    link, film = tmp_path / "link.mp4", tmp_path / "far" / f"{'n' * 251}.mp4"
    link.symlink_to(film)
    for _ in range(2):
        write(short_film, link, overwrite=True)
        assert link.is_symlink()
        assert len(read(film).frames) == 1
    assert [p.name for p in (tmp_path / "far").iterdir()] == [film.name]


FULL = """
import sys
from pathlib import Path
from vidcolor.api import Colorizer
from vidcolor.options import ColorizeOptions
Colorizer(ColorizeOptions(size=64, codec="ffv1")).file(sys.argv[1], Path(sys.argv[2]))
"""


def test_a_full_disk_leaves_no_half_file(tmp_path, short_film):
    """A real full file system of 300 kB; where mounting is not allowed, the size limit of the process stands in."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = not subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", disk], capture_output=True, check=False
    ).returncode
    limit = "" if mounted else "ulimit -f 300; trap '' XFSZ; "
    command = f'{limit}exec "$0" -c "$1" "$2" "$3"'
    try:
        done = subprocess.run(
            ["bash", "-c", command, sys.executable, FULL, short_film, disk / "out.mkv"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        left = list(disk.iterdir())
    finally:
        if mounted:
            subprocess.run(["umount", disk], check=True)
    assert done.returncode != 0
    assert "OutputError" in done.stderr
    assert ("disk is full" if mounted else "writing stopped") in done.stderr
    assert left == []
