import cv2
import numpy as np

from vidcolor.chroma import HOLD, chroma_coefficients, chroma_planes
from vidcolor.color import Encoding, lab_to_chroma, luma_to_lightness


def small_and_full(full: np.ndarray, encoding: Encoding, shape=(64, 96)):
    small = cv2.resize(full, shape[::-1], interpolation=cv2.INTER_AREA)
    signal = (small - np.float32(encoding.luma_offset)) / np.float32(encoding.luma_scale)
    return signal, luma_to_lightness(small, encoding)


def test_flat_colour_on_textured_luma_follows_the_exact_formula():
    """One a*b* everywhere: chroma must vary with the luma exactly as LAB says, at every bit depth and range."""
    texture = cv2.GaussianBlur(np.random.default_rng(0).uniform(0, 1, (256, 384)).astype(np.float32), (0, 0), 12)
    texture = 0.3 + 0.4 * (texture - texture.min()) / np.ptp(texture)
    for encoding in (Encoding(), Encoding(full_range=True), Encoding(depth=10)):
        dtype = np.uint8 if encoding.depth == 8 else np.uint16
        full = np.rint(texture * encoding.luma_scale + encoding.luma_offset).astype(dtype)
        ab = np.full((16, 24, 2), (25.0, 35.0), np.float32)
        slope, offset = chroma_coefficients(*small_and_full(full, encoding), ab, encoding)
        planes = chroma_planes(slope, offset, full, encoding)
        exact = lab_to_chroma(luma_to_lightness(full, encoding), np.full((256, 384, 2), (25.0, 35.0), np.float32), 1)
        for plane, difference in zip(planes, exact, strict=True):
            code = difference * encoding.chroma_scale + encoding.chroma_centre
            assert np.abs(plane - code).mean() < 1.0 * 2 ** (encoding.depth - 8)


def test_colour_stops_at_luma_edges():
    """A blurred colour edge over a sharp luma edge comes out sharper than plain enlargement makes it."""
    encoding = Encoding()
    full = np.full((256, 384), 60, np.uint8)
    full[:, 190:] = 190
    truth = np.zeros((256, 384, 2), np.float32)
    truth[:, :190] = (45, 30)
    ab = cv2.resize(truth, (24, 16), interpolation=cv2.INTER_AREA)
    slope, offset = chroma_coefficients(*small_and_full(full, encoding), ab, encoding)
    _, cr = chroma_planes(slope, offset, full, encoding)
    lightness = luma_to_lightness(full, encoding)
    exact = lab_to_chroma(lightness, truth, 1)[1] * 224 + 128
    plain = lab_to_chroma(lightness, cv2.resize(ab, (384, 256), interpolation=cv2.INTER_LINEAR), 1)[1] * 224 + 128
    near = slice(170, 210)
    assert np.abs(cr - exact)[:, near].mean() < 0.7 * np.abs(plain - exact)[:, near].mean()


def test_codes_stay_legal():
    full = np.random.default_rng(0).integers(0, 256, (128, 192)).astype(np.uint8)
    ab = np.random.default_rng(1).uniform(-110, 110, (16, 24, 2)).astype(np.float32)
    slope, offset = chroma_coefficients(*small_and_full(full, Encoding()), ab, Encoding())
    for plane in chroma_planes(slope, offset, full, Encoding()):
        assert plane.min() >= 16
        assert plane.max() <= 240


def test_samples_keep_their_code_until_the_colour_has_moved():
    """Colour that wavers by a quarter of a code keeps its samples; one that moves is followed, never far behind."""
    flat = np.full((4, 4, 2), 0.0, np.float32)
    luma = np.full((64, 64), 100, np.uint8)

    def planes(level, past=None, depth=8):
        return chroma_planes(flat, flat + np.float32(level), luma, Encoding(depth=depth), past)

    past = planes(130.4)
    assert {int(p) for p in past[0].ravel()} == {130}
    for level in (130.6, 130.3, 130.74, 129.3):
        past = planes(level, past)
        assert {int(p) for plane in past for p in plane.ravel()} == {130}
    for level in np.arange(130.0, 140.0, 0.3):
        past = planes(level, past)
        assert np.abs(past[1] - level).max() <= HOLD + 1e-3
    assert planes(150.0, past)[0].max() == 150
    deep = planes(600.4, depth=10)
    assert planes(600.6, deep, depth=10)[0].max() == 601  # ten bits need no such care
