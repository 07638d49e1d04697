"""The benchmark's clock survives codecs and colouring, and its camera is one."""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest

from benchmarks.live.camera import now_ms
from benchmarks.live.pattern import burn, read
from tests.conftest import SAMPLE
from vidcolor.live.colorizer import LiveColorizer
from vidcolor.video.formats import plane


@pytest.mark.parametrize("stamp", [0, 1, 0x12345678, 2**32 - 1])
def test_a_stamp_is_read_as_it_was_burnt(stamp):
    luma = np.full((48, 320), 100, np.uint8)
    burn(luma, stamp)
    assert read(luma) == stamp


def test_what_is_no_stamp_is_not_read():
    luma = np.full((48, 320), 100, np.uint8)
    burn(luma, 77)
    luma[:16, :64] = 220
    assert read(luma) is None


def test_a_stamp_survives_a_hard_codec_and_the_colouring(colorizer):
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.options = 640, 480, "yuv420p", {"crf": "35"}
    encoder.time_base = Fraction(1, 25)
    decoder = av.CodecContext.create("h264", "r")
    with av.open(str(SAMPLE)) as film:
        frame = next(film.decode(video=0))
    frame.make_writable()
    frame.pts, frame.pict_type = 0, 0
    burn(plane(frame, 0), 123456789)
    packets = encoder.encode(frame) + encoder.encode(None)
    (decoded,) = [f for p in [*packets, None] for f in decoder.decode(p)]
    assert read(plane(LiveColorizer(colorizer.backend).color(decoded), 0)) == 123456789


def test_the_camera_sends_pictures_of_now(tmp_path):
    pipe = tmp_path / "camera"
    os.mkfifo(pipe)
    before = now_ms()
    command = [sys.executable, "-m", "benchmarks.live.camera", str(SAMPLE), str(pipe), "640", "480", "30", "0.5"]
    with subprocess.Popen(command), av.open(str(pipe), format="yuv4mpegpipe") as camera:
        stamps = [read(plane(f, 0)) for f in camera.decode(video=0)]
    assert None not in stamps
    assert 1 < len(stamps) <= 15
    assert before <= stamps[0] <= stamps[-1] <= now_ms()
