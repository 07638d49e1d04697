"""A trained generator as the start of a larger one."""

import dataclasses

import pytest

torch = pytest.importorskip("torch")

from training.grow import grow  # noqa: E402
from vidcolor.models.generators import CONFIGS, build  # noqa: E402

SMALL = dataclasses.replace(CONFIGS["default"], encoder="lite0", decoder=(64, 48, 32), folded=True)
LARGE = dataclasses.replace(SMALL, decoder=(96, 64, 32), blocks=2, conditions=True)


@pytest.fixture
def small():
    torch.manual_seed(0)
    made = build(SMALL).eval()
    made.set_bins(torch.randint(-9, 10, made.centres.shape) * 10.0, torch.randn(made.log_prior.shape))
    return made


def ask(generator, conditions=None):
    source = torch.Generator().manual_seed(1)
    with torch.no_grad():
        return generator.eval().logits(torch.rand(2, 1, 64, 96, generator=source) * 100, conditions)


def test_the_output_is_unchanged_and_conditions_are_ignored_at_first(small):
    expected = ask(small)
    grown = grow(small, LARGE)
    assert grown.config == LARGE
    assert sum(p.numel() for p in grown.parameters()) > sum(p.numel() for p in small.parameters())
    torch.testing.assert_close(ask(grown), expected, atol=2e-4, rtol=1e-4)
    told = torch.cat((torch.full((2, 2, 16, 24), 30.0), torch.ones(2, 1, 16, 24)), 1)
    torch.testing.assert_close(ask(grown, told), expected, atol=2e-4, rtol=1e-4)
    assert torch.equal(grown.centres, small.centres)


def test_everything_new_learns(small):
    """Zeros between layers would stop the gradient if there were two in a row."""
    grown = grow(small, LARGE).train()
    optimiser = torch.optim.SGD(grown.parameters(), 0.1)
    for step in range(4):
        torch.manual_seed(step)
        optimiser.zero_grad()
        told = torch.cat((torch.randn(2, 2, 16, 16) * 20, torch.rand(2, 1, 16, 16)), 1)
        logits = grown.logits(torch.rand(2, 1, 64, 64) * 100, told)
        logits.log_softmax(1)[:, 7].mean().neg().backward()
        optimiser.step()
    assert not [k for k, v in grown.named_parameters() if not v.grad.abs().max() > 0]


@pytest.mark.parametrize(
    "change",
    [{"decoder": (64, 32, 32)}, {"encoder": "lite2"}, {"bins": 100}, {"architecture": "unet", "channels": (8, 8)}],
    ids=lambda c: next(iter(c)),
)
def test_what_is_smaller_or_of_another_kind_is_refused(small, change):
    with pytest.raises(ValueError, match=r"mine\.onnx: holds a generator of another shape"):
        grow(small, dataclasses.replace(SMALL, **change), "mine.onnx")


def test_fewer_blocks_and_no_more_conditions_are_refused(small):
    grown = grow(small, LARGE)
    with pytest.raises(ValueError, match="another shape"):
        grow(grown, dataclasses.replace(LARGE, blocks=1))
    with pytest.raises(ValueError, match="another shape"):
        grow(grown, dataclasses.replace(LARGE, conditions=False))


def test_another_decoding_alone_needs_no_growth(small):
    warmer = dataclasses.replace(SMALL, temperature=0.5)
    assert grow(small, warmer) is small
    assert small.config == warmer
