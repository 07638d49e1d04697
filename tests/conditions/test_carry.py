"""Motion to reference frames, chained both ways, and what their colours say of other frames."""

import json

import cv2
import numpy as np
import pytest

from vidcolor.conditions.carry import Carrier, View, grey_of
from vidcolor.conditions.conditioner import Conditioner, nearest
from vidcolor.conditions.known import Known, mixed
from vidcolor.conditions.store import Stretch, Survey
from vidcolor.conditions.track import STEP, Track, Tracker

DRIFT, SIZE = 3, (216, 384)  # pixels a frame, to the left; height and width


@pytest.fixture(scope="module")
def pan():
    """L* of 30 frames of a picture of smooth noise that moves to the left."""
    noise = np.random.default_rng(1).uniform(10, 90, (20, 60)).astype(np.float32)
    wide = cv2.resize(noise, (600, SIZE[0]), interpolation=cv2.INTER_CUBIC).clip(0, 100)
    return [np.ascontiguousarray(wide[:, DRIFT * i : DRIFT * i + SIZE[1]]) for i in range(30)]


def tracks_of(frames, *, references, cuts=(0,)):
    tracker, found = Tracker(), []
    for number, lightness in enumerate(frames):
        found += tracker.push(number, lightness, begins=number in cuts, reference=number in references)
    return found + tracker.finish()


@pytest.mark.parametrize("number", [0, 1, 2, 9, 12, 14, 29])
def test_a_track_gives_the_motion_to_its_reference_both_ways(pan, number):
    found = [t for t in tracks_of(pan, references={12}) if t.numbers[0] <= number <= t.numbers[-1]]
    assert found
    for track in found:
        assert track.reference == 12
        x, y = np.moveaxis(track.move(number)[8:-8, 24:-24], -1, 0)
        wanted = DRIFT * (number - 12)  # a point further left later stood further right in the reference
        assert np.abs(np.median(x) - wanted) < 0.5
        assert np.abs(np.median(y)) < 0.5


def test_tracks_end_at_cuts_and_at_the_next_reference(pan):
    spans = {(t.reference, int(t.numbers[0]), int(t.numbers[-1])) for t in
             tracks_of(pan, references={4, 10, 22}, cuts={0, 17})}  # fmt: skip
    assert spans == {(4, 0, 4), (4, 4, 10), (10, 4, 10), (10, 10, 16), (22, 17, 22), (22, 22, 29)}


def test_a_shot_without_a_reference_has_no_track(pan):
    assert tracks_of(pan, references=set()) == []
    assert {t.reference for t in tracks_of(pan, references={20}, cuts={0, 17})} == {20}


def test_between_kept_frames_motion_is_linear():
    moves = np.zeros((2, 3, 4, 2), np.float16)
    moves[1] = STEP
    track = Track(0, np.array([0, STEP]), moves)
    for number in range(STEP + 1):
        np.testing.assert_allclose(track.move(number), number)


def view_of(lightness, number=0):
    ab = np.dstack((lightness - 50, 50 - lightness)).astype(np.float32)
    return View(number, grey_of(lightness), ab, np.ones(SIZE, np.float32))


def small(planes):
    return cv2.resize(planes, (SIZE[1] // 2, SIZE[0] // 2), interpolation=cv2.INTER_AREA)


def test_on_its_own_frame_a_view_is_certain(pan):
    view = view_of(pan[5])
    known = Carrier().carry(view, view.grey, np.zeros((54, 96, 2), np.float32))
    assert known.confidence.min() > 0.99
    np.testing.assert_allclose(known.ab, small(view.ab), atol=0.5)


def test_a_view_is_carried_beyond_what_the_chain_says(pan):
    """The chain may be some pixels off: the direct search finds the rest."""
    view, off = view_of(pan[0]), np.zeros((54, 96, 2), np.float32)
    off[..., 0] = 8 * DRIFT + 2.5
    known = Carrier().carry(view, grey_of(pan[8]), off)
    inside = np.s_[8:-8, 8 : (SIZE[1] - 8 * DRIFT) // 2 - 8]
    assert known.confidence[inside].mean() > 0.95
    wanted = small(view_of(pan[8]).ab)[inside]
    assert np.abs(known.ab[inside] - wanted).mean() < 1.0


def test_what_the_reference_does_not_show_is_not_known(pan):
    move = np.zeros((54, 96, 2), np.float32)
    move[..., 0] = 20 * DRIFT
    known = Carrier().carry(view_of(pan[0]), grey_of(pan[20]), move)
    assert known.confidence[:, -20 * DRIFT // 2 + 4 :].max() < 0.1  # came in from the right
    covered = pan[3].copy()
    covered[60:160, 120:260] = 95.0  # something stands before it
    known = Carrier().carry(view_of(pan[3]), grey_of(covered), np.zeros_like(move))
    assert np.median(known.confidence[36:74, 66:124]) < 0.6
    assert np.median(known.confidence[:20]) > 0.95


def test_brightness_of_the_whole_picture_does_not_count(pan):
    dark = grey_of(pan[0] * np.float32(0.85))
    known = Carrier().carry(view_of(pan[0]), dark, np.zeros((54, 96, 2), np.float32))
    assert known.confidence.mean() > 0.9


def test_the_part_that_alpha_hides_says_nothing(pan):
    view = view_of(pan[0])
    view.confidence[:, :200] = 0.0
    view.ab[:, :200] = 99.0
    known = Carrier().carry(view, view.grey, np.zeros((54, 96, 2), np.float32))
    assert known.confidence[:, :98].max() < 0.01
    shrunk = known.shrunk((96, 54))
    np.testing.assert_allclose(
        shrunk.ab[:, 51:], cv2.resize(view_of(pan[0]).ab, (96, 54), interpolation=3)[:, 51:], atol=1
    )


def test_several_share_by_nearness_and_confidence():
    one = Known(np.full((2, 2, 2), 10, np.float32), np.array([[1, 1], [0, 0]], np.float32))
    two = Known(np.full((2, 2, 2), 30, np.float32), np.array([[1, 0], [1, 0]], np.float32))
    both = mixed([(one, 0.75), (two, 0.25)])
    np.testing.assert_allclose(both.ab[..., 0], [[15, 10], [30, 15]], atol=0.01)
    np.testing.assert_allclose(both.confidence, [[1, 1], [1, 0]], atol=0.01)


def test_the_reference_before_and_the_one_behind_speak():
    before, after, far = Stretch(10, 10, 30), Stretch(30, 10, 30), Stretch(2, 2, 10)
    assert nearest([before, after], 15) == [(before, 0.75), (after, 0.25)]
    assert nearest([before, after, far], 10) == [(before, 1.0)]
    assert nearest([after], 15) == [(after, 1.0)]
    assert nearest([], 15) == []


def test_a_survey_is_read_again_as_it_was_written(pan, tmp_path):
    survey = Survey(tmp_path, "key")
    view = view_of(pan[12], 12)
    survey.add_view(view)
    for track in tracks_of(pan, references={12}):
        survey.add_track(track)
    survey.shots = {0: "first"}
    survey.notes.append("used")
    survey.finish()
    found = Survey.read(tmp_path, "key")
    assert (found.shots, found.stretches, found.notes) == (survey.shots, survey.stretches, survey.notes)
    for number in (3, 12, 29):
        one, two = Conditioner(survey)(number, pan[number]), Conditioner(found)(number, pan[number])
        np.testing.assert_array_equal(one.ab, two.ab)
        assert one.confidence.mean() > 0.7
    assert Survey.read(tmp_path, "another key") is None
    for text in ("", "[]", json.dumps({"format": 99}), '{"format": 1, "key": "key"}'):
        (tmp_path / "survey.json").write_text(text)
        assert Survey.read(tmp_path, "key") is None
