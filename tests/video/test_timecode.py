"""Time codes move with the beginning of a film, in both ways of counting."""

import dataclasses
from fractions import Fraction

import av
import numpy as np
import pytest

from vidcolor.film.run import colorize_film
from vidcolor.video.timecode import later

NTSC, DOUBLE = Fraction(30000, 1001), Fraction(60000, 1001)


@pytest.mark.parametrize(
    ("code", "frames", "rate", "wanted"),
    [
        ("10:00:00:00", 24, Fraction(24), "10:00:01:00"),
        ("10:00:00:00", 25, Fraction(24000, 1001), "10:00:01:01"),
        ("00:00:59;29", 1, NTSC, "00:01:00;02"),
        ("00:09:59;29", 1, NTSC, "00:10:00;00"),
        ("00:00:00;00", 17982, NTSC, "00:10:00;00"),
        ("00:00:00;00", 107892, NTSC, "01:00:00;00"),
        ("00:00:59;59", 1, DOUBLE, "00:01:00;04"),
        ("00:00:59:29", 1, NTSC, "00:01:00:00"),
        ("23:59:59;29", 1, NTSC, "00:00:00;00"),
        ("23:59:59:24", 1, Fraction(25), "00:00:00:00"),
        ("noon", 1, NTSC, "noon"),
    ],
)
def test_counting(code, frames, rate, wanted):
    assert later(code, frames, rate) == wanted


def test_every_number_of_an_hour_comes_once():
    """Drop-frame codes rise by one, but for the numbers left out."""
    seen = {later("00:00:00;00", n, NTSC) for n in range(107892)}
    assert len(seen) == 107892
    assert not [c for c in seen if c.endswith((":00;00", ":00;01")) and c[4] != "0"]


@pytest.mark.parametrize(("code", "wanted"), [("10:00:00:00", "10:00:01:00"), ("09:59:59;00", "10:00:00;00")])
def test_a_film_that_begins_later_has_a_later_time_code(colorizer, tmp_path, code, wanted):
    source = tmp_path / "tape.mov"
    with av.open(str(source), "w") as out:
        stream = out.add_stream("libx264", rate=NTSC, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = 1 / NTSC
        stream.metadata["timecode"] = code
        for number in range(40):
            frame = av.VideoFrame.from_ndarray(np.full((72, 64), 100, np.uint8), format="yuv420p")
            frame.pts, frame.time_base = number, 1 / NTSC
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    options = dataclasses.replace(colorizer.options, start=1.0)
    colorize_film(source, tmp_path / "out.mov", colorizer.backend, options)
    with av.open(str(tmp_path / "out.mov")) as made:
        assert made.streams.video[0].metadata["timecode"] == wanted
