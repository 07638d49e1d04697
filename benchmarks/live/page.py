"""The browser's path: headless Chromium, WebRTC to `vidcolor serve` and back, measured in the page itself."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av

from benchmarks.live.window import HEIGHT, RATE, WARM_UP, WIDTH, percentiles

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream", "--disable-features=WebRtcHideLocalIpsWithMdns", "--window-size=1280,900",
)  # fmt: skip
# The page's own code runs as it is; only its camera is wrapped: the fake camera's frames are drawn on a canvas with the
# page's clock burnt in, and the canvas is the camera. The stamps are read from the coloured video when it is shown.
SCRIPT = (Path(__file__).parent / "page.js").read_text()


def page(clip: Path, seconds: float) -> dict:
    """Latency in ms (drawn by the camera to shown by the page) and frames a second."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        command = [sys.executable, "-m", "vidcolor", "serve", "--port", "0", "-q"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        options = webdriver.ChromeOptions()
        options.binary_location = str(shutil.which("chromium"))
        camera = make_camera(clip, Path(folder) / "camera.mjpeg")
        for flag in (*FLAGS, f"--user-data-dir={folder}/profile", f"--use-file-for-fake-video-capture={camera}"):
            options.add_argument(flag)
        browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        try:
            assert server.stdout is not None
            browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": SCRIPT})
            browser.get(server.stdout.readline().strip())
            browser.find_element("id", "live-start").click()
            time.sleep(WARM_UP + 3.0)  # WebRTC finds its bitrate
            browser.execute_script("window.latency.begin()")
            time.sleep(seconds)
            found = browser.execute_script("return window.latency.end()")
        finally:
            browser.quit()
            server.send_signal(signal.SIGTERM)
            server.wait()
    return {
        "path": "browser", "size": f"{found['width']}x{found['height']}", "camera_fps": RATE,
        "frames": len(found["times"]), "unreadable": found["unreadable"], "fps": round(found["fps"], 2),
        "camera_drawn_fps": round(found["drawn"], 2), "colourfulness": round(found["colourfulness"], 1),
        "latency_ms": percentiles(found["times"]),
    }  # fmt: skip


def make_camera(clip: Path, target: Path) -> Path:
    """What Chromium takes for a camera: the clip as MJPEG."""
    with av.open(str(clip)) as film, av.open(str(target), "w", format="mjpeg") as out:
        stream = out.add_stream("mjpeg", rate=round(RATE))
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuvj420p"
        stream.codec_context.qmin, stream.codec_context.qmax = 2, 4
        for number, frame in zip(range(90), film.decode(video=0), strict=False):
            picture = frame.reformat(WIDTH, HEIGHT, "yuvj420p")
            picture.pts, picture.time_base, picture.pict_type = number, Fraction(1, round(RATE)), 0
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return target
