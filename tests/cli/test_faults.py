"""Bad surroundings: a full disk, a poor terminal, closed streams, odd names, signals. One line each, no traceback."""

import io
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import cv2
import pytest
from PIL import Image

from tests.commands import vidcolor
from tests.conftest import ROOT, SAMPLE
from tests.films import read
from vidcolor.cli.faults import Stop, line_for
from vidcolor.cli.main import main
from vidcolor.cli.terminal import Terminal
from vidcolor.film.batch import Job
from vidcolor.frames.summary import Summary
from vidcolor.video.muxer import Muxer

ENTRY = "from vidcolor.cli.main import entry; entry()"


def script(before: str, *args: object, **extra) -> subprocess.CompletedProcess[str]:
    """The command after some lines of Python that spoil its surroundings."""
    command = [sys.executable, "-c", f"import sys, os; sys.argv = ['vidcolor', *sys.argv[1:]]; {before}; {ENTRY}"]
    env = os.environ | {"PYTHONPATH": str(ROOT)} | extra.pop("env", {})
    return subprocess.run([*command, *map(str, args)], capture_output=True, text=True, check=False, env=env, **extra)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("args", [("info", "--json"), ("info",), ("film",)])
def test_a_full_disk_behind_standard_output(args, tmp_path, short_film):
    if args == ("film",):
        args = (short_film, "-o", tmp_path / "out.mp4", "--json", "--size", 64)
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "vidcolor", *map(str, args)]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "vidcolor: standard output: cannot be written, No space left on device; check the disk\n"


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("Exception from core.cpp:117:\nstd::bad_alloc\n"),
     OSError(12, "Cannot allocate memory"),
     cv2.error("OpenCV(5.0) alloc.cpp:73: error: (-4:Insufficient memory) Failed to allocate 999 bytes")],
    ids=lambda e: type(e).__name__,
)  # fmt: skip
def test_too_little_memory_is_no_fault_of_ours(error):
    assert line_for("film.mp4", error) == (
        "film.mp4: there is not enough memory for it; close other programs, or give a smaller --size"
    )
    assert "internal fault" in line_for("film.mp4", RuntimeError("something else"))


def test_a_terminal_without_the_characters():
    for args in (("info",), ("info", "--json"), ("--help",)):
        done = vidcolor(*args, env=os.environ | {"PYTHONIOENCODING": "ascii"})
        assert (done.returncode, done.stderr) == (0, "")


def test_closed_standard_input(tmp_path):
    done = script("pass", "-", "-o", tmp_path / "o.mkv", preexec_fn=lambda: os.close(0))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "vidcolor: standard input: is closed; pipe a film in, or name a file"


def test_closed_standard_output(cast_bytes):
    command = f'exec "{sys.executable}" -m vidcolor - -o - --size 64 >&-'
    done = subprocess.run(["sh", "-c", command], input=cast_bytes, capture_output=True, check=False, cwd=ROOT)
    assert done.returncode == 1
    assert done.stderr.decode().splitlines()[-1] == "vidcolor: standard output: is closed; pipe it, or name a file"


@pytest.fixture(scope="module")
def cast_bytes(tmp_path_factory):
    from tests.films import make_mpegts

    return make_mpegts(tmp_path_factory.mktemp("piped") / "film.ts", size=(96, 64)).read_bytes()


@pytest.mark.parametrize(
    ("source", "target"), [("-", "o.mkv"), ("-", "o.png"), ("film.ts", "o.mkv"), ("a.png", "o.png")]
)
def test_a_removed_current_folder(tmp_path, source, target):
    gone = tmp_path / "gone"
    gone.mkdir()
    done = script(f"os.chdir({str(gone)!r}); os.rmdir({str(gone)!r})", source, "-o", target, stdin=subprocess.DEVNULL)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "internal fault" not in done.stderr
    assert any(w in done.stderr for w in ("current folder has been removed", "no such file"))


def test_a_newline_in_a_name_stays_in_one_line(tmp_path, short_film):
    source = tmp_path / "two\nlines.mp4"
    source.write_bytes(short_film.read_bytes())
    done = vidcolor(source, "-o", tmp_path / "out\n.mp4", "--size", 64)
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    assert len(lines) == 2  # the backend, and the film
    assert r"out\n.mp4: 12 frames" in lines[1]


class Gone(io.StringIO):
    """A terminal that was closed."""

    def write(self, text: str) -> int:
        raise OSError(5, "Input/output error")


def test_a_terminal_that_is_gone_is_no_fault():
    terminal = Terminal(quiet=False)
    terminal.console.file = Gone()
    terminal.note("nobody reads this")
    terminal.error("nor this")


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")
@pytest.mark.parametrize("ignored", [False, True])
def test_a_terminal_that_is_closed_ends_a_film(tmp_path, grey, ignored):
    """SIGHUP ends like Ctrl-C and leaves nothing half-written; under `nohup` the work goes on."""
    out = tmp_path / "out.mp4"
    more = ["--end", "1"] if ignored else ["--every", "1", "--size", "512"]
    process = subprocess.Popen(
        [sys.executable, "-m", "vidcolor", str(grey(SAMPLE)), "-o", str(out), *more], stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL),
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not list(tmp_path.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGHUP)
    _, stderr = process.communicate(timeout=60)
    assert "Traceback" not in stderr
    if ignored:
        assert process.returncode == 0
        assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]
    else:
        assert process.returncode == 130
        assert "stopped" in stderr
        assert list(tmp_path.iterdir()) == []


def test_a_film_through_a_pipe_replaces_its_target(tmp_path, cast_bytes):
    out = tmp_path / "there.mkv"
    out.write_bytes(b"old")
    command = [sys.executable, "-m", "vidcolor", "-", "-o", str(out), "--size", "64"]
    refused = subprocess.run(command, input=cast_bytes, capture_output=True, check=False)
    assert refused.returncode == 1
    assert b"add -y" in refused.stderr
    assert out.read_bytes() == b"old"
    done = subprocess.run([*command, "-y"], input=cast_bytes, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(read(out).frames) == 25


def test_a_film_from_a_process_substitution(tmp_path, cast_bytes):
    (tmp_path / "film.ts").write_bytes(cast_bytes)
    out = tmp_path / "out.mkv"
    command = f'"{sys.executable}" -m vidcolor <(cat {tmp_path / "film.ts"}) -o {out} --size 64'
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    assert len(read(out).frames) == 25


def test_a_still_through_a_pipe(tmp_path):
    Image.linear_gradient("L").save(tmp_path / "scan.png")
    command = [sys.executable, "-m", "vidcolor", "-", "-o", str(tmp_path / "out.png"), "--size", "64"]
    with open(tmp_path / "scan.png", "rb") as scan:
        done = subprocess.run(command, stdin=scan, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert Image.open(tmp_path / "out.png").mode == "RGB"


def test_a_ctrl_c_that_a_library_swallows_ends_the_film_all_the_same(tmp_path, short_film, monkeypatch, capsys):
    """As PyAV does while it closes a container."""
    abandon = Muxer.abandon

    def swallowing(muxer: Muxer) -> None:
        with suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
        abandon(muxer)

    monkeypatch.setattr(Muxer, "abandon", swallowing)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the suite runs in the background
    try:
        assert main([str(short_film), "-o", str(tmp_path / "out.mp4"), "--size", "64"]) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    assert "stopped" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_signal_that_comes_twice_at_once_is_one():
    stop = Stop()
    with pytest.raises(KeyboardInterrupt):
        stop(2, None)
    assert stop.asked.is_set()
    stop(2, None)
    stop.last -= 1.0
    with pytest.raises(KeyboardInterrupt):
        stop(2, None)


def test_notes_are_shown_as_they_come_and_once(capsys):
    """That a film goes on from somewhere is worth knowing at its beginning."""
    terminal, summary = Terminal(quiet=False), Summary("a.mp4", "b.mp4", frames=40, resumed=40, notes=["going on"])
    terminal.begin(Job("a.mp4", Path("b.mp4")), 1, 1)
    terminal.progress(summary, 100)
    assert capsys.readouterr().err == "a.mp4: going on\n"
    summary.notes.append("more")
    summary.frames, summary.seconds = 100, 2.0
    terminal.progress(summary, 100)
    terminal.done(summary)
    assert capsys.readouterr().err.splitlines() == ["a.mp4: more", "b.mp4: 100 frames in 2.0 s, 30.0 fps, slowest: "]
    terminal.begin(Job("c.mp4", Path("d.mp4")), 1, 1)
    terminal.done(Summary("c.mp4", "d.mp4", notes=["going on"]))
    assert "c.mp4: going on" in capsys.readouterr().err
