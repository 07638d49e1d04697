import cv2
import numpy as np
import pytest

from vidcolor.color.encoding import Encoding, lab_to_chroma, luma_to_lightness
from vidcolor.color.proxy import ProxySize
from vidcolor.merge import chroma
from vidcolor.merge.chroma import HYSTERESIS, ChromaWriter, bands, chroma_coefficients, chroma_planes, divide_evenly
from vidcolor.models.files import open_model
from vidcolor.options import ColorizeOptions


def small_and_full(full: np.ndarray, encoding: Encoding, shape=(64, 96)):
    small = cv2.resize(full, shape[::-1], interpolation=cv2.INTER_AREA)
    return small, luma_to_lightness(small, encoding)


def test_flat_colour_on_textured_luma_follows_the_exact_formula():
    """One a*b* everywhere: chroma must vary with the luma exactly as LAB says, at every bit depth and range."""
    texture = cv2.GaussianBlur(np.random.default_rng(0).uniform(0, 1, (256, 384)).astype(np.float32), (0, 0), 12)
    texture = 0.3 + 0.4 * (texture - texture.min()) / np.ptp(texture)
    for encoding in (Encoding(), Encoding(full_range=True), Encoding(depth=10)):
        dtype = np.uint8 if encoding.depth == 8 else np.uint16
        full = np.rint(texture * encoding.luma_scale + encoding.luma_offset).astype(dtype)
        ab = np.full((16, 24, 2), (25.0, 35.0), np.float32)
        coefficients = chroma_coefficients(*small_and_full(full, encoding), ab, encoding, encoding)
        planes = chroma_planes(coefficients, full, encoding)
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
    coefficients = chroma_coefficients(*small_and_full(full, encoding), ab, encoding, encoding)
    _, cr = chroma_planes(coefficients, full, encoding)
    lightness = luma_to_lightness(full, encoding)
    exact = lab_to_chroma(lightness, truth, 1)[1] * 224 + 128
    plain = lab_to_chroma(lightness, cv2.resize(ab, (384, 256), interpolation=cv2.INTER_LINEAR), 1)[1] * 224 + 128
    near = slice(170, 210)
    assert np.abs(cr - exact)[:, near].mean() < 0.7 * np.abs(plain - exact)[:, near].mean()


@pytest.mark.parametrize("encoding", [Encoding(), Encoding(full_range=True), Encoding(depth=10)], ids=str)
def test_black_has_no_colour(encoding):
    """A frame of a fade from black is black, whatever colour is carried into it; also where it is below black."""
    ab = np.full((16, 24, 2), (30.0, 25.0), np.float32)
    dark = np.full((256, 384), int(encoding.luma_offset), np.uint8 if encoding.depth == 8 else np.uint16)
    dark[:128] = max(0, int(encoding.luma_offset) - 1)
    coefficients = chroma_coefficients(*small_and_full(dark, encoding), ab, encoding, encoding)
    for plane in chroma_planes(coefficients, dark, encoding):
        assert plane.min() == plane.max() == encoding.chroma_centre
    light = np.full_like(dark, int(encoding.luma_offset + 0.4 * encoding.luma_scale))
    coefficients = chroma_coefficients(*small_and_full(light, encoding), ab, encoding, encoding)
    assert all(abs(p.mean() - encoding.chroma_centre) > 8 for p in chroma_planes(coefficients, light, encoding))


def test_codes_stay_legal():
    full = np.random.default_rng(0).integers(0, 256, (128, 192)).astype(np.uint8)
    ab = np.random.default_rng(1).uniform(-110, 110, (16, 24, 2)).astype(np.float32)
    coefficients = chroma_coefficients(*small_and_full(full, Encoding()), ab, Encoding(), Encoding())
    for plane in chroma_planes(coefficients, full, Encoding()):
        assert plane.min() >= 16
        assert plane.max() <= 240


def test_codes_stay_legal_where_only_the_brightest_luma_leads_beyond():
    full = np.tile(np.arange(256, dtype=np.uint8), (64, 1))
    for slopes, ends in (((0.5, -0.6), (240, 16)), ((0.4, -0.4), (232, 28))):
        coefficients = np.empty((4, 8, 32), np.float32)
        coefficients[:] = np.array([*slopes, 130, 130], np.float32)[:, None, None]
        planes = chroma_planes(coefficients, full, Encoding())
        assert tuple(plane[:, -1].max() for plane in planes) == ends
        assert all(np.ptp(plane[:, -1]) == 0 for plane in planes)


def test_samples_keep_their_code_until_the_colour_has_moved():
    """Colour that wavers by a quarter of a code keeps its samples; one that moves is followed, never far behind."""
    flat = np.zeros((4, 4, 4), np.float32)
    luma = np.full((64, 64), 100, np.uint8)

    def follow(levels, depth=8):
        writer = ChromaWriter(Encoding(depth=depth))
        for i, level in enumerate(levels):
            planes = np.empty((2, 64, 64), np.uint8 if depth == 8 else np.uint16)
            flat[2:] = level
            writer.write(flat, luma, tuple(planes), anew=i == 0)
            assert planes.min() == planes.max()
            yield planes.max()

    assert list(follow([130.4, 130.6, 130.3, 130.74, 129.3])) == [130] * 5
    levels = np.arange(130.0, 140.0, 0.3)
    assert np.abs(np.array(list(follow(levels)), float) - levels).max() <= HYSTERESIS + 1e-3
    assert list(follow([130.0, 150.0, 0.0, 300.0])) == [130, 150, 16, 240]
    assert list(follow([600.4, 600.6], depth=10)) == [600, 601]  # ten bits need no such care


@pytest.mark.parametrize(
    ("height", "width", "cells"), [(540, 960, 90), (1080, 1920, 90), (600, 700, 120), (403, 960, 94)]
)
@pytest.mark.parametrize("depth", [8, 10])
def test_bands_leave_no_seam(height, width, cells, depth, monkeypatch):
    """The planes are those that come of one piece, in the first frame and in one that keeps codes of another."""
    generator = np.random.default_rng(0)
    kind = np.uint8 if depth == 8 else np.uint16
    pieces, whole = ChromaWriter(Encoding(depth=depth)), ChromaWriter(Encoding(depth=depth))
    for i in range(2):
        luma = generator.integers(16, 2**depth, (height, width)).astype(kind)
        slopes = generator.normal(0, 0.1, (2, cells, 31))
        offsets = generator.normal(2 ** (depth - 1), 9, (2, cells, 31))
        coefficients = np.concatenate((slopes, offsets)).astype(np.float32)
        found, expected = np.zeros((2, 2, height, width), kind)
        pieces.write(coefficients, luma, tuple(found), anew=i == 0)
        with monkeypatch.context() as patch:
            patch.setattr(chroma, "bands", lambda *_: [chroma.Band(slice(0, height), slice(0, cells), 0, height)])
            whole.write(coefficients, luma, tuple(expected), anew=i == 0)
        difference = np.abs(found.astype(int) - expected)
        assert difference.max() <= 1  # where the last digit of a float decides
        assert difference.mean() < 1e-4


@pytest.mark.parametrize(
    ("height", "width", "cells"), [(540, 960, 90), (1080, 1920, 90), (1080, 1920, 120), (9, 20000, 9)]
)
def test_bands_cover_each_row_once(height, width, cells):
    found = bands(height, width, cells)
    assert len(found) > 1
    assert [row for band in found for row in range(height)[band.rows]] == list(range(height))


def test_rows_of_the_grid_divide_the_plane_where_that_is_near():
    assert divide_evenly(540, 94) == 90
    assert divide_evenly(1080, 94) == 90
    assert divide_evenly(360, 94) == 90
    assert divide_evenly(1080, 81) == 90  # 72 is as near
    assert divide_evenly(402, 96) == 96  # has no divisor near it
    assert divide_evenly(7, 94) == 94
    small = np.full((252, 448), 100, np.uint8)
    lightness, ab = luma_to_lightness(small, Encoding()), np.zeros((63, 112, 2), np.float32)
    assert chroma_coefficients(small, lightness, ab, Encoding(), Encoding(), 540).shape == (4, 90, 161)
    assert chroma_coefficients(small, lightness, ab, Encoding(), Encoding()).shape == (4, 94, 168)


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1440, 1080), (1920, 1080), (1920, 800), (3840, 2160)])
def test_usual_films_are_written_in_bands(width, height):
    size = ProxySize.fit(width, height, ColorizeOptions().size)
    small = np.full((size.height, size.width), 100, np.uint8)
    ab = np.zeros((*size.grid(open_model().stride), 2), np.float32)
    lightness = luma_to_lightness(small, Encoding())
    cells = chroma_coefficients(small, lightness, ab, Encoding(), Encoding(), height // 2).shape[1]
    assert len(bands(height // 2, width // 2, cells)) > 1
