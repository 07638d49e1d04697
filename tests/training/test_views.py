"""The consistency term: two views of a picture, and what a few steps on their disagreement do."""

import dataclasses
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.training.conftest import TINY  # noqa: E402
from training.loop import Options, train  # noqa: E402
from training.losses import disagreement  # noqa: E402
from training.presets import PRESETS  # noqa: E402
from training.views import View  # noqa: E402


@pytest.mark.parametrize(("across", "down"), [(0, 0), (3, 1), (-2, 4), (1, -3)])
def test_the_overlap_shows_the_same_places(across, down):
    lightness = torch.rand(2, 1, 64, 48) * 80 + 10
    view = View(across, down, 1.0, seed=1)
    grid = torch.nn.functional.avg_pool2d
    first, second = view.overlap(grid(lightness, 4), grid(view.of(lightness, 4), 4))
    assert first.shape == second.shape == (2, 1, 16 - abs(down), 12 - abs(across))
    assert (first - second).abs().mean() < 0.7  # grain alone
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > 0.99


def test_a_view_depends_on_seed_and_step_alone():
    assert View.draw(3, 7) == View.draw(3, 7)
    drawn = [View.draw(3, step) for step in range(200)]
    assert {v.across for v in drawn} == set(range(-4, 5))
    assert 0.9 <= min(v.gain for v in drawn) < 0.92 < 1.08 < max(v.gain for v in drawn) <= 1.1
    lightness = torch.rand(1, 1, 32, 32)
    torch.testing.assert_close(drawn[0].of(lightness, 4), drawn[0].of(lightness, 4))


def test_disagreement_is_the_symmetric_divergence():
    a, b = torch.tensor([0.2, 0.8]).log(), torch.tensor([0.5, 0.5]).log()
    p, q = a.exp(), b.exp()
    expected = 0.5 * ((p * (a - b)).sum() + (q * (b - a)).sum())
    torch.testing.assert_close(disagreement(a.view(1, 2, 1, 1), b.view(1, 2, 1, 1)), expected)
    torch.testing.assert_close(disagreement(a.view(1, 2, 1, 1) + 5, a.view(1, 2, 1, 1)), torch.tensor(0.0))


def test_training_with_the_term_lowers_the_disagreement(photos, tmp_path):
    """Beside a run that only differs in the weight of the term, two views agree better in the end."""
    last = {}
    for weight in (1e-6, 3.0):
        run = tmp_path / f"{weight}"
        options = Options(save_every=0, log_every=5, sample_every=1000)
        assert train(dataclasses.replace(TINY, consistency=weight, steps=30), photos, photos[:4], run, options)
        rows = [json.loads(line) for line in (run / "stats.jsonl").read_text().splitlines()]
        last[weight] = np.mean([row["consistency"] for row in rows[-3:]])
    assert last[3.0] < 0.8 * last[1e-6]


def test_the_preset_is_the_defaults_but_for_the_term():
    assert PRESETS["steady"].consistency == 1.0
    assert all(p.consistency == 0.0 for name, p in PRESETS.items() if name != "steady")
