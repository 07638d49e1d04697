"""Shots, brightness and smoother together."""

import itertools

import cv2
import numpy as np
import pytest

from vidcolor.color.proxy import LumaProxy
from vidcolor.errors import OptionError
from vidcolor.frames.colorizer import FrameColorizer
from vidcolor.frames.item import Prepared
from vidcolor.options import ColorizeOptions
from vidcolor.stills.frames import ArrayFrames
from vidcolor.temporal.clock import Clock
from vidcolor.temporal.deflicker import Deflicker


def frames(seed, count, drift=0):
    """A picture of smooth noise that moves by `drift` pixels a frame, as L*."""
    noise = np.random.default_rng(seed).uniform(5, 95, (20, 34)).astype(np.float32)
    wide = cv2.resize(noise, (680, 400), interpolation=cv2.INTER_CUBIC).clip(0, 100)
    return [np.ascontiguousarray(wide[:224, i * drift : i * drift + 384]) for i in range(count)]


def colour_by_lightness(numbers, lightness):
    return np.stack([np.dstack((x[::4, ::4] - 50, 50 - x[::4, ::4])) for x in lightness])


def run(lightness, predict=colour_by_lightness, *, live=False, **options):
    colorizer = FrameColorizer(ArrayFrames(224), predict, ColorizeOptions(**options), live=live)
    out = []
    for number, x in enumerate(lightness):
        out += colorizer.push(Prepared(number, None, LumaProxy(x, x)))
    out += colorizer.finish()
    assert [colour.number for colour in out] == list(range(len(lightness)))
    return out


def change(planes):
    """Mean change from one plane to the next."""
    return np.mean([np.abs(b - a).mean() for a, b in itertools.pairwise(planes)])


@pytest.mark.parametrize("live", [False, True])
def test_a_shot_has_the_same_colour_whatever_came_before_it(live):
    first, second = frames(0, 19, drift=2), frames(1, 19, drift=3)
    whole = run(first + second, live=live)
    for a, b in zip(whole, run(first, live=live) + run(second, live=live), strict=True):
        np.testing.assert_array_equal(a.ab, b.ab)


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize(("smoothing", "anew"), [(0.9, [0, 19]), (0.0, list(range(38)))])
def test_frames_say_where_shots_begin_and_what_keeps_nothing_of_the_frame_before(live, smoothing, anew):
    """Without smoothing every frame stands alone; with it the first of each shot does."""
    out = run(frames(0, 19, drift=2) + frames(1, 19, drift=3), live=live, smoothing=smoothing)
    assert {i: colour.kind for i, colour in enumerate(out) if colour.kind} == {0: "first", 19: "cut"}
    assert [i for i, colour in enumerate(out) if colour.anew] == anew


@pytest.mark.parametrize("live", [False, True])
def test_brightness_flicker_does_not_become_colour_flicker(live):
    rng = np.random.default_rng(0)
    flickering = [x * np.float32(rng.uniform(0.85, 1.0)) for x in frames(0, 33)]
    seen = {"none": [], "auto": []}
    found = {}
    for smoother, pictures in seen.items():

        def predict(numbers, lightness, pictures=pictures):
            pictures += lightness
            return colour_by_lightness(numbers, lightness)

        found[smoother] = change([c.ab for c in run(flickering, predict, live=live, smoother=smoother, every=None)])
    assert found["none"] > 1
    assert found["auto"] < 0.05 * found["none"]
    brightness = {smoother: [x.mean() for x in pictures] for smoother, pictures in seen.items()}
    assert brightness["none"] == [x.mean() for x in flickering]  # as they are
    assert len(brightness["auto"]) > 3
    assert change(brightness["auto"]) < 0.2 * change(brightness["none"])  # the network sees no flicker


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


def test_numbers_may_be_left_out():
    """Live channels drop frames: those that come keep their own numbers."""
    colorizer = FrameColorizer(ArrayFrames(224), colour_by_lightness, ColorizeOptions(), live=True)
    out = []
    for number, x in zip((0, 3, 4, 9), frames(0, 4), strict=True):
        out += colorizer.push(Prepared(number, None, LumaProxy(x, x)))
    assert [item.number for item in out] == [0, 3, 4, 9]
    films = FrameColorizer(ArrayFrames(224), colour_by_lightness, ColorizeOptions())
    out = []
    for number, x in zip(range(0, 60, 2), frames(0, 30), strict=True):
        out += films.push(Prepared(number, None, LumaProxy(x, x)))
    assert [item.number for item in out + films.finish()] == list(range(0, 60, 2))
