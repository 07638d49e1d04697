import numpy as np
import pytest

from benchmarks.upsampling import WAYS, bilinear


def picture():
    """Dark blue left of an edge that no cell of the grid ends at, bright orange right of it."""
    lightness = np.full((96, 160), 30, np.float32)
    lightness[:, 70:] = 75
    full = np.where((lightness < 50)[..., None], np.float32([5, -25]), np.float32([20, 40])).astype(np.float32)
    grid = full.reshape(12, 8, 20, 8, 2).mean((1, 3))
    return lightness, full, grid


@pytest.mark.parametrize("name", WAYS)
def test_one_colour_stays_as_it_is(name):
    lightness = np.random.default_rng(0).uniform(40, 60, (96, 160)).astype(np.float32)
    found = WAYS[name](np.full((12, 20, 2), (12, -8), np.float32), lightness)
    assert found.shape == (96, 160, 2)
    np.testing.assert_allclose(np.median(found, (0, 1)), (12, -8), atol=0.3)


@pytest.mark.parametrize("name", [n for n in WAYS if not n.startswith("bi") or n == "bilateral grid"])
def test_ways_that_see_the_luma_keep_colour_on_its_side_of_an_edge(name):
    lightness, full, grid = picture()

    def error(enlarge):
        return np.abs(enlarge(grid, lightness) - full)[:, 60:80].mean()

    bound = 0.7 if "ours" in name else 0.6  # smaller windows reach less far here, and are nearer on real pictures
    assert error(WAYS[name]) < bound * error(bilinear)
