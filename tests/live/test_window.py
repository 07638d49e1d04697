"""The window on a virtual X screen, with real key presses and pictures of the screen."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tests.conftest import SAMPLE
from tests.films import chroma_spread, read

PATIENCE = 60  # seconds that anything may take on a busy machine


class Screen:
    """A virtual X screen."""

    def __init__(self) -> None:
        reading, writing = os.pipe()
        command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1280x800x24", "-nolisten", "tcp"]
        self.server = subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            self.display = f":{pipe.readline().strip()}"
        self.env = {**os.environ, "DISPLAY": self.display}

    def grab(self) -> np.ndarray:
        """What is on the screen, RGB ``(800, 1280, 3)``, as integers."""
        with av.open(self.display, format="x11grab", options={"video_size": "1280x800", "draw_mouse": "0"}) as screen:
            return next(screen.decode(video=0)).to_ndarray(format="rgb24").astype(int)

    def press(self, *keys: str) -> None:
        subprocess.run(["xdotool", "key", *keys], env=self.env, check=True, timeout=PATIENCE)

    def drag(self, x: int, y: int) -> None:
        moves = f"mousemove {x - 60} {y} mousedown 1 mousemove {x - 20} {y} mousemove {x} {y} mouseup 1"
        subprocess.run(["xdotool", *moves.split()], env=self.env, check=True, timeout=PATIENCE)

    def until(self, seen, process: subprocess.Popen | None = None) -> np.ndarray:
        """Wait for a picture of the screen of which `seen` is true, while `process` runs."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            assert process is None or process.poll() is None, process.stderr.read()
            picture = self.grab()
            if seen(picture):
                return picture
            time.sleep(0.1)
        raise AssertionError(f"never seen on the screen: {seen.__doc__ or seen}")

    def close(self) -> None:
        self.server.terminate()
        self.server.wait()


@pytest.fixture(scope="module")
def screen():
    missing = [name for name in ("Xvfb", "xdotool") if shutil.which(name) is None]
    if missing and not os.environ.get("VIDCOLOR_ALL_TESTS"):
        pytest.skip(f"needs {' and '.join(missing)}")
    made = Screen()
    yield made
    made.close()


@pytest.fixture
def window(screen, tmp_path):
    """`vidcolor webcam` with the sample on the screen."""
    command = [
        sys.executable,
        "-m",
        "vidcolor",
        "webcam",
        str(SAMPLE),
        "--loop",
        "--size",
        "96",
        "--folder",
        str(tmp_path),
    ]
    process = subprocess.Popen(command, env=screen.env, stderr=subprocess.PIPE, text=True)
    screen.until(lambda p: area(p) is not None and colour(p) > 8, process)
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate()


def area(picture: np.ndarray) -> tuple[int, int, int, int] | None:
    """Left, right, top and bottom of what is lit on the screen."""
    lit = picture.max(2) > 8
    columns, rows = np.flatnonzero(lit.any(0)), np.flatnonzero(lit.any(1))
    return (columns[0], columns[-1], rows[0], rows[-1]) if columns.size and rows.size else None


def colour(picture: np.ndarray) -> float:
    """Mean difference of the channels where anything is lit, right half of the window."""
    left, right, top, bottom = area(picture)
    part = picture[top:bottom, (left + right) // 2 + 8 : right]
    return float(np.ptp(part, axis=2).mean())


def grey(picture: np.ndarray) -> bool:
    left, right, top, bottom = area(picture)
    part = picture[(top + bottom) // 2 : bottom, left : (left + right) // 2 - 8]
    return bool(np.ptp(part, axis=2).max() <= 2)


def wait_for(found):
    """What `found` gives, once it is true."""
    deadline = time.monotonic() + PATIENCE
    while not (result := found()):
        assert time.monotonic() < deadline, "never came"
        time.sleep(0.05)
    return result


def keep(picture: np.ndarray, name: str) -> None:
    """For people to look at, where they say where."""
    if folder := os.environ.get("VIDCOLOR_SHOTS"):
        Image.fromarray(picture.astype(np.uint8)).save(Path(folder) / f"window-{name}.png")


def test_keys_and_mouse_steer_the_window(screen, window, tmp_path):
    picture = screen.until(lambda p: grey(p) and colour(p) > 8)
    keep(picture, "split")
    left, right, top, bottom = area(picture)
    screen.drag(left + (right - left) // 5, (top + bottom) // 2)
    moved = screen.until(lambda p: not grey(p))
    keep(moved, "moved")

    screen.press("c")
    side = screen.until(lambda p: area(p)[1] - area(p)[0] > 1.7 * (right - left) and grey(p) and colour(p) > 8)
    keep(side, "side")
    screen.press("c")
    screen.until(lambda p: area(p)[1] - area(p)[0] < 1.3 * (right - left) and not grey(p))

    screen.press(*["minus"] * 12)
    screen.until(lambda p: colour(p) < 1)
    screen.press("0")
    screen.until(lambda p: colour(p) > 8)

    screen.press("s")
    wait_for(lambda: list(tmp_path.glob("*.png")))
    screen.press("r")
    wait_for(lambda: list(tmp_path.glob(".vidcolor-*.part")))
    time.sleep(0.5)
    screen.press("r")
    (recording,) = wait_for(lambda: list(tmp_path.glob("vidcolor-*.mp4")))
    film = read(recording)
    assert len(film.frames) >= 2
    assert all(chroma_spread(f) > 2 for f in film.frames)
    (snapshot,) = tmp_path.glob("*.png")
    assert np.ptp(np.asarray(Image.open(snapshot)).astype(int), axis=2).mean() > 8

    screen.press("space")
    time.sleep(3.5)  # messages have gone
    paused = screen.until(lambda p: (p == screen.grab()).all())
    keep(paused, "paused")
    screen.press("h")
    keep(screen.until(lambda p: (p != paused).any(2).mean() > 0.02), "help")
    screen.press("h")
    screen.until(lambda p: (p != paused).any(2).mean() < 0.002)
    screen.press("space")
    screen.until(lambda p: (p != screen.grab()).any())

    screen.press("q")
    assert window.wait(PATIENCE) == 0
    assert "fps" in window.stderr.read()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_keeps_the_recording(screen, tmp_path, number):
    target = tmp_path / "out.mkv"
    command = [sys.executable, "-m", "vidcolor", "webcam", str(SAMPLE), "--loop", "--size", "96", "-o", str(target)]
    with subprocess.Popen(
        command, env=screen.env, stderr=subprocess.PIPE, text=True, preexec_fn=take_sigint
    ) as process:
        screen.until(lambda p: area(p) is not None and colour(p) > 8, process)
        process.send_signal(number)
        assert process.wait(PATIENCE) == 0
    assert len(read(target).frames) >= 1
    assert list(tmp_path.iterdir()) == [target]


def take_sigint() -> None:
    """A shell may have us started with Ctrl-C ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_a_film_can_be_previewed(screen):
    command = [sys.executable, "-m", "vidcolor", str(SAMPLE), "--preview", "--size", "96", "--strength", "2"]
    with subprocess.Popen(command, env=screen.env, stderr=subprocess.PIPE, text=True) as process:
        screen.until(lambda p: area(p) is not None and colour(p) > 8, process)
        screen.press("q")
        assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([str(SAMPLE), "--preview"], "no screen for a window"),
        (["webcam", "no/such.mp4"], "no/such.mp4: no such file"),
        ([str(SAMPLE), "--preview", "-o", "x.mp4"], "preview plays one source and writes nothing"),
        (["webcam", str(SAMPLE), "--folder", "no/such"], "no/such: is no folder"),
        (["webcam", "/dev/video97"], "/dev/video97: "),
    ],
)
def test_what_cannot_be_shown_is_one_line(arguments, says):
    env = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    command = [sys.executable, "-m", "vidcolor", *arguments]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode in (1, 2)
    (line,) = [x for x in done.stderr.splitlines() if x.startswith("vidcolor: ")]
    assert says in line
    assert "Traceback" not in done.stderr


def test_without_pygame_the_command_says_how_to_get_it(screen, tmp_path):
    (tmp_path / "pygame.py").write_text("raise ImportError")
    env = {**screen.env, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "vidcolor", str(SAMPLE), "--preview"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 1
    assert "pip install 'vidcolor[live]'" in done.stderr
