"""What is left behind is seen: temporary files in a folder of each test's own, faults only a log or console tells."""

from __future__ import annotations

import dataclasses
import gc
import io
import logging
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tests.conftest import SAMPLE
from tests.live.broadcast import make_cast
from tests.live.browser import browsing, clip, make_camera, serving
from vidcolor.live.streams.stream import colorize_stream


@pytest.fixture
def own_temp(tmp_path, monkeypatch, caplog):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    gc.collect()  # asyncio tells of lost exceptions when their tasks go
    records = [r for when in ("call", "teardown") for r in caplog.get_records(when)]
    said = [r.getMessage() for r in records if r.levelno >= logging.ERROR]
    assert [s for s in said if not s.startswith("Unclosed connection")] == []  # the test's own client, cut off


@pytest.fixture(scope="module")
def address():
    with serving() as url:
        yield url


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    with browsing(make_camera(clip("dog_park"), folder / "camera.mjpeg", frames=60), folder) as made:
        made.folder = folder
        yield made


@pytest.fixture
def page(chromium, address):
    """The page, opened anew; at the end the console must have no word of fault, but the answers that a test allows."""
    chromium.get("about:blank")
    chromium.get_log("browser")
    chromium.get(address)
    chromium.allowed = []
    yield chromium
    faults = [e["message"] for e in chromium.get_log("browser") if e["level"] in ("SEVERE", "WARNING")]
    assert not [f for f in faults if not any(a in f for a in chromium.allowed)]


@pytest.fixture(scope="session")
def picture() -> np.ndarray:
    """A grey frame of the sample."""
    with av.open(str(SAMPLE)) as film:
        return next(film.decode(video=0)).to_ndarray(format="gray")


@pytest.fixture(scope="session")
def photo(picture) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="session")
def long_film(tmp_path_factory) -> bytes:
    """A film that takes a while: the sample again and again, as Matroska that tells no length."""
    return make_loop(tmp_path_factory.mktemp("long") / "long.mkv", 2500, (320, 240))


@pytest.fixture(scope="session")
def two_segments(tmp_path_factory) -> bytes:
    """A film that is coloured in two segments: the sample twice and its negative twice, small."""
    return make_loop(tmp_path_factory.mktemp("two") / "two.mkv", 600, (160, 120), negative=True)


def make_loop(path: Path, count: int, size: tuple[int, int], *, negative: bool = False) -> bytes:
    with av.open(str(SAMPLE)) as inp:
        frames = [f.reformat(*size, "yuv420p") for f in inp.decode(video=0)]
    if negative:
        dark = (av.VideoFrame.from_ndarray(255 - f.to_ndarray(format="gray"), "gray") for f in frames)
        frames = [*frames, *frames, *(f.reformat(format="yuv420p") for f in dark)]
    with av.open(str(path), "w", format="matroska", options={"live": "1"}) as out:
        stream = out.add_stream("libx264", rate=25, options={"crf": "30", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number in range(count):
            frame = frames[number % len(frames)]
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path.read_bytes()


@pytest.fixture(scope="session")
def cast(tmp_path_factory):
    return make_cast(tmp_path_factory.mktemp("cast") / "cast.mp4")


@pytest.fixture
def color(colorizer):
    """A function that colours a stream, in this thread."""

    def run(source, target, stream=None, **changes):
        options = dataclasses.replace(colorizer.options, **changes)
        return colorize_stream(str(source), str(target), colorizer.backend, options, stream)

    return run
