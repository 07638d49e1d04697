"""The run over clips: windows, sharing of the truth, and that a row of figures is complete."""

import av
import numpy as np
import pytest

from benchmarks.temporal.clips import LEAD, open_clip, read
from benchmarks.temporal.run import means, temporal
from benchmarks.temporal.score import score
from tests.conftest import CLIPS
from vidcolor import ColorizeOptions

FRAMES = 18
NAMED = {c.stem: c for c in CLIPS}
pytestmark = pytest.mark.skipif("street_cut" not in NAMED, reason="no clips beside the checkout")


@pytest.fixture(scope="module")
def clip():
    return open_clip(NAMED["street_cut"], frames=FRAMES)


def test_the_window_holds_the_cut(clip):
    assert (clip.start, clip.cuts) == (61 - LEAD, (LEAD,))
    assert len(clip.truth.rgb) == FRAMES
    assert clip.truth.rgb[0].shape == (136, 320, 3)
    jumps = [np.abs(b - a).mean() for a, b in zip(clip.truth.rgb, clip.truth.rgb[1:], strict=False)]
    assert int(np.argmax(jumps)) == LEAD - 1
    assert [i for i, p in enumerate(clip.pairs, 1) if p is None] == [LEAD]


def test_the_truth_has_no_error_and_twice_its_flicker_is_twice_the_truth(clip):
    row = score(clip.truth, clip)
    assert row["psnr"] == 100.0
    assert row["cdc_off"] == row["cut_early"] == row["new_error"] == row["edge_error"] == 0.0
    assert row["flicker_to_truth"] == 1.0
    assert row["cut_lag"] is None
    halved = score(clip.truth, clip, row | {"flicker_per_colour": row["flicker_per_colour"] / 2})
    assert halved["flicker_to_truth"] == pytest.approx(2.0)


def test_every_way_is_scored_on_the_same_frames(clip):
    ways = {"plain": ColorizeOptions(every=1, smoothing=0.0, size=96), "steady": ColorizeOptions(every=1, size=96)}
    found = temporal([clip.path], ways, frames=FRAMES)
    assert list(found["mean"]) == ["truth", *ways]
    plain, steady = (found["each"][name][0] for name in ways)
    assert set(plain) == set(found["each"]["truth"][0]) | {"predicted"}
    assert steady["flicker"] < plain["flicker"]
    assert found["smoother_ms"]["steady"] > 5 * found["smoother_ms"]["plain"]  # which only passes frames on
    assert None not in plain.values()


def test_a_mean_leaves_out_clips_without_the_figure():
    rows = [{"flicker_to_truth": 0.7, "cut_lag": None}, {"flicker_to_truth": 1.1, "cut_lag": 1.5}]
    assert means(rows) == {"flicker_to_truth": 0.9, "cut_lag": 1.5, "steady_clips": 1}


def test_the_pictures_are_drawn(clip, tmp_path):
    pytest.importorskip("matplotlib")
    from benchmarks.temporal.pictures import draw

    made = draw(clip.path, tmp_path, {"small": ColorizeOptions(every=1, smoothing=0.0, size=96)}, frames=8)
    assert [p.name for p in made] == ["flicker-street_cut.png", "xt-street_cut.png", "side-street_cut.mp4"]
    assert all(p.stat().st_size > 5000 for p in made)
    with av.open(str(made[-1])) as side:
        frames = [f.to_ndarray(format="rgb24") for f in side.decode(video=0)]
    assert len(frames) == 8
    assert frames[0].shape == (136, 640, 3)
    grey, coloured = (np.ptp(part.astype(int), -1).mean() for part in np.hsplit(frames[4], 2))
    assert grey < 3 < coloured


def test_a_film_is_read_at_half_its_size(clip):
    seen = read(clip.path, start=3, frames=2)
    assert len(seen.rgb) == len(seen.lab) == len(seen.histograms) == 2
    assert seen.histograms.sum(-1) == pytest.approx(1.0)
    assert seen.ab[0].shape == (136, 320, 2)
