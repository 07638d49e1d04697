import av
import numpy as np
import pytest

from benchmarks.shots import ahead, causal, count, scores
from benchmarks.splices import FAULTS, flash, read_small, splice
from tests.conftest import CLIPS, SAMPLE
from vidcolor.color.encoding import Encoding
from vidcolor.color.proxy import ProxySize, make_proxy
from vidcolor.shots.detector import CutDetector, ShotDetector
from vidcolor.shots.similarity import dissimilarity, make_thumbnail

KNOWN = {
    "film_faces_cuts": [0, 62, 98],
    "street_cut": [0, 61],
}  # by eye, see the clips' README; all others have one shot
needs_clips = pytest.mark.skipif(not CLIPS, reason="the shared clips are not here")


def lightness(path):
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            luma = frame.to_ndarray(format="gray")
            yield make_proxy(luma, ProxySize.fit(frame.width, frame.height, 128), Encoding()).lightness


def cuts(pictures):
    detector = CutDetector()
    return [i for i, p in enumerate(pictures) if detector.update(p)]


def decided(pictures):
    detector = ShotDetector()
    return [d for p in pictures for d in detector.push(p)] + detector.finish()


@pytest.fixture(scope="module")
def sample():
    return list(lightness(SAMPLE))


@pytest.fixture(scope="module")
def clips():
    names = ("bear", "city_pan", "dog_park", "film_faces_cuts", "street_cut")
    return {c.stem: read_small(c) for c in CLIPS if c.stem in names}


@pytest.mark.parametrize("clip", CLIPS, ids=lambda p: p.stem)
def test_cuts_of_the_clips(clip):
    pictures = list(lightness(clip))
    assert cuts(pictures) == KNOWN.get(clip.stem, [0])
    assert [d.frame for d in decided(pictures) if d.kind] == KNOWN.get(clip.stem, [0])


@needs_clips
@pytest.mark.parametrize("fault", ["none", "flash", "flicker", "weave", "old film"])
def test_spliced_films(clips, fault):
    films = [FAULTS[fault](splice(clips, np.random.default_rng(s), pieces=5), np.random.default_rng(s)) for s in (1, 2)]
    for way in (causal, ahead):
        found = scores(np.sum([count(f, way(f)) for f in films], 0))
        assert found["f1"] >= 0.95
        assert found["false"] == 0


@needs_clips
def test_dissolves_are_found_once_with_a_look_ahead(clips):
    films = [splice(clips, np.random.default_rng(s), pieces=6, dissolve=1.0) for s in (3, 4)]
    found = scores(np.sum([count(f, ahead(f)) for f in films], 0))
    assert found["dissolves"] >= 6
    assert found["dissolves_found"] >= found["dissolves"] - 1
    assert found["false"] == 0


@needs_clips
def test_flashes_alone_are_no_cuts(clips):
    film = flash(splice({k: clips[k] for k in ("bear",)}, np.random.default_rng(5), pieces=1), np.random.default_rng(5))
    assert causal(film) == ahead(film) == []


def test_brightness_flicker_is_no_cut(sample):
    rng = np.random.default_rng(0)
    assert cuts(p * rng.uniform(0.85, 1.1) for p in sample) == [0]


def test_white_and_black_frames_begin_no_shot(sample):
    pictures = [p.copy() for p in sample[:40]]
    pictures[10][:] = pictures[11][:] = 100.0
    pictures[25][:] = 0.0
    assert cuts(pictures) == [0]
    assert [d.frame for d in decided(pictures) if d.kind] == [0]


def test_every_frame_is_decided_once_after_the_look_ahead(sample):
    detector = ShotDetector()
    counts = [len(detector.push(p)) for p in sample[:10]]
    assert counts == [0] * ShotDetector.LOOKAHEAD + [1] * (10 - ShotDetector.LOOKAHEAD)
    assert [d.frame for d in detector.finish()] == list(range(10 - ShotDetector.LOOKAHEAD, 10))
    assert ShotDetector().finish() == []


def test_a_picture_is_like_itself_in_other_light_and_moved(sample):
    one = make_thumbnail(sample[0])
    assert dissimilarity(one, one * 0.5 + 20) == pytest.approx(0, abs=1e-3)
    assert dissimilarity(one, np.roll(one, 2, axis=1)) < 0.1
    assert dissimilarity(one, np.ascontiguousarray(one[::-1])) > 0.4
