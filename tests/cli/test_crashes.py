"""Decoders that crash under the command line: packets are left out and named, and all else is done."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import psutil
import pytest
from PIL import Image

from tests.commands import vidcolor
from tests.crashing import crashing
from tests.films import read
from vidcolor.cli.crashes import MOST, Tally, can_outlive, go_on
from vidcolor.cli.terminal import Terminal
from vidcolor.film.batch import Job
from vidcolor.film.delivery import losses
from vidcolor.film.plan import Mark, Segment
from vidcolor.video.careful import Care, Place

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a crash ends the command elsewhere")
SMALL = ("--size", "32", "--preset", "ultrafast")


def make(path: Path, frames: int, *, codec: str = "ffv1", group: int = 1, cut: int = 0) -> Path:
    """A grey film of 24 frames a second with time stamps in ms: noise that drifts, and is another one from `cut` on."""
    rng = np.random.default_rng(0)
    scenes = [np.kron(rng.uniform(20, 230, (6, 8)), np.ones((16, 16))).astype(np.uint8) for _ in range(2)]
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=24, options={} if codec == "ffv1" else {"preset": "ultrafast", "qp": "0"})
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 128, 96, "yuv420p", group
        for number in range(frames):
            frame = av.VideoFrame(128, 96, "yuv420p")
            for i, plane in enumerate(frame.planes):
                rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, -1)
                rows[:] = 128
                if not i:
                    rows[:, :128] = np.roll(scenes[bool(cut) and number >= cut], number, 1)
            frame.pts, frame.time_base = number, Fraction(1, 24)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def ms(number: int) -> int:
    """The time stamp of a frame in Matroska."""
    return round(number * 1000 / 24)


def crashed(tmp_path: Path, how: str, *where: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": crashing(tmp_path / "hook", how, *where)}


def test_the_packet_that_a_decoder_crashes_on_is_left_out_and_named(tmp_path):
    source, target = make(tmp_path / "film.mkv", 40), tmp_path / "out.mkv"
    environment = crashed(tmp_path, "SIGSEGV", f"packet.pts == {ms(25)}")
    done = vidcolor(source, "-o", target, "--codec", "ffv1", "--size", 32, "--json", env=environment)
    assert done.returncode == 0, done.stderr
    (told,) = json.loads(done.stdout)["files"]
    assert told["warnings"] == ["frames 0 to 38: the decoder crashed; 1 packet left out"]
    before, after = read(source), read(target)
    kept = [number for number in range(40) if number != 25]
    assert after.times == [before.times[number] for number in kept]
    assert all(np.array_equal(before.luma[number], luma) for number, luma in zip(kept, after.luma, strict=True))


def test_where_it_crashes_again_it_begins_anew_at_a_key_frame(tmp_path):
    source, target = make(tmp_path / "film.mkv", 60, codec="libx264", group=10), tmp_path / "out.mkv"
    environment = crashed(tmp_path, "SIGABRT", f"{ms(23)} <= (packet.pts or 0) < {ms(30)}")
    done = vidcolor(source, "-o", target, *SMALL, env=environment)
    assert done.returncode == 0, done.stderr
    assert "frames 0 to 52: the decoder crashed; 7 packets left out" in done.stderr
    assert done.stderr.count("crashed (SIGABRT)") == 3  # without care, then on two packets
    assert read(target).times == [time for n, time in enumerate(read(source).times) if not 23 <= n < 30]


def test_after_a_crash_the_film_goes_on_with_the_same_bytes(tmp_path):
    source, target = make(tmp_path / "film.mkv", 340, cut=250), tmp_path / "out.mkv"
    assert vidcolor(source, "-o", tmp_path / "whole.mkv", *SMALL).returncode == 0
    once = tmp_path / "once"
    where = f"packet.pts == {ms(330)} and not os.path.exists({str(once)!r}) and not open({str(once)!r}, 'w').close()"
    done = vidcolor(source, "-o", target, *SMALL, env=crashed(tmp_path, "SIGSEGV", where))
    assert done.returncode == 0, done.stderr
    assert once.exists()
    assert f"{source}: crashed (SIGSEGV); going on from what is done, with care" in done.stderr
    assert "250 frames were done already" in done.stderr
    assert "left out" not in done.stderr
    assert target.read_bytes() == (tmp_path / "whole.mkv").read_bytes()


def test_a_file_that_always_crashes_fails_and_the_others_are_done(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    make(folder / "a.mkv", 12)
    for name in ("b.png", "c.png"):
        Image.fromarray(np.full((64, 64), 99, np.uint8)).save(folder / name)
    where = "vidcolor.film.run:assemble", "vidcolor.stills.tiff_file:TiffWriter"
    Image.fromarray(np.full((64, 64), 99, np.uint8)).save(folder / "d.tif")
    done = vidcolor(folder, "-o", out, *SMALL, "--json", env=crashed(tmp_path, "SIGSEGV", *where))
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert [Path(file["target"]).name for file in told["files"]] == ["b.png", "c.png"]
    assert [file["error"] for file in told["failed"]] == [
        f"{folder}/a.mkv: vidcolor crashed on it twice (SIGSEGV), not in its decoder; report it",
        f"{folder}/d.tif: a decoder crashed on it (SIGSEGV); convert it first",
    ]
    assert [line for line in done.stderr.splitlines() if "vidcolor:" in line] == [
        f"vidcolor: {file['error']}" for file in told["failed"]
    ]


def test_a_backend_that_crashes_at_its_start_is_one_line(tmp_path):
    source = make(tmp_path / "film.mkv", 2)
    done = vidcolor(source, "-q", env=crashed(tmp_path, "SIGSEGV", "vidcolor.api:make_backend"))
    assert (done.returncode, done.stderr) == (
        1, "vidcolor: the backend crashed (SIGSEGV) at its start; choose another one by --backend\n"
    )  # fmt: skip


def test_a_decoder_may_not_crash_for_ever(tmp_path, capsys):
    tally = Tally([Job(str(make(tmp_path / "film.mkv", 1)), tmp_path / "out.mkv")])
    terminal = Terminal(quiet=True)
    crashes = 0
    while not tally.failed:
        go_on(tally, "SIGSEGV", terminal)
        crashes += 1
        if tally.care is not None:
            tally.care.note(Place(crashes, 0, 0, 1))
    assert crashes == MOST + 2
    assert "crashed 11 times (SIGSEGV); convert it first" in capsys.readouterr().err


def test_what_is_left_out():
    class Packet:
        def __init__(self, pts: int) -> None:
            self.pos, self.pts, self.dts, self.size, self.is_keyframe = 10 * pts, pts, None, 1, pts % 10 == 0

    care = Care()

    def left() -> list[int]:
        return [pts for pts in range(40) if care.leaves_out(Packet(pts))]

    assert left() == []
    assert not care.learn()
    for crashed_on, gone in ((13, [13]), (17, [13, 17, 18, 19]), (30, [13, 17, 18, 19, *range(30, 40)])):
        care.note(Place.of(Packet(crashed_on)))
        assert care.learn()
        assert left() == gone
    care.note(Place.of(Packet(5)))
    care.clear()
    assert not care.learn()


def test_a_plan_remembers_what_was_left_out():
    segment = Segment(3, 10, 19, "cut", Mark(10, 400, "0" * 8), left_out=(500, 540))
    kept = Segment.from_dict(json.loads(json.dumps(segment.to_dict())))
    assert kept == segment
    assert losses([kept, replace(kept, left_out=())]) == ["frames 10 to 19: the decoder crashed; 2 packets left out"]


def test_a_process_with_threads_or_codecs_is_not_forked():
    assert not can_outlive()  # this one


@contextmanager
def working(tmp_path: Path, *more: str):
    """A command at work on a film of a minute, and the process that does it; both in a group of their own."""
    source = make(tmp_path / "film.mkv", 1500)
    command = [sys.executable, "-m", "vidcolor", str(source), "-o", str(tmp_path / "out.mkv"), "--size", "32", *more]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, process_group=0,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a suite in the background inherits SIG_IGN
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("*.vidcolor/segments/*")):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        (worker,) = psutil.Process(process.pid).children()
        yield process, worker
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_for_one_or_for_both_ends_both(tmp_path, number):
    with working(tmp_path) as (process, worker):
        if number == signal.SIGINT:  # as by Ctrl-C
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 130
        assert said.count("stopped") == 1
        assert "Traceback" not in said
        assert not worker.is_running()


def test_killed_it_takes_the_other_process_along_and_the_same_command_goes_on(tmp_path):
    with working(tmp_path) as (process, worker):
        process.kill()
        process.wait()
        psutil.wait_procs([worker], timeout=30)
        assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
    done = vidcolor(tmp_path / "film.mkv", "-o", tmp_path / "out.mkv", "--size", 32, "--end", 1, "--restart")
    assert done.returncode == 0, done.stderr


def test_the_system_may_end_the_process_that_works(tmp_path):
    with working(tmp_path, "-q") as (process, worker):
        worker.kill()
        _, said = process.communicate(timeout=60)
        assert process.returncode == 1
        assert "short of memory" in said
        assert len(said.splitlines()) == 1


def test_ctrl_z_stops_both_and_fg_goes_on(tmp_path):
    with working(tmp_path) as (process, worker):
        process.send_signal(signal.SIGTSTP)
        deadline = time.monotonic() + 30
        both = (psutil.Process(process.pid), worker)
        while any(each.status() != psutil.STATUS_STOPPED for each in both):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGCONT)
        while any(each.status() == psutil.STATUS_STOPPED for each in both):
            assert time.monotonic() < deadline
            time.sleep(0.02)
