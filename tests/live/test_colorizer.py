"""Frames of a live picture, one by one."""

from __future__ import annotations

import av
import numpy as np
import pytest

from tests.conftest import SAMPLE
from tests.films import chroma_spread, luma_of
from vidcolor import ColorizeOptions
from vidcolor.live.colorizer import LiveColorizer


@pytest.fixture
def live(colorizer):
    return LiveColorizer(colorizer.backend, ColorizeOptions(size=96))


def frames(pix_fmt: str, count: int = 3, size: tuple[int, int] | None = None) -> list[av.VideoFrame]:
    with av.open(str(SAMPLE)) as film:
        found = [f for _, f in zip(range(count), film.decode(video=0), strict=False)]
    return [f.reformat(*(size or (f.width, f.height)), format=pix_fmt) for f in found]


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "gray", "yuv422p", "yuv444p10le", "nv12", "yuyv422", "yuvj420p"])
def test_every_frame_comes_back_at_once_with_its_luma_and_time(live, pix_fmt):
    for frame in frames(pix_fmt):
        pts, luma = frame.pts, luma_of(frame)
        done = live.color(frame)
        assert done.pts == pts
        np.testing.assert_array_equal(luma_of(done), luma)
        assert chroma_spread(done.reformat(format="yuv420p")) > 2
    assert live.resets == 0


def test_without_smoothing_no_frame_waits_either(colorizer):
    live = LiveColorizer(colorizer.backend, ColorizeOptions(size=96, smoothing=0.0, batch=4))
    assert all(chroma_spread(live.color(f)) > 2 for f in frames("yuv420p"))


def test_rgb_from_a_camera_is_coloured(live):
    done = [live.color(f) for f in frames("rgb24")]
    assert all(f.format.name == "yuv444p" and chroma_spread(f) > 2 for f in done)


def test_another_size_begins_anew(live):
    for frame in frames("yuv420p") + frames("yuv420p", size=(320, 240)) + frames("gray", size=(320, 240)):
        assert chroma_spread(live.color(frame)) > 2
    assert live.resets == 2


def test_strength_can_be_changed_between_frames(live):
    (first, second, third) = frames("yuv420p")
    live.color(first)
    live.strength = 0.0
    assert chroma_spread(live.color(second)) < 0.5
    live.strength = 2.0
    assert chroma_spread(live.color(third)) > 5
