import cv2
import numpy as np
import pytest

from vidcolor.smoothing import FlowSmoother, NoSmoother, make_smoother


@pytest.fixture(scope="module")
def texture():
    noise = np.random.default_rng(0).uniform(0, 100, (40, 70)).astype(np.float32)
    return cv2.resize(noise, (560, 320), interpolation=cv2.INTER_CUBIC).clip(0, 100)


def window(picture, x):
    return np.ascontiguousarray(picture[32:288, 32 + x : 32 + x + 448])


def step(smoother, lightness, ab):
    smoother.carry(lightness)
    return smoother.update(ab)


def test_off_changes_nothing(texture):
    ab = np.random.default_rng(0).normal(0, 20, (64, 112, 2)).astype(np.float32)
    smoother = make_smoother(0.0)
    assert isinstance(smoother, NoSmoother)
    assert step(smoother, window(texture, 0), ab) is ab


def test_flicker_on_a_still_picture_is_damped(texture):
    rng, smoother = np.random.default_rng(0), FlowSmoother(0.9)
    out = [
        step(smoother, window(texture, 0), np.full((64, 112, 2), 20 + rng.normal(0, 5), np.float32)) for _ in range(60)
    ]
    levels = [o.mean() for o in out[20:]]
    assert np.std(levels) < 2.0  # 5 goes in
    assert np.mean(levels) == pytest.approx(20, abs=2.5)


def test_colour_moves_with_the_picture(texture):
    """A coloured patch on moving texture stays on its texture although the prediction fades to grey."""
    smoother = FlowSmoother(0.9)
    ab = np.zeros((64, 112, 2), np.float32)
    ab[20:40, 40:70] = 50
    step(smoother, window(texture, 0), ab)
    for x in (4, 8):
        out = step(smoother, window(texture, x), np.zeros_like(ab))
    left, right = out[30, 30:50, 0], out[30, 55:75, 0]
    assert out[25:35, 45:60, 0].mean() > 30
    assert np.argmax(left > 20) + 30 == pytest.approx(38, abs=1)  # 8 pixels are 2 cells to the left
    assert np.argmax(right < 20) + 55 == pytest.approx(68, abs=1)


def test_a_new_picture_takes_its_own_colour(texture):
    smoother = FlowSmoother(0.9)
    step(smoother, window(texture, 0), np.full((64, 112, 2), 50, np.float32))
    other = 100 - window(texture, 60)[::-1].copy()
    out = step(smoother, other, np.full((64, 112, 2), -50, np.float32))
    assert np.median(out) < -35


def test_reset_forgets(texture):
    smoother = FlowSmoother(1.0)
    step(smoother, window(texture, 0), np.full((64, 112, 2), 50, np.float32))
    smoother.reset()
    ab = np.full((64, 112, 2), -10, np.float32)
    np.testing.assert_array_equal(step(smoother, window(texture, 0), ab), ab)


def test_without_a_prediction_colour_is_carried(texture):
    """A patch follows its texture over frames that the network does not see; doubt grows where it is uncovered."""
    smoother = FlowSmoother(0.9)
    ab = np.zeros((64, 112, 2), np.float32)
    ab[20:40, 40:70] = 50
    assert smoother.carry(window(texture, 0)) == 1.0
    smoother.update(ab)
    doubts = []
    for x in (4, 8, 12):
        doubts.append(smoother.carry(window(texture, x)))
        out = smoother.update(None)
    assert out[25:35, 42:62, 0].mean() > 45
    assert out[25:35, 72:90, 0].mean() < 5
    assert doubts == sorted(doubts)
    assert doubts[-1] < 0.3
    assert smoother.carry(100 - window(texture, 60)[::-1].copy()) > 0.6


def fade(every, texture, frames):
    """Levels of a still picture of a*b* 50 whose every `every`-th frame is predicted grey."""
    smoother = FlowSmoother(0.9)
    step(smoother, window(texture, 0), np.full((64, 112, 2), 50, np.float32))
    grey = np.zeros((64, 112, 2), np.float32)
    return [step(smoother, window(texture, 0), None if i % every else grey).mean() for i in range(1, frames + 1)]


def test_the_filters_memory_is_the_same_in_time_at_any_pace(texture):
    """What ten frames leave of the old colour does not depend on how often it is looked at, once all is paid."""
    for every in (1, 2, 5):
        assert fade(every, texture, 9 + every)[-1] == pytest.approx(50 * 0.9**10, rel=0.02)


def test_colour_moves_evenly_between_predictions(texture):
    levels = fade(4, texture, 24)[3:]
    steps = -np.diff(levels)
    assert steps.min() > 0  # it moves in every frame
    assert steps.max() < 1.6 * steps[:4].mean()  # and never by a pulse
