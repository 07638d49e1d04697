"""Crops, degradations of L*, and batches that depend on seed and step alone."""

import dataclasses

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.training.conftest import TINY, learnable  # noqa: E402
from training import augment, lab  # noqa: E402
from training.augment import STOCKS, Degrade, crop_box, draw, make_pair  # noqa: E402
from training.bins import SoftEncoder, choose_bins  # noqa: E402
from training.data import Feed, batch_indices, to_lab  # noqa: E402

NONE = Degrade(stock=0, blur=0, grain=0, scratches=0, cut_out=0, gamma=0, contrast=0, brightness=0)


def crops(count=6, size=64):
    rgb = torch.from_numpy(np.stack([learnable(i, size, size) for i in range(count)]))
    uniform, grain = draw(3, np.arange(count))
    return rgb, torch.from_numpy(uniform), torch.from_numpy(grain)


def test_lab_is_opencvs_and_leads_back():
    rgb = np.random.default_rng(0).random((40, 50, 3), np.float32)
    ours = lab.rgb_to_lab(torch.from_numpy(rgb).permute(2, 0, 1)[None])
    theirs = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)
    np.testing.assert_allclose(ours[0].permute(1, 2, 0).numpy(), theirs, atol=0.8)  # OpenCV works from tables
    back = lab.lab_to_rgb(ours)[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(back, rgb, atol=1e-4)


def test_nothing_to_degrade_leaves_the_lightness():
    rgb, uniform, grain = crops()
    lightness, ab = make_pair(rgb, 4, uniform, grain, NONE)
    truth = np.stack([to_lab(p) for p in rgb.numpy()])
    np.testing.assert_allclose(lightness[:, 0].numpy(), truth[..., 0], atol=0.2)
    cells = cv2.resize(truth[0, ..., 1:], (16, 16), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(ab[0].permute(1, 2, 0).numpy(), cells, atol=0.3)


@pytest.mark.parametrize("kind", ["stock", "blur", "grain", "scratches", "cut_out"])
def test_each_degradation_changes_the_lightness_only(kind):
    rgb, uniform, grain = crops()
    plain, ab = make_pair(rgb, 4, uniform, grain, NONE)
    changed, same = make_pair(rgb, 4, uniform, grain, dataclasses.replace(NONE, **{kind: 1.0}))
    torch.testing.assert_close(same, ab)
    assert 0 <= changed.min() <= changed.max() <= 100
    assert ((changed - plain).abs().amax((1, 2, 3)) > 0.15).all()


def test_degradations_come_as_often_as_they_are_set():
    uniform, _ = draw(1, np.arange(4000))
    assert (uniform[:, augment.CHANCES] < 0.3).mean(0) == pytest.approx(0.3, abs=0.03)


def test_stocks_see_what_old_film_saw():
    """Red is dark on orthochromatic film and darker on blue-sensitive film; blue is bright on the latter."""
    red, blue = (torch.tensor(c).view(1, 3, 1, 1) for c in ([0.9, 0.1, 0.1], [0.1, 0.1, 0.9]))

    def seen(stock, colour):
        uniform = torch.full((1, augment.DRAWS), 0.5)
        uniform[0, augment.STOCK.start] = (list(STOCKS).index(stock) + 0.5) / len(STOCKS)
        uniform[0, augment.STOCK.stop - 1] = 0.0  # true to its name
        return augment.film_stock(colour, uniform).item()

    assert seen("video luma", red) == pytest.approx(lab.lightness(lab.to_linear(torch.tensor(0.3392))).item(), abs=0.1)
    assert seen("orthochromatic", red) < seen("panchromatic", red) - 20
    assert seen("blue-sensitive", red) <= seen("orthochromatic", red)
    assert seen("blue-sensitive", blue) > seen("panchromatic", blue) + 20


def test_grain_is_normal_and_the_same_for_the_same_seed():
    noise = augment.hashed_normal(torch.tensor([5, 6]), 20_000)
    assert noise.mean(1).abs().max() < 0.03
    assert (noise.std(1) - 1).abs().max() < 0.03
    assert abs(np.corrcoef(noise.numpy())[0, 1]) < 0.03
    assert abs(np.corrcoef(noise[0, 1:], noise[0, :-1])[0, 1]) < 0.03
    torch.testing.assert_close(augment.hashed_normal(torch.tensor([6]), 20_000)[0], noise[1])


def test_crops_stay_inside_and_reach_their_least_area():
    areas = []
    for u in draw(1, np.arange(400))[0]:
        box = crop_box(200, 300, 0.2, u)
        assert box.top >= 0 <= box.left
        assert box.top + box.height <= 200
        assert box.left + box.width <= 300
        areas.append(box.height * box.width / 60_000)
    assert 0.19 < min(areas) < 0.25
    assert max(areas) > 0.85


def test_crops_on_the_device_are_the_crops_of_the_loader(photos):
    """Bilinear samples averaged over a pixel against OpenCV's area filter: alike on smooth pictures."""
    streamed, resident = (next(Feed(photos, TINY, 4, resident=r).batches(0, 1)) for r in (False, True))
    assert (streamed.ab - resident.ab).abs().mean() < 0.6
    assert (streamed.lightness - resident.lightness).abs().mean() < 0.6


def test_every_epoch_sees_every_photo_once():
    seen = [i for step in range(6) for i in batch_indices(24, 4, step, seed=3)[1]]
    assert sorted(seen) == list(range(24))
    following = [i for step in range(6, 12) for i in batch_indices(24, 4, step, seed=3)[1]]
    assert sorted(following) == list(range(24))
    assert following != seen


def test_by_part_an_epoch_goes_through_one_part_after_the_other():
    parts = (10, 6, 8)
    starts = np.cumsum((0, *parts))
    seen = [i for step in range(6) for i in batch_indices(24, 4, step, 3, parts)[1]]
    assert sorted(seen) == list(range(24))
    which = np.searchsorted(starts, seen, side="right") - 1
    assert len(np.flatnonzero(np.diff(which))) == 2  # two changes of part
    assert seen != sorted(seen)


def test_a_batch_depends_on_seed_and_step_alone(photos):
    feed = Feed(photos, TINY, 4)
    third = list(feed.batches(0, 4))[3]
    resumed = next(feed.batches(3, 20))
    torch.testing.assert_close(third.lightness, resumed.lightness, atol=0, rtol=0)
    torch.testing.assert_close(third.ab, resumed.ab, atol=0, rtol=0)


def test_processes_share_a_batch(photos):
    whole = next(Feed(photos, TINY, 4).batches(2, 3))
    halves = [next(Feed(photos, TINY, 4, rank=r, world=2).batches(2, 3)) for r in (0, 1)]
    torch.testing.assert_close(torch.cat([h.lightness for h in halves]), whole.lightness)
    torch.testing.assert_close(torch.cat([h.ab for h in halves]), whole.ab)
    with pytest.raises(ValueError, match="cannot be split 3 x 1 ways"):
        Feed(photos, TINY, 4, world=3)


def test_a_loader_that_fails_is_heard(photos):
    class Broken(list):
        def __getitem__(self, index):
            raise OSError("disk gone")

    with pytest.raises(OSError, match="disk gone"):
        next(Feed(Broken(photos[:4]), TINY, 4).batches(0, 1))


def test_bins_cover_the_colours_and_soft_codes_lead_back():
    ab = np.random.default_rng(0).normal(0, 25, (200_000, 2)).astype(np.float32)
    centres, log_prior = choose_bins(ab, 150)
    assert centres.shape == (150, 2)
    assert np.exp(log_prior).sum() == pytest.approx(1, abs=1e-5)
    assert tuple(centres[log_prior.argmax()]) == (0, 0)
    encode = SoftEncoder(centres)
    some = ab[np.hypot(*ab.T) < 40][:400]
    index, weight = encode(torch.from_numpy(some.reshape(4, 10, 10, 2)).permute(0, 3, 1, 2))
    assert index.shape == weight.shape == (400, 5)
    torch.testing.assert_close(weight.sum(1), torch.ones(400))
    back = (torch.from_numpy(centres)[index] * weight[..., None]).sum(1).numpy()
    assert np.abs(back - some).mean() < 1.5
