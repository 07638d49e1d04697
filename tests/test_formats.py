import av
import numpy as np
import pytest

from vidcolor.video.formats import plane, to_native


@pytest.mark.parametrize("name", ["p010le", "p210le", "nv12", "yuyv422"])
def test_luma_survives_the_way_to_the_native_format(name):
    """At widths that fill no vector too, and every time: swscale's threads must not be let loose on it."""
    frame = av.VideoFrame(322, 242, name)
    depth = frame.format.components[0].bits
    kind = np.dtype(np.uint8 if depth == 8 else np.uint16)
    step = 2 if name == "yuyv422" else 1
    luma = np.random.default_rng(0).integers(0, 2**depth, (242, 322)).astype(kind)
    rows = np.frombuffer(memoryview(frame.planes[0]), kind).reshape(242, -1)
    rows[:, : 322 * step : step] = luma << (8 * kind.itemsize - depth)
    for _ in range(200):  # it is a race
        np.testing.assert_array_equal(plane(to_native(frame), 0), luma)
