"""The metrics of steadiness on cases that can be worked out by hand."""

import cv2
import numpy as np
import pytest

from benchmarks.temporal import bleeding, lag
from benchmarks.temporal.distribution import cdc, histogram, js_divergence
from benchmarks.temporal.flicker import changes, flicker, flicker_by_frame, warp_error
from benchmarks.temporal.motion import NEW, Pair, at_boundary, flow, grow, occluded, pairs

HEIGHT, WIDTH = 96, 128


def texture(height: int = HEIGHT, width: int = WIDTH, channels: int = 1) -> np.ndarray:
    """Smooth noise in 20..80, float32 ``(height, width, channels)``."""
    noise = np.random.default_rng(0).normal(size=(height, width, channels)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3.0).reshape(noise.shape)
    return 20 + 60 * (smooth - smooth.min()) / np.ptp(smooth)


def moving(frames: int, step: int) -> list[np.ndarray]:
    """RGB in 0..1 of a texture that moves to the left by `step` pixels a frame."""
    wide = texture(HEIGHT, WIDTH + frames * step, 3) / 100
    return [wide[:, i * step : i * step + WIDTH] for i in range(frames)]


def lightness(rgb: list[np.ndarray]) -> list[np.ndarray]:
    return [cv2.cvtColor(x, cv2.COLOR_RGB2LAB)[..., 0] for x in rgb]


def shift(x: float, y: float = 0.0) -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 2), (x, y), np.float32)


@pytest.fixture(scope="module")
def still() -> list[Pair | None]:
    return pairs([texture()[..., 0]] * 4)


def test_a_constant_clip_does_not_change(still):
    rgb = [np.repeat(texture() / 100, 3, -1)] * 4
    assert warp_error(rgb, still) == pytest.approx(0, abs=1e-9)
    assert flicker(changes([x[..., 1:] for x in rgb], still)) == pytest.approx(0, abs=1e-5)
    shares = np.stack([histogram(np.full((4, 6, 3), 77, np.uint8))] * 5)
    assert cdc(shares) == 0.0


def test_a_translated_texture_is_followed():
    rgb = moving(4, step=3)
    found = pairs(lightness(rgb))
    assert np.abs(found[0].ahead[8:-8, 16:-16] - (-3, 0)).mean() < 0.1
    shown = warp_error(rgb, found)
    assert shown < 5e-5
    assert np.mean((rgb[1] - rgb[0]) ** 2) > 50 * shown  # what no compensation would show
    ab = [100 * x[..., :2] for x in rgb]
    assert flicker(changes(ab, found)) < 0.1 * np.sqrt(np.mean(((ab[1] - ab[0]) ** 2).sum(-1)))


def test_noise_of_chroma_is_measured_by_its_sigma(still):
    sigma, rng = 2.0, np.random.default_rng(1)
    ab = [rng.normal(0, sigma, (HEIGHT, WIDTH, 2)).astype(np.float32) for _ in range(4)]
    changed = changes(ab, still)
    expected = sigma * 2**0.5 * 2**0.5  # the difference of two frames, two channels
    assert flicker(changed) == pytest.approx(expected, rel=0.02)
    assert flicker_by_frame(changed) == pytest.approx(np.full(3, expected), rel=0.04)


def test_nothing_is_measured_across_a_cut():
    luma = [texture()[..., 0]] * 4
    found = pairs(luma, cuts=[2])
    assert [p is None for p in found] == [False, True, False]
    ab = [np.full((HEIGHT, WIDTH, 2), v, np.float32) for v in (0, 0, 50, 50)]
    changed = changes(ab, found)
    assert flicker(changed) == 0.0
    assert np.isnan(flicker_by_frame(changed)).tolist() == [False, True, False]
    assert warp_error([np.repeat(x, 2, -1)[..., [0, 0, 0]] for x in ab], found) == 0.0


def test_the_histogram_counts_every_channel():
    rgb = np.zeros((2, 2, 3), np.uint8)
    rgb[0, 0], rgb[..., 2] = (255, 10, 0), 7
    found = histogram(rgb)
    assert found[0, 255] == found[1, 10] == 0.25
    assert found[0, 0] == found[1, 0] == 0.75
    assert found[2, 7] == 1.0


def test_the_divergence_is_that_of_the_formula():
    p, q = np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.5, 0.25])
    m = (0.375, 0.5, 0.125)
    kl_p = 0.5 * np.log(0.5 / m[0]) + 0.5 * np.log(0.5 / m[1])
    kl_q = 0.25 * np.log(0.25 / m[0]) + 0.5 * np.log(0.5 / m[1]) + 0.25 * np.log(0.25 / m[2])
    assert js_divergence(p, q) == pytest.approx((kl_p + kl_q) / 2)
    assert js_divergence(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == pytest.approx(np.log(2))


def test_cdc_is_the_mean_over_steps_channels_and_frames():
    black, white = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 255, np.uint8)
    red = black.copy()
    red[..., 0] = 255  # one channel of three
    shares = np.stack([histogram(x) for x in (black, black, red, red, red, red)])
    log2 = np.log(2) / 3
    assert cdc(shares) == pytest.approx((log2 * 1 / 5 + log2 * 2 / 4 + log2 * 2 / 2) / 3)
    alternating = np.stack([histogram(x) for x in (black, white) * 3])
    assert cdc(alternating) == pytest.approx(np.log(2) / 3)  # t = 1 sees it, 2 and 4 do not
    cut = np.stack([histogram(x) for x in [black] * 6 + [white] * 6])
    assert cdc(cut) == pytest.approx(np.log(2) * (1 / 11 + 2 / 10 + 4 / 8) / 3)
    assert cdc(cut, cuts=[6]) == 0.0


def test_cdc_refuses_shots_that_are_too_short():
    with pytest.raises(ValueError, match="4 apart among 4 frames"):
        cdc(np.zeros((4, 3, 256)))


def test_occlusion_is_where_the_flows_disagree():
    assert not occluded(shift(4), shift(-4)).any()
    back = shift(-4)
    back[:, 64:] = 0  # |4 + 0|^2 = 16 > 0.01 * 16 + 0.5
    assert occluded(shift(0), back).mean() == 0.5
    assert not occluded(shift(10), shift(-9))[0, 0]  # 1 < 0.01 * 181 + 0.5


def test_a_motion_boundary_is_a_jump_of_the_flow():
    there = shift(0)
    there[:, 64:] = 5
    found = at_boundary(there)
    assert found[:, 63].all()
    assert found.sum() == HEIGHT
    there = shift(0)
    there[..., 0] += 0.04 * np.arange(WIDTH, dtype=np.float32)  # 0.0016 < 0.002
    assert not at_boundary(there).any()


def test_what_comes_into_view_is_new_for_some_frames():
    age, nothing = np.full((HEIGHT, WIDTH), NEW, np.float32), np.zeros((HEIGHT, WIDTH), bool)
    hidden = nothing.copy()
    hidden[10:20, 10:20] = True
    age = grow(age, shift(0), hidden)
    for _ in range(NEW - 1):
        age = grow(age, shift(0), nothing)
    assert (age[hidden] == NEW - 1).all()
    assert (age[~hidden] == 2 * NEW).all()
    entered = grow(age, shift(3), nothing)  # the picture moves to the left: the right border is new
    assert (entered[:, -3:] == 0).all()
    assert (entered[:, :-3] > 0).all()


def test_lag_sees_a_delayed_colour():
    cuts, late = [10], np.full(30, 2.0)
    assert lag.after_cuts(late, cuts) == (2.0, 2.0)
    delayed = late.copy()
    delayed[10:15] += [10, 8, 6, 4, 2]
    assert lag.after_cuts(delayed, cuts) == (8.0, 2.0)
    assert lag.after_cuts(late, []) is None
    assert lag.after_cuts(late, [27]) is None  # a shot without later frames


def test_the_first_frame_is_compared_with_its_own_shot():
    psnrs = np.array([99.0] * 4 + [20, 24, 24, 24] + [25, 25])
    assert lag.first_frames(psnrs, [4, 8]) == [-3.0, 0.0]


def test_lag_sees_colour_that_is_missing_where_things_come_into_view():
    new = np.zeros((HEIGHT, WIDTH), bool)
    new[:, :8] = True
    pair = Pair(shift(0), shift(0), ~new, ~new, new)
    errors = [np.where(new, 9.0, 3.0)] * 3
    assert lag.at_disocclusions(errors, [pair, None]) == (9.0, 3.0)
    assert lag.at_disocclusions(errors, [None, None]) is None


def test_distance_is_that_of_the_plane():
    assert lag.distance(np.full((1, 1, 2), (3.0, 4.0)), np.zeros((1, 1, 2))) == 5.0


def test_bleeding_sees_a_blurred_edge_of_colour():
    luma = np.full((HEIGHT, WIDTH), 30, np.float32)
    luma[:, 64:] = 70
    sharp = np.where(luma > 50, 40, -40)[..., None].astype(np.float32).repeat(2, -1)
    blurred = cv2.GaussianBlur(sharp, (0, 0), 2.0)
    found = [bleeding.edges(luma)]
    assert found[0].near.sum() == pytest.approx(7 * HEIGHT, rel=0.2)
    near, away = bleeding.near_and_away([lag.distance(blurred, sharp)], found)
    assert near > 20 * away
    assert bleeding.near_and_away([lag.distance(sharp, sharp)], found) == (0.0, 0.0)
    assert bleeding.excess([sharp], found) == 0.0
    wider = cv2.GaussianBlur(sharp, (0, 0), 4.0)
    assert 0.3 < bleeding.excess([blurred], found) < bleeding.excess([wider], found) < 1.0
    assert bleeding.excess([np.zeros_like(sharp)], found) is None


def test_flow_is_in_pixels_x_first():
    a, b = lightness(moving(2, step=2))
    assert np.median(flow(a, b), (0, 1)) == pytest.approx((-2, 0), abs=0.1)
