"""Our gradients of depthwise convolutions are torch's."""

from copy import deepcopy

import pytest

torch = pytest.importorskip("torch")

from training import depthwise  # noqa: E402
from training.depthwise import Depthwise, hasten  # noqa: E402
from vidcolor.models.encoder import InvertedResidual, same_conv  # noqa: E402

CASES = [(3, 1, 1), (5, 1, 2), (3, 2, 0), (5, 2, 0), (3, 2, 1)]  # kernel, stride, padding


def data(kernel, dtype=torch.float32):
    torch.manual_seed(0)
    x = torch.randn(2, 8, 19, 17, dtype=dtype).to(memory_format=torch.channels_last)
    return x, torch.randn(8, 1, kernel, kernel, dtype=dtype), torch.randn(8, dtype=dtype)


def gradients(convolve, parts):
    parts = [p.detach().clone().requires_grad_() for p in parts]
    out = convolve(*parts)
    torch.manual_seed(1)
    out.backward(torch.randn_like(out))
    return [out.detach(), *(p.grad for p in parts)]


@pytest.mark.parametrize(("kernel", "stride", "padding"), CASES)
def test_in_fp32_they_are_torchs(kernel, stride, padding):
    parts = data(kernel)
    ours = gradients(lambda *p: Depthwise.apply(*p, stride, padding), parts)
    theirs = gradients(lambda x, w, b: torch.conv2d(x, w, b, stride, padding, 1, 8), parts)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


def test_the_numbers_hold_in_double():
    x, w, b = (p.requires_grad_() for p in data(3, torch.float64))
    small = x[:, :, :6, :5].detach().requires_grad_()
    # The bias's gradient is added up in fp32.
    assert torch.autograd.gradcheck(lambda x, w: Depthwise.apply(x, w, b.detach(), 2, 1), (small, w), atol=1e-5)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [3, 5])
def test_under_autocast_they_are_used_and_near_to_fp32(kernel, stride, monkeypatch):
    calls = []
    apply = depthwise.Depthwise.apply
    monkeypatch.setattr(depthwise.Depthwise, "apply", lambda *a: calls.append(a[0].dtype) or apply(*a))
    torch.manual_seed(0)
    plain = InvertedResidual(kernel, stride, 4, 16, 16)
    ours = deepcopy(plain)
    hasten(ours)
    x = torch.randn(2, 16, 16, 16).to(memory_format=torch.channels_last)
    found = []
    for network, bf16 in ((plain, False), (ours, True)):
        given = x.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            out = network(given)
        out.float().square().mean().backward()
        assert all(p.grad.dtype == torch.float32 for p in network.parameters())  # weights stay fp32
        found.append([given.grad, *(p.grad for p in network.parameters())])
    assert calls == [torch.bfloat16]
    for exact, near in zip(*found, strict=True):
        assert (near - exact).norm() < 0.1 * exact.norm()


def test_without_autocast_nothing_changes(monkeypatch):
    monkeypatch.setattr(depthwise.Depthwise, "apply", lambda *a: pytest.fail("not asked for"))
    plain = same_conv(8, 8, 5, 2, 8)
    ours = deepcopy(plain)
    hasten(ours)
    x = torch.randn(1, 8, 16, 16)
    assert torch.equal(ours(x), plain(x))
