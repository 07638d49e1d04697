"""What of the truth is told: how often, how truly, and the same for all who share a batch."""

import dataclasses

import pytest

torch = pytest.importorskip("torch")

from tests.training.conftest import TINY_CONDITIONED  # noqa: E402
from training.data import Feed  # noqa: E402
from training.reveal import Draws, Reveal, reveal  # noqa: E402

NOTHING = Reveal(points=0, strokes=0, patches=0, maps=0)
KINDS = ("points", "strokes", "patches", "maps")
COUNT, SIDE = 96, 24


def pictures(count=COUNT):
    """L* and smooth truth, no two pictures alike."""
    source = torch.Generator().manual_seed(3)
    coarse = torch.rand(count, 2, 4, 4, generator=source) * 100 - 50
    ab = torch.nn.functional.interpolate(coarse, (SIDE, SIDE), mode="bicubic").clamp(-60, 60)
    return torch.rand(count, 1, 4 * SIDE, 4 * SIDE, generator=source) * 100, ab


def told(how, step=0, count=COUNT):
    lightness, ab = pictures(count)
    truth, conditions = reveal(lightness, ab, Draws.make(1, step, count, SIDE), how)
    return ab, truth, conditions[:, :2], conditions[:, 2]


def test_nothing_told_is_noughts():
    ab, truth, colours, trust = told(NOTHING)
    assert torch.equal(truth, ab)
    assert not colours.any()
    assert not trust.any()


def test_each_kind_comes_as_often_as_it_is_set():
    *_, trust = told(Reveal(), count=2000)
    assert (trust.amax((1, 2)) > 0).float().mean().item() == pytest.approx(0.3 + 0.06 + 0.06 + 0.1, abs=0.03)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_alone_tells_something_in_every_picture(kind):
    *_, colours, trust = told(dataclasses.replace(NOTHING, **{kind: 1.0}, recolor=0.0))
    cells = (trust > 0).flatten(1).sum(1)
    assert (cells > 0).all()
    assert not (colours * (trust == 0)[:, None]).any()
    few, many = cells.float().quantile(torch.tensor([0.1, 0.9]))
    assert many > 2 * few or kind == "maps"
    if kind == "points":
        assert cells.min() <= 2
        assert 60 <= cells.max() <= 4 * 100


@pytest.mark.parametrize("kind", KINDS)
def test_confidence_is_the_share_of_right_colours(kind):
    """At every level; on pictures of one colour each, where no displacement hides what is right."""
    how = dataclasses.replace(NOTHING, **{kind: 1.0}, certain=0.0, recolor=0.0)
    lightness, ab = pictures()
    ab = ab[..., :1, :1].expand_as(ab)
    right, wanted, number = torch.zeros(5), torch.zeros(5), torch.zeros(5)
    for step in range(40 if kind in ("points", "strokes") else 12):
        _, conditions = reveal(lightness, ab, Draws.make(1, step, COUNT, SIDE), how)
        trust = conditions[:, 2]
        known = trust > 0
        off = (conditions[:, :2] - ab).norm(dim=1)[known]
        level = (trust[known] * 5).long().clamp_max(4)
        right.index_add_(0, level, (off < 8.0).float())  # noise is at most 7.1
        wanted.index_add_(0, level, trust[known])
        number.index_add_(0, level, torch.ones(len(level)))
    assert (number > 3000).all()
    by_chance = 0.06 * (1 - wanted / number)  # a wrong colour may be near to the right one
    assert (right / number > wanted / number - 0.03).all(), (right / number, wanted / number)
    assert (right / number < wanted / number + by_chance + 0.03).all(), (right / number, wanted / number)


def test_what_is_certain_is_the_truth():
    how = Reveal(0.25, 0.25, 0.25, 0.0, certain=1.0, recolor=0.0)
    _, truth, colours, trust = told(how)
    known = trust > 0
    assert set(trust.unique().tolist()) == {0.0, 1.0}
    torch.testing.assert_close(colours.transpose(0, 1)[:, known], truth.transpose(0, 1)[:, known], atol=1e-4, rtol=0)


def test_a_thing_given_a_new_colour_is_new_in_the_truth_and_in_what_is_told():
    how = Reveal(1.0, 0.0, 0.0, 0.0, certain=1.0, recolor=1.0)
    ab, truth, colours, trust = told(how)
    changed = (truth - ab).norm(dim=1)
    assert (changed.amax((1, 2)) > 10).float().mean() > 0.95  # clipped at the edge of the plane now and then
    assert changed.mean() < 0.5 * changed.amax((1, 2)).mean()  # a thing, not the picture
    known = trust > 0
    torch.testing.assert_close(colours.transpose(0, 1)[:, known], truth.transpose(0, 1)[:, known], atol=1e-4, rtol=0)
    seen = torch.where(known, changed, 0.0).amax((1, 2))
    assert (seen > 0.8 * changed.amax((1, 2))).float().mean() > 0.9  # the thing itself is pointed at


def test_the_same_step_tells_the_same_and_another_step_something_else():
    first, again, other = (told(Reveal(), step) for step in (5, 5, 6))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[3], other[3])


def test_processes_share_what_is_told(photos):
    preset = dataclasses.replace(TINY_CONDITIONED, reveal=Reveal(0.5, 0.2, 0.2, 0.1))
    whole = next(Feed(photos, preset, 4).batches(2, 3))
    halves = [next(Feed(photos, preset, 4, rank=r, world=2).batches(2, 3)) for r in (0, 1)]
    assert whole.conditions.shape == (4, 3, 16, 16)
    trust = torch.cat([h.conditions[:, 2] for h in halves])
    assert torch.equal(trust, whole.conditions[:, 2])
    # Wrong colours may be another picture's of the process's own share; what is certain agrees.
    certain = (trust == 1.0)[:, None]
    assert torch.equal(torch.cat([h.conditions for h in halves]) * certain, whole.conditions * certain)
    assert torch.equal(torch.cat([h.ab for h in halves]), whole.ab)
    again = list(Feed(photos, preset, 4).batches(0, 3))[2]
    assert torch.equal(again.conditions, whole.conditions)
