import av
import numpy as np
import pytest

from tests.films import luma_of
from vidcolor.errors import OptionError
from vidcolor.options import CODECS
from vidcolor.video.formats import choose_format, layout, native_format, plane, to_native

# source format -> the planar format it is brought to, luma untouched
NATIVE = {
    "yuv420p": "yuv420p", "yuvj420p": "yuvj420p", "yuv422p10le": "yuv422p10le", "gray": "gray", "gray10le": "gray10le",
    "yuva444p12le": "yuva444p12le", "nv12": "yuv420p", "p010le": "yuv420p10le", "yuyv422": "yuv422p",
    "uyvy422": "yuv422p", "ya8": "gray", "ya16le": "gray16le", "gray10be": "gray10le", "yuv420p10be": "yuv420p10le",
}  # fmt: skip


@pytest.mark.parametrize(("source", "target"), NATIVE.items())
def test_native_formats_keep_every_luma_sample(source, target):
    assert native_format(source) == target
    depth = layout(source).depth
    rng = np.random.default_rng(0)
    start = av.VideoFrame(48, 32, target)
    for i in range(len(start.planes)):
        view = plane(start, i)
        view[:] = rng.integers(0, 2**depth, view.shape)
    if source in ("ya8", "ya16le"):
        frame = av.VideoFrame(48, 32, source)
        dtype = np.uint8 if source == "ya8" else np.uint16
        rows = np.frombuffer(memoryview(frame.planes[0]), dtype).reshape(32, -1)
        rows[:, :96:2] = plane(start, 0)
    else:
        frame = start.reformat(format=source)
    native = to_native(frame)
    assert native.format.name == target
    np.testing.assert_array_equal(luma_of(native), luma_of(start))


@pytest.mark.parametrize("source", ["rgb24", "gbrp10le", "pal8", "rgb48le"])
def test_rgb_becomes_yuv(source):
    assert native_format(source).startswith("yuv444p")


@pytest.mark.parametrize(
    ("source", "codec", "expected"),
    [
        ("yuv420p", "libx264", "yuv420p"),
        ("yuv420p10le", "libx264", "yuv420p10le"),
        ("yuv444p", "libx264", "yuv444p"),
        ("gray", "libx264", "yuv420p"),
        ("gray10le", "libx265", "yuv420p10le"),
        ("yuv422p", "libsvtav1", "yuv420p"),
        ("yuva444p12le", "ffv1", "yuva444p12le"),
        ("gray16le", "ffv1", "yuv420p16le"),
        ("yuv420p", "prores_ks", "yuv422p10le"),
        ("yuva444p12le", "prores_ks", "yuva444p10le"),
        ("yuv420p12le", "libx264", "yuv420p10le"),
        ("yuvj420p", "libx264", "yuv420p"),
    ],
)
def test_a_codec_gets_the_format_that_loses_least(source, codec, expected):
    available = [f.name for f in av.Codec(codec, "w").video_formats]
    assert choose_format(available, source, None, codec) == expected


@pytest.mark.parametrize("encoder", CODECS.values())
def test_every_codec_is_in_the_wheel_and_takes_8_bit_film(encoder):
    available = [f.name for f in av.Codec(encoder, "w").video_formats]
    assert layout(choose_format(available, "yuv420p", None, encoder)).chroma is not None


def test_a_wrong_format_lists_the_right_ones():
    with pytest.raises(OptionError, match="yuv420p10le"):
        choose_format(["yuv420p", "yuv420p10le"], "yuv420p", "yuv999p", "x264")


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
