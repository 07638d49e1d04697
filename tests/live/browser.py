"""A real headless Chromium with a camera that plays a clip, and the real server, for the tests of the page."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import pytest

PATIENCE = 60  # seconds that anything may take on a busy machine
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream", "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--autoplay-policy=no-user-gesture-required",
)  # fmt: skip


class Served:
    """`vidcolor serve` in a process of its own, on a port that is free."""

    def __init__(self, *arguments: str, scheme: str = "http") -> None:
        command = [sys.executable, "-m", "vidcolor", "serve", "--port", "0", "--size", "96", "-q", *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().strip()
        assert self.address.startswith(f"{scheme}://"), self.process.stderr.read()

    def close(self) -> str:
        """End it as Ctrl-C does; what it has said."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        _, said = self.process.communicate(timeout=PATIENCE)
        return said


def make_camera(clip: Path, target: Path, size: tuple[int, int] = (640, 480), frames: int = 60) -> Path:
    """What Chromium takes for a camera: the clip as MJPEG, played in a loop."""
    with av.open(str(clip)) as film, av.open(str(target), "w", format="mjpeg") as out:
        stream = out.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, "yuvj420p"
        stream.codec_context.qmin, stream.codec_context.qmax = 2, 4
        for number, frame in zip(range(frames), film.decode(video=0), strict=False):
            picture = frame.reformat(*size, "yuvj420p")
            picture.pts, picture.time_base, picture.pict_type = number, Fraction(1, 25), 0
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return target


def open_browser(folder: Path, camera: Path | None, *flags: str):
    """Chromium driven by selenium; a test without one is skipped, or fails where all tests are asked for."""
    programs = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if None in programs and not os.environ.get("VIDCOLOR_ALL_TESTS"):
        pytest.skip("needs chromium and chromedriver")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(programs[0])
    for flag in (*FLAGS, *flags, f"--user-data-dir={folder / 'profile'}", "--window-size=1280,900"):
        options.add_argument(flag)
    if camera is not None:
        options.add_argument(f"--use-file-for-fake-video-capture={camera}")
    options.add_experimental_option("prefs", {"download.default_directory": str(folder)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=Service(str(programs[1])))


def wait_for(found, what: str = "it"):
    """What `found` gives, once it is true."""
    deadline = time.monotonic() + PATIENCE
    while not (result := found()):
        assert time.monotonic() < deadline, f"{what} never came"
        time.sleep(0.1)
    return result
