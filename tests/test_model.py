import dataclasses

import pytest

torch = pytest.importorskip("torch")

from vidcolor.models.generators import CONFIGS, GeneratorConfig, SameConv, build, fold  # noqa: E402

SMALL = {
    "default": CONFIGS["default"],
    "classic": dataclasses.replace(CONFIGS["classic"], channels=(8, 16, 16, 16, 16)),
    "instance": dataclasses.replace(CONFIGS["classic"], channels=(8, 16, 16, 16, 16), norm="instance"),
}


@pytest.fixture(params=SMALL, scope="module")
def generator(request):
    torch.manual_seed(0)
    made = build(SMALL[request.param])
    if hasattr(made, "centres"):
        made.set_bins(torch.randint(-9, 10, made.centres.shape) * 10.0, torch.randn(made.log_prior.shape))
    made.train()(torch.rand(4, 1, 64, 64) * 100)  # norms get statistics
    return made.eval()


@pytest.mark.parametrize("shape", [(1, 32, 32), (2, 64, 96), (1, 128, 32)])
def test_any_multiple_of_32(generator, shape):
    n, h, w = shape
    if generator.config.norm == "instance":  # needs two positions at the bottom to have a spread
        h, w = 2 * h, 2 * w
    with torch.no_grad():
        ab = generator(torch.rand(n, 1, h, w) * 100)
    assert ab.shape == (n, 2, h // generator.stride, w // generator.stride)
    assert ab.abs().max() <= 110


def test_strides():
    assert build(SMALL["default"]).stride == 4
    assert build(SMALL["classic"]).stride == 1


def test_folded_norms_change_nothing(generator):
    x = torch.rand(2, 1, 64, 64) * 100
    folded = fold(generator)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in folded.modules())
    with torch.no_grad():
        torch.testing.assert_close(folded(x), generator(x), atol=2e-3, rtol=1e-3)


def test_decoding_lies_in_the_hull_and_follows_its_numbers():
    base = build(CONFIGS["default"])
    base.set_bins(torch.randint(-9, 10, base.centres.shape) * 10.0, torch.linspace(0, -10, 211))
    logits = torch.randn(1, 211, 2, 2) * 3
    plain = base.decode(logits)
    assert (plain.amax((2, 3)) <= base.centres.amax(0)).all()
    base.config = dataclasses.replace(base.config, saturation=1.5)
    torch.testing.assert_close(base.decode(logits), plain * 1.5)
    base.config = dataclasses.replace(base.config, saturation=1.0, temperature=1e-3)
    best = base.centres[logits[0, :, 0, 0].argmax()]
    torch.testing.assert_close(base.decode(logits)[0, :, 0, 0], best, atol=1e-3, rtol=0)
    base.config = dataclasses.replace(base.config, temperature=1.0, prior_correction=1.0)
    uniform = base.decode(base.log_prior.view(1, -1, 1, 1).expand(1, -1, 2, 2))
    torch.testing.assert_close(uniform[0, :, 0, 0], base.centres.mean(0), atol=1e-3, rtol=0)
    base.offset.copy_(base.log_prior)  # learnt numbers add up with the set ones
    base.colours += 7.0
    even = base.decode(torch.zeros(1, 211, 2, 2))
    torch.testing.assert_close(even[0, :, 0, 0], base.centres.mean(0) + 7.0, atol=1e-3, rtol=0)


@pytest.mark.parametrize(("kernel", "size"), [(3, 8), (5, 8), (3, 32)])
def test_same_padding_puts_the_odd_pixel_bottom_right(kernel, size):
    """TensorFlow's rule: pad_total = max((out - 1) * stride + kernel - in, 0), the smaller half first."""
    conv = SameConv(1, 1, kernel, 2, 0, bias=False)
    x = torch.rand(1, 1, size, size)
    total = (size // 2 - 1) * 2 + kernel - size
    padded = torch.nn.functional.pad(x, (total // 2, total - total // 2) * 2)
    torch.testing.assert_close(conv(x), torch.nn.functional.conv2d(padded, conv.weight, stride=2))


def test_config_survives_the_metadata_and_refuses_the_unknown():
    config = CONFIGS["default"]
    assert GeneratorConfig.from_dict(config.to_dict()) == config
    with pytest.raises(ValueError, match="colour_magic"):
        GeneratorConfig.from_dict({"colour_magic": 1})
    with pytest.raises(ValueError, match="unet"):
        build(dataclasses.replace(config, architecture="transformer"))
    with pytest.raises(ValueError, match="lite0"):
        build(dataclasses.replace(config, encoder="resnet"))
