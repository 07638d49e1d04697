"""Decoding times made anew, and segments that must fit each other."""

import itertools
from fractions import Fraction

import av
import numpy as np
import pytest

from vidcolor.errors import OutputError
from vidcolor.film.assemble import decoding_times, merged


def encoded(times, *, segments=((0, None),), **options):
    """PTS in decoding order and x264's own DTS of frames at `times`, encoded in segments."""
    order, own = [], []
    ramp = np.add.outer(np.arange(96), np.arange(64)) * 0.7
    for first, last in segments:
        context = av.CodecContext.create("libx264", "w")
        context.width, context.height, context.pix_fmt = 64, 64, "yuv420p"
        context.time_base, context.options = Fraction(1, 1000), {"preset": "medium", **options}
        packets = []
        for pts in times[first:last]:
            frame = av.VideoFrame.from_ndarray((ramp + pts / 50).astype(np.uint8), "yuv420p")
            frame.pts, frame.time_base = pts, Fraction(1, 1000)
            packets += context.encode(frame)
        packets += context.encode(None)
        order += [p.pts for p in packets]
        own += [p.dts for p in packets]
    return order, own


def check(order, found):
    assert all(a < b for a, b in itertools.pairwise(found)), "DTS must rise"
    assert all(dts <= pts for dts, pts in zip(found, order, strict=True))


def test_they_are_the_encoders_own_where_it_encodes_all():
    times = list(np.cumsum(np.random.default_rng(1).integers(20, 90, 80)))
    order, own = encoded([int(t) for t in times], **{"x264-params": "b-pyramid=none"})  # else it may wait for nothing
    assert order != sorted(order), "no B frames: the test shows nothing"
    assert decoding_times(order) == own


@pytest.mark.parametrize("lengths", [(1, 2, 3, 40), (40, 1), (1,), (2,), (3, 1, 1, 25)], ids=str)
def test_segments_of_any_length_join(lengths):
    times = list(range(100, 100 + 40 * sum(lengths), 40))
    ends = np.cumsum(lengths).tolist()
    order, _ = encoded(times, segments=list(zip([0, *ends[:-1]], ends, strict=True)))
    assert sorted(order) == times
    check(order, decoding_times(order))


def test_no_frame_is_moved_by_more_than_one_delay():
    rng = np.random.default_rng(2)
    for _ in range(50):
        times = np.cumsum(rng.integers(1, 50, 30)).tolist()
        order = [t for i in range(0, 30, 3) for t in (times[i], times[i + 2], times[i + 1])]
        found = decoding_times(order)
        check(order, found)
        assert found[1:] == sorted(order)[:-1]  # one frame of delay is all that is needed


def test_two_frames_at_one_time_are_a_fault():
    with pytest.raises(OutputError, match="same time stamp"):
        decoding_times([0, 1, 1])


def test_streams_are_merged_by_time():
    def packets(times):
        for time in times:
            made = av.Packet(b"x")
            made.dts = made.pts = time
            made.time_base = Fraction(1, 10)
            yield made

    order = [(is_video, p.dts) for is_video, p in merged(packets([0, 10, 20]), packets([5, 15, 25, 30]))]
    assert order == [(True, 0), (False, 5), (True, 10), (False, 15), (True, 20), (False, 25), (False, 30)]
