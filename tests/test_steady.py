"""Which frames the network sees, and that a film is coloured alike whatever surrounds a shot."""

import numpy as np
import pytest

from vidcolor.errors import OptionError
from vidcolor.options import ColorizeOptions
from vidcolor.preview import Small
from vidcolor.smoothing import FlowSmoother, NoSmoother
from vidcolor.steady import LONGEST, Pace, Steady


def frames(seed, count, drift=0):
    """A picture of smooth noise that moves by `drift` pixels a frame, as L*."""
    import cv2

    noise = np.random.default_rng(seed).uniform(5, 95, (20, 34)).astype(np.float32)
    wide = cv2.resize(noise, (680, 400), interpolation=cv2.INTER_CUBIC).clip(0, 100)
    return [np.ascontiguousarray(wide[:224, i * drift : i * drift + 384]) for i in range(count)]


def run(lightness, **options):
    """Number of predictions, numbers of the frames that begin shots, and a*b* of every frame."""
    pace = Pace("cpu", ColorizeOptions(**options))
    steady = Steady(pace.smoother(), pace)
    seen, cuts, out = [], [], []
    for i, x in enumerate(lightness):

        def predict(i=i, x=x):
            seen.append(i)
            return np.dstack((x[::4, ::4] - 50, 50 - x[::4, ::4]))

        is_cut, ab = steady(Small(x, x), predict)
        cuts += [i] if is_cut else []
        out.append(ab)
    return seen, cuts, out


def test_a_still_picture_is_seen_at_the_longest_pace():
    seen, cuts, _ = run(frames(0, 13))
    assert seen == list(range(0, 13, LONGEST))
    assert cuts == [0]


def test_fixed_paces_count_from_the_cut():
    seen, cuts, _ = run(frames(0, 7) + frames(1, 7), every=3)
    assert cuts == [0, 7]
    assert seen == [0, 3, 6, 7, 10, 13]
    assert run(frames(0, 5), every=1)[0] == [0, 1, 2, 3, 4]


def test_motion_that_uncovers_much_is_seen_at_once():
    fast = run(frames(0, 8, drift=24))[0]
    assert len(fast) > len(run(frames(0, 8, drift=1))[0])


def test_on_a_card_and_without_smoothing_every_frame_is_seen():
    assert Pace("cuda", ColorizeOptions()).every == 1
    assert Pace("cuda", ColorizeOptions(every=4)).every == 4
    assert Pace("cpu", ColorizeOptions(smoothing=0.0)).every == 1
    assert isinstance(Pace("cpu", ColorizeOptions(smoothing=0.0)).smoother(), NoSmoother)
    carrying = Pace("cpu", ColorizeOptions(smoothing=0.0, every=4)).smoother()
    assert isinstance(carrying, FlowSmoother)
    with pytest.raises(OptionError, match="every"):
        ColorizeOptions(every=0)


def test_a_shot_has_the_same_colour_whatever_came_before_it():
    first, second = frames(0, 9, drift=2), frames(1, 9, drift=3)
    whole, alone = run(first + second)[2][9:], run(second)[2]
    for a, b in zip(whole, alone, strict=True):
        np.testing.assert_array_equal(a, b)
