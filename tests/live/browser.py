"""A real browser and a real server for the tests of the page."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import pytest

from tests.conftest import CLIPS, ROOT, SAMPLE

CAMERA_WIDTH = 640
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update",
         "--disable-features=WebRtcHideLocalIpsWithMdns",  # names of this kind resolve on few machines
         "--autoplay-policy=no-user-gesture-required"]  # fmt: skip


def clip(name: str) -> Path:
    """A shared clip, or the committed sample where the shared ones are absent."""
    return next((c for c in CLIPS if c.stem == name), SAMPLE)


def need_browser() -> tuple[str, str]:
    """Chromium and its driver; without them the tests are skipped, or fail under VIDCOLOR_ALL_TESTS."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        if os.environ.get("VIDCOLOR_ALL_TESTS"):
            pytest.fail("chromium or chromedriver is not installed, and VIDCOLOR_ALL_TESTS asks for every test")
        pytest.skip("chromium or chromedriver is not installed")
    return chromium, driver


def make_camera(source: Path, target: Path, *, frames: int) -> Path:
    """The first frames of a clip as Motion JPEG of a webcam's size, which Chromium plays as its camera in a loop."""
    with av.open(str(source)) as film, av.open(str(target), "w", format="mjpeg") as out:
        stream = out.add_stream("mjpeg", rate=Fraction(25), options={"qmin": "2", "qmax": "4"})
        video = film.streams.video[0]
        size = CAMERA_WIDTH, round(CAMERA_WIDTH * video.height / video.width / 2) * 2
        stream.width, stream.height, stream.pix_fmt = *size, "yuvj420p"
        for number, frame in enumerate(film.decode(video=0)):
            if number == frames:
                break
            picture = frame.reformat(*size, "yuvj420p", dst_color_range="JPEG")
            picture.pts, picture.time_base = number, Fraction(1, 25)
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return target


def make_still(source: Path, target: Path, *, at: int) -> Path:
    """Frame number `at` of a clip as a grey still."""
    with av.open(str(source)) as film:
        for number, frame in enumerate(film.decode(video=0)):
            if number == at:
                frame.to_image().convert("L").save(target)
                return target
    raise ValueError(f"{source} has no frame {at}")


def make_film(source: Path, target: Path, *, frames: int) -> Path:
    """A clip as a grey film that browsers play, with its frames again and again until there are `frames`."""
    with av.open(str(source)) as inp:
        pictures = [frame.reformat(format="gray").reformat(format="yuv420p") for frame in inp.decode(video=0)]
        rate = inp.streams.video[0].average_rate
    with av.open(str(target), "w", options={"movflags": "faststart"}) as out:
        stream = out.add_stream("libx264", rate=rate, options={"crf": "18", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = pictures[0].width, pictures[0].height, "yuv420p"
        for number in range(frames):
            picture = pictures[number % len(pictures)]
            picture.pts, picture.time_base = number, 1 / rate
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return target


@contextmanager
def serving(*arguments: str) -> Iterator[str]:
    """A server as users start it, on a free port; gives its address. In the end it must go quietly, without a fault."""
    command = [sys.executable, "-m", "vidcolor", "serve", "--port", "0", "--size", "96", *arguments]
    with tempfile.TemporaryFile("w+") as log:
        server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert server.stdout is not None
            address = server.stdout.readline().strip()
            log.seek(0)
            assert address.startswith("http://"), f"the server did not start: {log.read()}"
            yield address
        finally:
            server.terminate()
            code = server.wait(30)
            log.seek(0)
            said = log.read()
    assert code == 0, said
    assert "Traceback" not in said, said


@contextmanager
def browsing(camera: Path | None, folder: Path, *, size: tuple[int, int] = (1280, 900), dark: bool = True,
             allowed: bool = True) -> Iterator:  # fmt: skip
    """Headless Chromium under Selenium, with a film as its camera or without any; downloads go to `folder`.

    allowed: whether pages may use the camera.
    """
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    chromium, driver = need_browser()
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--window-size={size[0]},{size[1]}", f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(flag)
    if camera is not None:
        options.add_argument("--use-fake-device-for-media-stream")
        options.add_argument(f"--use-file-for-fake-video-capture={camera.name}")  # the camera's name in the page
    if allowed:
        options.add_argument("--use-fake-ui-for-media-stream")  # no question asked
    options.add_experimental_option("prefs", {"download.default_directory": str(folder)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    folder.mkdir(parents=True, exist_ok=True)
    browser = webdriver.Chrome(
        options=options, service=Service(driver, popen_kw={"cwd": camera.parent if camera else folder})
    )
    try:
        screen(browser, size, dark=dark)
        if not allowed:
            answer = {"permission": {"name": "camera"}, "setting": "denied"}
            browser.execute_cdp_cmd("Browser.setPermission", answer)
        yield browser
    finally:
        browser.quit()


def screen(browser, size: tuple[int, int], *, dark: bool, touch: bool = False, still: bool = False) -> None:
    """Set the width and height of the page in CSS pixels, and whether the visitor likes it dark, and without motion."""
    metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": touch}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
                {"name": "prefers-reduced-motion", "value": "reduce" if still else "no-preference"}]  # fmt: skip
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


# Hasler and Suesstrunk's colourfulness and a digest of the picture that an element shows, by way of a canvas.
SAMPLE_PICTURE = """
const element = document.querySelector(arguments[0]);
const canvas = document.createElement("canvas");
[canvas.width, canvas.height] = [160, 120];
const context = canvas.getContext("2d");
context.drawImage(element, 0, 0, 160, 120);
const data = context.getImageData(0, 0, 160, 120).data;
const n = data.length / 4;
let [a, b, aa, bb, luma] = [0, 0, 0, 0, 0];
let digest = 0;
for (let i = 0; i < data.length; i += 4) {
  const rg = data[i] - data[i + 1];
  const yb = (data[i] + data[i + 1]) / 2 - data[i + 2];
  a += rg; b += yb; aa += rg * rg; bb += yb * yb; luma += data[i + 1];
  digest = (digest * 31 + data[i + 1]) | 0;
}
const spread = Math.sqrt(Math.max(0, aa / n - (a / n) ** 2) + Math.max(0, bb / n - (b / n) ** 2));
return { colourfulness: spread + 0.3 * Math.hypot(a / n, b / n), luma: luma / n, digest };
"""


def sample(browser, selector: str) -> dict:
    """Colourfulness (0 is grey), mean and digest of what the video or picture shows now."""
    return browser.execute_script(SAMPLE_PICTURE, selector)


def tab(browser, name: str) -> None:
    """Open a tab of the page: live, film or photo."""
    browser.find_element("id", f"tab-{name}").click()
