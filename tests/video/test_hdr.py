"""Mastering display and light level go along where the codec can hold them, and are named where it cannot."""

import dataclasses
from fractions import Fraction

import av
import numpy as np
import pytest

from vidcolor.film.run import colorize_film
from vidcolor.video.hdr import Mastering
from vidcolor.video.info import FilmInfo
from vidcolor.video.reader import Reader

DISPLAY = Mastering((35400, 14600), (8500, 39850), (6550, 2300), (15635, 16450), 10_000_000, 1)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("hdr") / "film.mkv"
    with av.open(str(path), "w") as out:
        told = f"log-level=none:master-display={DISPLAY.text('libx265')}:max-cll=1000,400"
        stream = out.add_stream("libx265", rate=25, options={"x265-params": told, "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p10le"
        for number in range(5):
            frame = av.VideoFrame(96, 64, "yuv420p10le")
            for i, part in enumerate(frame.planes):
                np.frombuffer(memoryview(part), np.uint16)[:] = 512 if i else 300
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def test_it_is_read_and_kept_as_plain_data(film):
    with Reader(film) as reader:
        info = reader.info
    assert info.mastering == DISPLAY
    assert info.light == (1000, 400)
    assert FilmInfo.from_dict(info.to_dict()) == info


@pytest.mark.parametrize("codec", ["x264", "x265", "svtav1"])
def test_codecs_that_hold_it(colorizer, film, tmp_path, codec):
    options = dataclasses.replace(colorizer.options, codec=codec)
    summary = colorize_film(film, tmp_path / "out.mkv", colorizer.backend, options)
    assert summary.warnings == []
    with Reader(tmp_path / "out.mkv") as reader:
        assert reader.info.light == (1000, 400)
        found = reader.info.mastering
    assert found is not None
    for name, value in dataclasses.asdict(DISPLAY).items():
        assert np.allclose(getattr(found, name), value, rtol=1e-3, atol=2), name


def test_codecs_that_do_not_are_named(colorizer, film, tmp_path):
    options = dataclasses.replace(colorizer.options, codec="ffv1")
    summary = colorize_film(film, tmp_path / "out.mkv", colorizer.backend, options)
    assert summary.warnings == ["mastering display and light level (HDR10) dropped: ffv1 cannot be told them"]
