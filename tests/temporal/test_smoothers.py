"""One suite for every smoother, then what each promises on its own."""

import itertools

import cv2
import numpy as np
import pytest

from vidcolor.options import ColorizeOptions
from vidcolor.temporal.causal import MAX_INTERVAL, NoSmoother
from vidcolor.temporal.lookahead import MAX_SPAN
from vidcolor.temporal.smoothers import SMOOTHERS, smoother_name

GRID = (64, 112)
STEADY = ("ema", "flow", "lookahead")


@pytest.fixture(scope="module")
def texture():
    noise = np.random.default_rng(0).uniform(0, 100, (40, 140)).astype(np.float32)
    return cv2.resize(noise, (1120, 320), interpolation=cv2.INTER_CUBIC).clip(0, 100)


def window(picture, x=0):
    return np.ascontiguousarray(picture[32:288, 32 + x : 32 + x + 448])


class Network:
    """Colours frames by their number."""

    def __init__(self, colours):
        self.colours, self.seen = colours, []

    def __call__(self, numbers, lightness):
        assert len(numbers) == len(lightness)
        self.seen += numbers
        return np.stack([self.colours(i) for i in numbers]).astype(np.float32)


def run(make, frames, colours, cuts=()):
    """a*b* of every frame, numbers of the frames that the network saw, and how many frames were held back."""
    network = Network(colours)
    smoother, out, held = make(network), [], 0
    for i, lightness in enumerate(frames):
        if i in cuts:
            out += smoother.finish()
            assert len(out) == i
        out += smoother.push(i, lightness)
        held = max(held, i + 1 - len(out))
    out += smoother.finish()
    assert smoother.finish() == []
    assert [number for number, _ in out] == list(range(len(out)))  # in order, each with its own number
    return [ab for _, ab in out], network.seen, held


def named(name, **options):
    return lambda network: SMOOTHERS[name](network, ColorizeOptions(smoother=name, **options))


def flat(*levels):
    return np.full((*GRID, 2), levels[0] if len(levels) == 1 else levels, np.float32)


def patch(left, level=50.0):
    ab = np.zeros((*GRID, 2), np.float32)
    ab[20:40, left : left + 30] = level
    return ab


@pytest.mark.parametrize("name", SMOOTHERS)
class TestEverySmoother:
    def test_gives_one_grid_for_each_frame_in_order(self, name, texture):
        """Colour that is the frame's number on a sliding picture can only rise."""
        for count in (1, 2, 3, 7, 8, 9, 10, 17, 26):
            frames = [window(texture, 2 * i) for i in range(count)]
            out, seen, _ = run(named(name), frames, lambda i: flat(float(i)))
            assert len(out) == count
            assert all(x.shape == (*GRID, 2) and x.dtype == np.float32 for x in out)
            levels = [float(x.mean()) for x in out]
            assert levels == sorted(levels)
            assert seen[0] == 0
            assert len(seen) == len(set(seen))

    def test_steady_colour_stays_as_it_is(self, name, texture):
        frames = [window(texture, 3 * i) for i in range(20)]
        for ab in run(named(name), frames, lambda i: flat(20, -30))[0]:
            np.testing.assert_allclose(ab, flat(20, -30), atol=1e-4)

    def test_a_shot_is_the_same_whatever_surrounds_it(self, name, texture):
        other = 100 - window(texture, 60)[::-1]
        first, second = [window(texture, 4 * i) for i in range(13)], [other.copy() for _ in range(11)]
        rng = np.random.default_rng(0)
        levels = rng.normal(0, 20, 24)
        whole = run(named(name), first + second, lambda i: flat(levels[i]), cuts=[13])[0]
        alone = run(named(name), second, lambda i: flat(levels[13 + i]))[0]
        assert len(whole) == 24
        for a, b in zip(whole[13:], alone, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", STEADY)
def test_flicker_on_a_still_picture_is_damped(name, texture):
    levels = 20 + np.random.default_rng(0).normal(0, 5, 400)
    out = run(named(name), [window(texture).copy() for _ in levels], lambda i: flat(levels[i]))[0]
    means = [float(o.mean()) for o in out[20:]]
    assert np.abs(np.diff(means)).mean() < 0.2 * np.abs(np.diff(levels[20:])).mean()
    assert np.mean(means) == pytest.approx(20, abs=2.5)


@pytest.mark.parametrize("name", ["flow", "lookahead"])
def test_colour_moves_with_the_picture(name, texture):
    """A patch that is predicted in its place, but half as strong on odd frames, stays sharp and on its texture."""
    frames = [window(texture, 4 * i) for i in range(17)]  # one cell to the left each frame
    out = run(named(name), frames, lambda i: patch(60 - i, 50 - 25 * (i % 2)))[0]
    for i in (6, 11, 16):
        a = out[i][..., 0]
        assert a[24:36, 63 - i : 87 - i].min() > 20
        assert a[24:36, : 57 - i].max() < 5
        assert a[24:36, 93 - i :].max() < 5


@pytest.mark.parametrize("name", STEADY)
def test_a_new_picture_takes_its_own_colour(name, texture):
    """A cut that no detector has found: colour does not leak from one picture into the other."""
    frames = [window(texture).copy() for _ in range(4)] + [(100 - window(texture, 60)[::-1]).copy() for _ in range(13)]
    out = run(named(name), frames, lambda i: flat(50.0 if i < 4 else -50.0))[0]
    assert np.median(out[3]) > 35
    assert np.median(out[4]) < -35


def test_the_default_looks_ahead_in_files_and_is_causal_live():
    assert smoother_name(ColorizeOptions()) == "lookahead"
    assert smoother_name(ColorizeOptions(), live=True) == "flow"
    assert smoother_name(ColorizeOptions(smoothing=0.0)) == "none"
    assert smoother_name(ColorizeOptions(smoothing=0.0, every=4)) == "lookahead"
    assert smoother_name(ColorizeOptions(smoother="ema")) == "ema"
    assert smoother_name(ColorizeOptions(smoother="lookahead"), live=True) == "flow"  # no frame may wait


class TestNone:
    def test_changes_nothing_and_takes_batches(self, texture):
        sizes = []

        def predict(numbers, lightness):
            sizes.append(len(lightness))
            return np.stack([flat(x[0, 0]) for x in lightness])

        frames = [window(texture, i) for i in range(10)]
        smoother = NoSmoother(predict, 4)
        done = list(itertools.chain(*(smoother.push(i, x) for i, x in enumerate(frames)))) + smoother.finish()
        assert [number for number, _ in done] == list(range(10))
        out = [ab for _, ab in done]
        assert sizes == [4, 4, 2]
        for ab, frame in zip(out, frames, strict=True):
            np.testing.assert_array_equal(ab, flat(frame[0, 0]))


class TestFlow:
    def test_a_still_picture_is_seen_at_the_longest_pace(self, texture):
        assert run(named("flow"), [window(texture).copy() for _ in range(13)], flat)[1] == list(
            range(0, 13, MAX_INTERVAL)
        )

    def test_fixed_paces_count_from_the_cut(self, texture):
        frames = [window(texture).copy() for _ in range(14)]
        assert run(named("flow", every=3), frames, flat, cuts=[7])[1] == [0, 3, 6, 7, 10, 13]
        assert run(named("flow", every=1), frames, flat)[1] == list(range(14))

    def test_motion_that_uncovers_much_is_seen_at_once(self, texture):
        slow, fast = ([window(texture, i * step) for i in range(8)] for step in (1, 40))
        assert len(run(named("flow"), fast, flat)[1]) > len(run(named("flow"), slow, flat)[1])

    def fade(self, every, texture, frames):
        """Levels of a still picture of a*b* 50 whose every `every`-th frame is predicted grey."""
        still = [window(texture).copy() for _ in range(frames + 1)]
        out = run(named("flow", every=every, smoothing=0.9), still, lambda i: flat(0.0 if i else 50.0))[0]
        return [float(x.mean()) for x in out[1:]]

    def test_the_filters_memory_is_the_same_in_time_at_any_pace(self, texture):
        """What ten frames leave of the old colour does not depend on how often it is looked at, once all is paid."""
        for every in (1, 2, 5):
            assert self.fade(every, texture, 9 + every)[-1] == pytest.approx(50 * 0.9**10, rel=0.02)

    def test_colour_moves_evenly_between_predictions(self, texture):
        steps = -np.diff(self.fade(4, texture, 24)[3:])
        assert steps.min() > 0  # it moves in every frame
        assert steps.max() < 1.6 * steps[:4].mean()  # and never by a pulse

    def test_full_smoothing_never_changes(self, texture):
        out = run(named("flow", smoothing=1.0), [window(texture).copy() for _ in range(9)], lambda i: flat(50.0 - i))[0]
        np.testing.assert_allclose(out[-1], flat(50.0), atol=1e-3)


class TestLookahead:
    def test_keys_are_regular_and_the_ends_of_a_shot(self, texture):
        still = [window(texture).copy() for _ in range(2 * MAX_SPAN + 4)]
        assert run(named("lookahead"), still, flat)[1] == [0, MAX_SPAN, 2 * MAX_SPAN, 2 * MAX_SPAN + 3]
        assert run(named("lookahead", every=3), still[:9], flat, cuts=[5])[1] == [0, 3, 4, 5, 8]

    def test_a_span_that_neither_key_knows_is_halved(self, texture):
        """Two pictures that differ, within one span: keys close in on the change."""
        other = 100 - window(texture, 60)[::-1]
        frames = [window(texture).copy() for _ in range(3)] + [other.copy() for _ in range(3)]
        flash = [window(texture).copy() for _ in range(4)] + [other.copy()] + [window(texture).copy() for _ in range(4)]
        assert 4 in run(named("lookahead"), flash, flat)[1]
        assert len(run(named("lookahead"), frames, flat)[1]) == 2  # here each picture is known from its own end

    def test_colour_arrives_without_lag(self, texture):
        """A change that is predicted from frame 16 on begins before it, and is even all along."""
        still = [window(texture).copy() for _ in range(33)]
        out = run(named("lookahead", every=8), still, lambda i: flat(0.0 if i < 16 else 40.0))[0]
        levels = [float(x.mean()) for x in out]
        assert levels == sorted(levels)
        assert 5 < levels[8] < 15  # it begins before the change that a causal filter only follows
        assert np.abs(np.diff(levels)).max() < 3

    def test_the_average_is_exact(self, texture):
        """On a still picture a key is the mean of all keys before and one behind, weighted by amount^frames."""
        still = [window(texture).copy() for _ in range(17)]
        levels = {0: 10.0, 8: 40.0, 16: -20.0}
        out = run(named("lookahead", smoothing=0.9, every=8), still, lambda i: flat(levels[i]))[0]
        k = 0.9**8
        sums = [10 + 40 * k, 10 * k + 40 - 20 * k, 10 * k * k + 40 * k - 20]
        expected = [x / w for x, w in zip(sums, (1 + k, 1 + 2 * k, 1 + k + k * k), strict=True)]
        for i, level in zip((0, 8, 16), expected, strict=True):
            assert out[i].mean() == pytest.approx(level, rel=1e-3)
        assert out[4].mean() == pytest.approx((expected[0] + expected[1]) / 2, rel=1e-3)

    def test_uncovered_ground_takes_its_colour_from_the_key_that_sees_it(self, texture):
        """A blue bar slides over red ground: what it uncovers is red at once, without a trace of blue."""
        frames, bars = [], []
        for i in range(9):
            frame, x = window(texture).copy(), 40 + 20 * i
            frame[:, x : x + 100] = 100 - window(texture, 200)[:, 100:200]
            frames.append(frame)
            bars.append(x // 4)

        def colours(i):
            ab = flat(40.0, 20.0)
            ab[:, bars[i] : bars[i] + 25] = (-20, -40)
            return ab

        out = run(named("lookahead", every=8), frames, colours)[0]
        behind = out[4][16:48, bars[0] + 3 : bars[4] - 3, 0]
        assert np.median(behind) > 35

    def test_smoothing_zero_only_carries(self, texture):
        still = [window(texture).copy() for _ in range(9)]
        out = run(named("lookahead", smoothing=0.0, every=4), still, lambda i: flat(10.0 * i))[0]
        assert [float(x.mean()) for x in out] == pytest.approx([10.0 * i for i in range(9)], abs=0.01)

    def test_very_thin_pictures_have_motion_too(self):
        for shape in ((4, 600), (600, 4), (1, 1)):
            frames = [np.random.default_rng(i).uniform(0, 100, shape).astype(np.float32) for i in range(9)]
            rows, columns = max(1, shape[0] // 4), max(1, shape[1] // 4)
            ab = np.full((1, rows, columns, 2), 7, np.float32)
            smoother = SMOOTHERS["lookahead"](lambda _, x, ab=ab: ab.repeat(len(x), 0), ColorizeOptions())
            done = [a for i, frame in enumerate(frames) for a in smoother.push(i, frame)] + smoother.finish()
            out = [ab for _, ab in done]
            assert len(out) == 9
            np.testing.assert_allclose(out[4], ab[0], atol=1e-3)
