"""Shots, brightness and smoother together."""

import itertools

import cv2
import numpy as np
import pytest

from vidcolor.color.proxy import LumaProxy
from vidcolor.errors import OptionError
from vidcolor.options import ColorizeOptions
from vidcolor.temporal.clock import Clock
from vidcolor.temporal.deflicker import Deflicker
from vidcolor.temporal.stabilizer import Stabilizer


def frames(seed, count, drift=0):
    """A picture of smooth noise that moves by `drift` pixels a frame, as L*."""
    noise = np.random.default_rng(seed).uniform(5, 95, (20, 34)).astype(np.float32)
    wide = cv2.resize(noise, (680, 400), interpolation=cv2.INTER_CUBIC).clip(0, 100)
    return [np.ascontiguousarray(wide[:224, i * drift : i * drift + 384]) for i in range(count)]


def colour_by_lightness(lightness):
    return np.stack([np.dstack((x[::4, ::4] - 50, 50 - x[::4, ::4])) for x in lightness])


def run(lightness, *, live=False, **options):
    stabilizer = Stabilizer(colour_by_lightness, ColorizeOptions(**options), live=live)
    out = [colour for x in lightness for colour in stabilizer.push(LumaProxy(x, x))] + stabilizer.finish()
    assert len(out) == len(lightness)
    assert sum(colour.anew for colour in out) == (stabilizer.shots_begun if stabilizer.deflicker else len(out))
    assert sum(bool(colour.kind) for colour in out) == stabilizer.shots_begun
    return [colour.ab for colour in out], stabilizer


@pytest.mark.parametrize("live", [False, True])
def test_a_shot_has_the_same_colour_whatever_came_before_it(live):
    first, second = frames(0, 19, drift=2), frames(1, 19, drift=3)
    whole, stabilizer = run(first + second, live=live)
    assert stabilizer.shots_begun == 2
    for a, b in zip(whole, run(first, live=live)[0] + run(second, live=live)[0], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("live", [False, True])
def test_brightness_flicker_does_not_become_colour_flicker(live):
    rng = np.random.default_rng(0)
    still = frames(0, 33)
    flickering = [x * np.float32(rng.uniform(0.85, 1.0)) for x in still]

    def change(smoother):
        out = run(flickering, live=live, smoother=smoother)[0]
        return np.mean([np.abs(b - a).mean() for a, b in itertools.pairwise(out)])

    raw = change("none")
    assert raw > 1
    assert change("auto") < 0.05 * raw
    held = list(map(Deflicker(), flickering))
    assert np.mean([np.abs(b - a).mean() for a, b in itertools.pairwise(held)]) < 0.2 * raw


def test_deflicker_follows_the_light_within_a_shot_and_forgets_at_a_cut():
    deflicker = Deflicker()
    grey = np.full((8, 8), 40, np.float32)
    assert deflicker(grey).mean() == 40
    assert deflicker(grey * 1.2).mean() == pytest.approx(40.4, abs=0.1)
    for _ in range(100):
        last = deflicker(grey * 1.2)
    assert last.mean() == pytest.approx(48, abs=0.5)
    deflicker.reset()
    assert deflicker(grey / 2).mean() == 20


def test_deflicker_does_not_hold_a_fade_or_the_picture_after_black_back():
    deflicker = Deflicker()
    grey, black = np.full((8, 8), 50, np.float32), np.zeros((8, 8), np.float32)
    for _ in range(24):
        assert deflicker(black).max() == 0
    assert deflicker(grey).mean() == 50
    deflicker.reset()
    gains = [deflicker(grey * np.float32(i / 25)).mean() / (50 * i / 25) for i in range(1, 26)]
    assert min(gains) >= 0.799
    for _ in range(40):
        last = deflicker(grey).mean()
    assert last > 48


def test_options_of_time_are_checked():
    with pytest.raises(OptionError, match="every"):
        ColorizeOptions(every=0)
    with pytest.raises(OptionError, match="smoother 'blur' is not known"):
        ColorizeOptions(smoother="blur")
    with pytest.raises(OptionError, match="needs every frame"):
        ColorizeOptions(smoother="ema", every=2)


def test_the_clock_counts_a_stage_within_another_once():
    clock = Clock()

    def outer():
        return sum(clock.time("inner", lambda: sum(range(200_000))) for _ in range(5))

    total = Clock()
    total.time("all", lambda: clock.time("outer", outer))
    assert clock.busy["inner"] > 5 * clock.busy["outer"] > 0
    assert sum(clock.busy.values()) <= total.busy["all"]
