import numpy as np
import pytest

from benchmarks.upsampling import WAYS, bilinear

CELL = 8


def picture(edge):
    """Dark blue left of column `edge`, bright orange right of it."""
    lightness = np.full((96, 160), 30, np.float32)
    lightness[:, edge:] = 75
    full = np.where((lightness < 50)[..., None], np.float32([5, -25]), np.float32([20, 40])).astype(np.float32)
    grid = full.reshape(96 // CELL, CELL, 160 // CELL, CELL, 2).mean((1, 3))
    return lightness, full, grid


@pytest.mark.parametrize("name", WAYS)
def test_one_colour_stays_as_it_is(name):
    lightness = np.random.default_rng(0).uniform(40, 60, (96, 160)).astype(np.float32)
    found = WAYS[name](np.full((12, 20, 2), (12, -8), np.float32), lightness)
    assert found.shape == (96, 160, 2)
    np.testing.assert_allclose(np.median(found, (0, 1)), (12, -8), atol=0.3)


@pytest.mark.parametrize("name", [n for n in WAYS if not n.startswith("bi") or n == "bilateral grid"])
def test_ways_that_see_the_luma_keep_colour_on_its_side_of_an_edge(name):
    pictures = [picture(edge) for edge in range(64, 64 + 2 * CELL)]  # every place in a cell of any way's grid

    def error(enlarge):
        return np.mean([np.abs(enlarge(grid, lightness) - full)[:, 60:84] for lightness, full, grid in pictures])

    assert error(WAYS[name]) < (0.55 if "ours" in name else 0.65) * error(bilinear)
