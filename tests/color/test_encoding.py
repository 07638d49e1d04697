import cv2
import numpy as np
import pytest

from vidcolor.color.encoding import (
    BT709,
    MATRICES,
    Encoding,
    above_black,
    chroma_to_rgb,
    fit_gamut,
    guess_matrix,
    lab_to_chroma,
    lightness_table,
    luma_to_lightness,
)


@pytest.mark.parametrize(
    ("encoding", "black", "white"),
    [
        (Encoding(), 16, 235),
        (Encoding(full_range=True), 0, 255),
        (Encoding(depth=10), 64, 940),
        (Encoding(depth=12, full_range=True), 0, 4095),
    ],
)
def test_black_is_0_and_white_is_100(encoding, black, white):
    table = lightness_table(encoding)
    assert table[black] == pytest.approx(0.0, abs=1e-4)
    assert table[white] == pytest.approx(100.0, abs=1e-4)
    assert np.all(np.diff(table) >= 0)
    assert len(table) == 2**encoding.depth


def test_lightness_agrees_with_opencv_on_grey():
    grey = np.arange(256, dtype=np.uint8)[None]
    expected = cv2.cvtColor(cv2.merge([grey] * 3).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[..., 0]
    np.testing.assert_allclose(
        luma_to_lightness(grey, Encoding(full_range=True)), expected, atol=0.25
    )  # OpenCV interpolates


@pytest.mark.parametrize("matrix", MATRICES)
def test_chroma_of_a_colour_gives_that_colour_back(matrix):
    rgb = np.random.default_rng(0).uniform(0.05, 0.95, (40, 40, 3)).astype(np.float32)
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)
    cb, cr = lab_to_chroma(np.ascontiguousarray(lab[..., 0]), np.ascontiguousarray(lab[..., 1:]), matrix)
    kr, kb = MATRICES[matrix]
    luma = rgb @ np.array([kr, 1 - kr - kb, kb], np.float32)
    np.testing.assert_allclose(chroma_to_rgb(luma, cb, cr, matrix), rgb, atol=3e-3)


def test_no_colour_is_no_chroma():
    lightness = np.linspace(0, 100, 64, dtype=np.float32).reshape(8, 8)
    cb, cr = lab_to_chroma(lightness, np.zeros((8, 8, 2), np.float32), BT709)
    assert max(np.abs(cb).max(), np.abs(cr).max()) < 2e-3


def test_fitted_chroma_stays_in_rgb_and_keeps_what_fits():
    rng = np.random.default_rng(1)
    luma = rng.uniform(0, 1, (50, 50)).astype(np.float32)
    cb, cr = rng.uniform(-0.5, 0.5, (2, 50, 50)).astype(np.float32)
    share = fit_gamut(luma, cb, cr, BT709)
    rgb = chroma_to_rgb(luma, cb * share, cr * share, BT709)
    assert rgb.min() > -1e-5
    assert rgb.max() < 1 + 1e-5
    fits = (chroma_to_rgb(luma, cb, cr, BT709).min(-1) >= 0) & (chroma_to_rgb(luma, cb, cr, BT709).max(-1) <= 1)
    np.testing.assert_allclose(share[fits], 1.0, atol=1e-4)
    assert share[~fits].max() < 1.0


@pytest.mark.parametrize("matrix", MATRICES)
def test_nothing_is_darker_than_black_and_colours_of_rgb_stay(matrix):
    """Under the luma of a grey of the same lightness, which is what a film has."""
    rng = np.random.default_rng(2)
    lab = cv2.cvtColor(rng.uniform(0, 1, (50, 50, 3)).astype(np.float32), cv2.COLOR_RGB2LAB)
    lightness = np.ascontiguousarray(lab[..., 0])
    codes = np.arange(4096, dtype=np.uint16)
    signal = np.interp(lightness, luma_to_lightness(codes, Encoding(full_range=True, depth=12)), codes / 4095.0)
    given = lab_to_chroma(lightness, np.ascontiguousarray(lab[..., 1:]), matrix)
    for before, after in zip(given, above_black(signal.astype(np.float32), *given, matrix), strict=True):
        assert (np.abs(after - before) > 2e-3).mean() < (1e-9 if matrix == BT709 else 1e-3)
    dark = np.linspace(0.0, 0.2, 2500, dtype=np.float32).reshape(50, 50)
    cb, cr = rng.uniform(-0.5, 0.5, (2, 50, 50)).astype(np.float32)
    assert chroma_to_rgb(dark, cb, cr, matrix).min() < -0.5
    assert chroma_to_rgb(dark, *above_black(dark, cb, cr, matrix), matrix).min() > -1e-5


@pytest.mark.parametrize(("size", "matrix"), [((720, 480), 6), ((720, 576), 5), ((1280, 720), 1), ((1920, 1080), 1)])
def test_untagged_pictures_are_read_as_players_do(size, matrix):
    assert guess_matrix(*size) == matrix


def test_lightness_of_every_code_is_the_tables_however_it_lies_in_memory():
    table = lightness_table(Encoding())
    codes = np.arange(256, dtype=np.uint8).reshape(16, 16)
    for x in (codes, codes.T, np.repeat(codes, 2, axis=1)[:, ::2], codes.astype(np.uint16), codes.ravel()):
        assert np.array_equal(luma_to_lightness(x, Encoding()), table[x])
