"""What may be written, and what is an address."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from vidcolor.errors import InputError, OutputError, one_line
from vidcolor.video.target import check_target, for_ffmpeg, is_address


def test_a_name_that_lies_there_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert is_address("http://host/film.mp4")
    assert not is_address("12:30.mkv")
    (tmp_path / "http:" / "host").mkdir(parents=True)
    (tmp_path / "http:" / "host" / "film.mp4").touch()
    assert not is_address("http://host/film.mp4")
    assert for_ffmpeg("concat:other.mp4") == "file:concat:other.mp4"
    assert for_ffmpeg("rtsp://camera/1") == "rtsp://camera/1"


def test_what_is_refused_before_any_work(tmp_path):
    source = tmp_path / "source.mp4"
    source.touch()
    (tmp_path / "link.mp4").symlink_to("source.mp4")
    (tmp_path / "lost.mp4").symlink_to("gone/file.mp4")
    (tmp_path / "loop.mp4").symlink_to("loop.mp4")
    for name, says in {
        "source.mp4": "source itself", "link.mp4": "source itself", ".": "is a folder", "lost.mp4": "does not exist",
        "a" * 300: "too long", "source.mp4/x.mp4": "does not exist", "loop.mp4": "leads back",
    }.items():  # fmt: skip
        with pytest.raises(OutputError, match=says):
            check_target(tmp_path / name, overwrite=True, source=str(source))
    with pytest.raises(OutputError, match="exists already"):
        check_target(source, overwrite=False)
    check_target(tmp_path / "new.mp4", overwrite=False, source=str(source))


def test_pipes_and_devices_need_no_y(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    check_target(tmp_path / "pipe.png", overwrite=False)
    check_target(Path("/dev/null"), overwrite=False, source="/dev/null")


def test_a_removed_folder_is_told(tmp_path):
    script = (
        "import os, pathlib\nfrom vidcolor.video.target import check_target\nfrom vidcolor.errors import OutputError\n"
        f"os.chdir({str(tmp_path)!r}); os.rmdir({str(tmp_path)!r})\n"
        "try: check_target(pathlib.Path('out.mp4'), overwrite=False)\n"
        "except OutputError as error: print(error)\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True,
                          env=os.environ | {"PYTHONPATH": str(root)})  # fmt: skip
    assert done.stdout == "out.mp4: the current folder has been removed; change to another one\n"


def test_a_message_is_one_line():
    assert one_line("a\nb\r\x1b[2J\u2028\udcff ü") == r"a\nb\r\x1b[2J\u2028\udcff ü"
    for kind in (InputError, OutputError):
        assert re.fullmatch("[ -~]+", str(kind("new\nline.png: is empty")))
