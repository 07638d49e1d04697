"""Decoders of uploads: shut in, and where one crashes, hangs or is taken over, its job ends and nothing else."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import struct
import subprocess
import sys
import zlib
from functools import partial

import av
import numpy as np
import psutil
import pytest
from PIL import Image

from tests.crashing import crashing
from tests.live.server import is_over, run, running, until_job, upload, visiting
from vidcolor.live.serve import app, jobs, process
from vidcolor.live.serve.box import abi, machine, means
from vidcolor.live.serve.limits import Limits

pytestmark = [pytest.mark.usefixtures("own_temp"), pytest.mark.timeout(120)]
ATTEMPTS = """
import json, os, signal, socket, subprocess, sys, threading
from pathlib import Path
from vidcolor.live.serve.box import Bounds, shut

folder = Path(sys.argv[1])
own, work, other = folder / "own", folder / "work", folder / "other"
for each in (work, other):
    each.mkdir()
own.write_text("own")
(other / "secret").write_text("secret")
shut(Bounds(500_000_000, 2, 100_000), [own], [work])

def endless():
    while True:
        pass

attempts = {
    "read its own": own.read_text,
    "write": lambda: (work / "a").write_text("a"),
    "rename": lambda: os.replace(work / "a", work / "b"),
    "start a thread": lambda: [t.start() or t.join() for t in [threading.Thread(target=print, args=("",))]],
    "import": lambda: __import__("cv2"),
    "take memory": lambda: bytearray(600_000_000),
    "write too much": lambda: (work / "big").write_bytes(bytes(200_000)),
    "open too much": lambda: [open(own) for _ in range(300)],
    "read another's": (other / "secret").read_text,
    "read by a link": lambda: [os.symlink(other / "secret", work / "c"), (work / "c").read_text()],
    "write elsewhere": lambda: (other / "b").write_text("b"),
    "look about": lambda: os.listdir(other),
    "see the server's environment": Path(f"/proc/{os.getppid()}/environ").read_bytes,
    "call": lambda: socket.socket(),
    "run a program": lambda: subprocess.run(["true"]),
    "fork": lambda: os.fork() or os._exit(0),
    "end the server": lambda: os.kill(os.getppid(), 0),
}
done = {}
for name, attempt in attempts.items():
    try:
        attempt()
        done[name] = True
    except (OSError, MemoryError):
        done[name] = False
sys.stdout.write("\\n" + json.dumps(done) + "\\n")
sys.stdout.flush()
endless()
"""
NEEDED = {"read its own", "write", "rename", "start a thread", "import"}
LIMITED = {"take memory", "write too much", "open too much"}
BY_LANDLOCK = {"read another's", "read by a link", "write elsewhere", "look about", "see the server's environment"}
BY_SECCOMP = {"call", "run a program", "fork", "end the server"}


@pytest.mark.skipif(os.name != "posix", reason="no limits on processes here")
def test_a_process_that_is_shut_in_has_what_it_needs_and_no_more(tmp_path):
    command = [sys.executable, "-P", "-c", ATTEMPTS, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGXCPU, done.stderr  # it had two seconds
    told = json.loads(done.stdout.splitlines()[-1])
    refused = set(LIMITED)
    refused |= BY_LANDLOCK if "Landlock" in means() else set()
    refused |= BY_SECCOMP if "seccomp" in means() else set()
    assert {name for name, went in told.items() if went} & NEEDED == NEEDED
    assert {name for name, went in told.items() if not went} >= refused


@pytest.mark.skipif(not machine(), reason="its system calls are not known here")
def test_this_linux_has_means():
    """So that the test before is not empty where it can be full."""
    assert "seccomp" in means()
    assert ("Landlock" in means()) == (abi() > 0)


def test_a_decoder_that_crashes_ends_its_job_alone(colorizer, long_film, short_film, photo, monkeypatch, tmp_path):
    where = "stream.width == 320 and (packet.pts or 0) > 4000"  # ms: in the middle of the long film
    monkeypatch.setenv("PYTHONPATH", crashing(tmp_path / "hook", "SIGSEGV", where))

    async def work():
        async with running(colorizer) as site, visiting(site) as visitor:
            bad = (await upload(visitor, long_film, kind="film", name="bad.mkv"))[1]
            good = (await upload(visitor, short_film.read_bytes(), kind="film", name="good.mp4"))[1]
            still = (await upload(visitor, photo))[1]
            bad = await until_job(visitor, bad, is_over)
            assert bad["state"] == "failed"
            assert bad["error"].startswith("bad.mkv: a decoder crashed on it (SIGSEGV); ")
            assert bad["frames"] > 0
            assert (await until_job(visitor, good, is_over))["state"] == "done"
            assert (await until_job(visitor, still, is_over))["state"] == "done"
            (folder,) = [f for f in site.folder.iterdir() if not (f / "work").exists()]
            assert sorted(p.name for p in folder.iterdir()) == ["job.json", "source.mkv"]

    run(work)


def test_so_does_the_decoder_of_a_still(colorizer, photo, short_film, monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", crashing(tmp_path / "hook", "SIGABRT", "vidcolor.stills.image:read_still"))

    async def work():
        async with running(colorizer) as site, visiting(site) as visitor:
            still = (await upload(visitor, photo, name="bad.png"))[1]
            film = (await upload(visitor, short_film.read_bytes(), kind="film"))[1]
            still = await until_job(visitor, still, is_over)
            assert still["error"].startswith("bad.png: a decoder crashed on it (SIGABRT); ")
            assert (await until_job(visitor, film, is_over))["state"] == "done"

    run(work)


def test_a_process_that_is_killed_ends_its_job_alone(colorizer, long_film, photo):
    async def work():
        async with running(colorizer) as site, visiting(site) as visitor:
            film = (await upload(visitor, long_film, kind="film", name="long.mkv"))[1]
            still = (await upload(visitor, photo))[1]
            await until_job(visitor, film, lambda job: job["frames"] > 0)
            site.server.jobs.jobs[film["id"]].process.child.kill()
            film = await until_job(visitor, film, is_over)
            assert (film["state"], "short of memory" in film["error"]) == ("failed", True)
            assert (await until_job(visitor, still, is_over))["state"] == "done"

    run(work)


def test_a_picture_that_needs_too_much_memory_is_one_line(colorizer, photo):
    out = io.BytesIO()
    Image.fromarray(np.zeros((8000, 8000), np.uint8)).save(out, "PNG")  # a few KB

    async def work():
        async with running(colorizer, Limits(max_memory=400_000_000)) as site, visiting(site) as visitor:
            status, job = await upload(visitor, out.getvalue(), name="large.png")
            assert status == 201
            job = await until_job(visitor, job, is_over)
            assert (job["state"], job["error"]) == (
                "failed", "large.png: needs more memory than it may have; give a smaller one"
            )  # fmt: skip
            assert (await until_job(visitor, (await upload(visitor, photo))[1], is_over))["state"] == "done"

    run(work)


def test_sizes_that_a_header_only_claims_are_refused_before_anything_is_decoded(colorizer, tmp_path):
    with av.open(str(tmp_path / "small.avi"), "w") as out:
        stream = out.add_stream("rawvideo", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        out.mux([*stream.encode(av.VideoFrame(32, 32, "yuv420p")), *stream.encode(None)])
    film = (tmp_path / "small.avi").read_bytes()
    at = film.index(b"strf") + 12  # width and height in BITMAPINFOHEADER
    assert struct.unpack("<ii", film[at : at + 8]) == (32, 32)
    film = film[:at] + struct.pack("<ii", 16_000, 16_000) + film[at + 8 :]
    head = b"IHDR" + struct.pack(">IIBBBBB", 16_000, 16_000, 8, 0, 0, 0, 0)
    still = b"\x89PNG\r\n\x1a\n\0\0\0\x0d" + head + struct.pack(">I", zlib.crc32(head))
    still += b"\0\0\0\0IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))

    async def work():
        async with running(colorizer) as site, visiting(site) as visitor:
            for kind, data in (("film", film), ("still", still)):
                status, told = await upload(visitor, data, kind=kind, name="huge")
                assert (status, told["error"][:26]) == (413, "huge: 16000x16000 is large"), told
            assert list(site.folder.iterdir()) == []

    run(work)


@pytest.mark.parametrize("how", ["says nothing", "takes the processor's time"])
def test_what_takes_for_ever_ends(colorizer, photo, short_film, monkeypatch, tmp_path, how):
    monkeypatch.setenv("PYTHONPATH", crashing(tmp_path / "hook", "hang", "packet.pts"))
    monkeypatch.setattr(app, "SWEEP_SECONDS", 0.1)
    limits = Limits(silent_seconds=1.5 if how == "says nothing" else 60.0)
    if how != "says nothing":
        monkeypatch.setattr(jobs, "STILL_CPU", 2)
        monkeypatch.setattr(jobs, "FILM_CPU", 0)

    async def work():
        async with running(colorizer, limits) as site, visiting(site) as visitor:
            film = (await upload(visitor, short_film.read_bytes(), kind="film", name="endless.mp4"))[1]
            still = (await upload(visitor, photo))[1]
            film = await until_job(visitor, film, is_over)
            assert film["state"] == "failed"
            assert film["error"].startswith("endless.mp4: takes ")
            assert (await until_job(visitor, still, is_over))["state"] == "done"

    run(work)


TAKEN_OVER = {
    "noise": "out.write(bytes(range(256)) * 50)",
    "no JSON": "send(b'nonsense')",
    "no object": "send(b'[1]')",
    "a thousand brackets": "send(b'[' * 60000)",
    "an odd word": 'send(b\'{"tell": "quit"}\')',
    "too long": "out.write(b'\\xff' * 8)",
    "no shapes": 'send(b\'{"tell": "predict", "shapes": [[-1, 4]]}\')',
    "other shapes": 'send(b\'{"tell": "predict", "shapes": [[9, 9]]}\', bytes(40))',
    "a size the network has not": 'send(b\'{"tell": "predict", "shapes": [[1, 1, 7, 7]]}\', bytes(196))',
    "endless words": 'send(b\'{"tell": "failed", "error": "\' + b\'x\' * 60000 + b\'"}\')',
    "a lie": 'send(b\'{"tell": "done"}\')',
    "a link to another file": "os.symlink('/etc/passwd', json.loads(given)['target']); send(b'{\"tell\": \"done\"}')",
}
IMPOSTOR = """
import json, os, struct, sys
out = sys.stdout.buffer
def send(text, data=b""):
    out.write(struct.pack("<II", len(text), len(data)) + text + data)
    out.flush()
length, _ = struct.unpack("<II", sys.stdin.buffer.read(8))
given = sys.stdin.buffer.read(length)
"""


def test_a_process_that_was_taken_over_harms_nothing(colorizer, photo, monkeypatch):
    async def work():
        async with running(colorizer) as site, visiting(site) as visitor:
            jobs = site.server.jobs
            told = await until_job(visitor, (await upload(visitor, photo))[1], is_over)
            job = jobs.jobs[told["id"]]
            for what, deed in TAKEN_OVER.items():
                job.result.unlink(missing_ok=True)
                with monkeypatch.context() as patch:
                    patch.setattr(process, "COMMAND", (sys.executable, "-P", "-c", IMPOSTOR + deed))
                    impostor = process.Process(1000)
                told = await asyncio.to_thread(impostor.run, jobs.order(job), partial(jobs.answer, job))
                state, error = jobs.outcome(job, told)
                assert (state, "\n" in error, len(error) <= 500) == ("failed", False, True), (what, error)
            assert (await until_job(visitor, (await upload(visitor, photo))[1], is_over))["state"] == "done"

    run(work)


def test_a_process_ends_with_a_server_that_is_killed():
    script = "from vidcolor.live.serve.process import Process; p = Process(9); print(p.child.pid, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        child = psutil.Process(int(server.stdout.readline()))
        server.kill()
    psutil.wait_procs([child], timeout=30)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
