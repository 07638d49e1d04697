import av
import numpy as np
import pytest

from tests.conftest import CLIPS, SAMPLE
from vidcolor.color import Encoding
from vidcolor.preview import SmallSize, make_small
from vidcolor.shots import CutDetector

KNOWN = {
    "film_faces_cuts": [0, 62, 98],
    "street_cut": [0, 61],
}  # by eye, see the clips' README; all others have one shot


def lightness(path):
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            luma = frame.to_ndarray(format="gray")
            yield make_small(luma, SmallSize.fit(frame.width, frame.height, 128), Encoding()).lightness


def cuts(pictures):
    detector = CutDetector()
    return [i for i, p in enumerate(pictures) if detector.update(p)]


@pytest.mark.parametrize("clip", CLIPS, ids=lambda p: p.stem)
def test_cuts_of_the_clips(clip):
    assert cuts(lightness(clip)) == KNOWN.get(clip.stem, [0])


def test_brightness_flicker_is_no_cut():
    rng = np.random.default_rng(0)
    assert cuts(p * rng.uniform(0.85, 1.1) for p in lightness(SAMPLE)) == [0]
