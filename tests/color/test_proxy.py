import numpy as np
import pytest

from vidcolor.color.encoding import Encoding
from vidcolor.color.proxy import ProxySize, crop_grid, make_proxy, network_input


@pytest.mark.parametrize(
    ("size", "aspect", "expected"),
    [
        ((1920, 1080), 1.0, (448, 252)),
        ((1080, 1920), 1.0, (252, 448)),
        ((720, 576), 64 / 45, (448, 252)),  # anamorphic: the network sees it as it is shown
        ((161, 121), 1.0, (341, 256)),
        ((30, 20), 1.0, (384, 256)),
    ],
)
def test_aspect_is_kept(size, aspect, expected):
    small = ProxySize.fit(*size, 256, aspect)
    assert (small.width, small.height) == expected
    assert all(side % 32 == 0 for side in small.padded)


def test_padding_is_cut_off_again():
    size = ProxySize(455, 250)
    lightness = [np.random.default_rng(i).uniform(0, 100, (250, 455)).astype(np.float32) for i in range(3)]
    batch = network_input(lightness, size)
    assert batch.shape == (3, 1, 256, 480)
    np.testing.assert_array_equal(batch[1, 0, :250, :455], lightness[1])
    cells = np.random.default_rng(3).normal(0, 9, (3, 2, 64, 120)).astype(np.float32)
    grid = crop_grid(cells, size, 4)
    assert grid.shape == (3, 63, 114, 2)
    np.testing.assert_array_equal(grid[2, 62, 113], cells[2, :, 62, 113])
    np.testing.assert_array_equal(grid[0, 5, 7], cells[0, :, 5, 7])
    mirrored = batch[1, 0, :250, 455:480], lightness[1][:, 429:454][:, ::-1]
    np.testing.assert_array_equal(*mirrored)  # the padding mirrors the picture


@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (20, 30), (1080, 1920)])
def test_any_shape_becomes_a_small_picture(shape):
    luma = np.full(shape, 126, np.uint8)
    size = ProxySize.fit(shape[1], shape[0], 64)
    small = make_proxy(luma, size, Encoding())
    assert small.lightness.shape == (size.height, size.width)
    assert np.ptp(small.lightness) == 0


@pytest.mark.parametrize("factor", [1.0, 1.25, 1.45, 1.6, 2.5])
def test_shrinking_averages(factor):
    size = ProxySize(96, 64)
    height, width = round(64 * factor), round(96 * factor)
    y, x = np.mgrid[0:height, 0:width]
    wave = 128 + 90 * np.sin(x / width * 20) * np.cos(y / height * 14)
    noise = np.random.default_rng(0).normal(0, 12, wave.shape)
    small = make_proxy(np.clip(wave + noise, 0, 255).astype(np.uint8), size, Encoding())
    y, x = (np.mgrid[0:64, 0:96] + 0.5) * factor - 0.5
    expected = 128 + 90 * np.sin(x / width * 20) * np.cos(y / height * 14)
    error = small.luma - expected
    assert abs(error.mean()) < 0.7
    assert error.std() < (12.5 if factor == 1.0 else 9)  # the noise alone is 12
