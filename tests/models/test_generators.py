import dataclasses
import math

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


CONDITIONED = dataclasses.replace(CONFIGS["conditioned"], encoder="lite0", decoder=(64, 32, 32), blocks=1)


@pytest.fixture(scope="module")
def conditioned():
    torch.manual_seed(0)
    made = build(CONDITIONED)
    for name, values in made.named_parameters():
        if not values.any():
            torch.nn.init.normal_(values, std=0.1)
        if name.startswith("head"):
            values.data *= 20
    made.set_bins(torch.randint(-9, 10, made.centres.shape) * 10.0, torch.randn(made.log_prior.shape))
    return made.eval()


def told(n, h, w, trust):
    torch.manual_seed(3)
    return torch.cat((torch.randn(n, 2, h // 4, w // 4) * 30, torch.full((n, 1, h // 4, w // 4), trust)), 1)


@pytest.mark.parametrize("shape", [(1, 32, 32), (2, 64, 96)])
def test_nothing_known_is_the_automatic_picture(conditioned, shape):
    n, h, w = shape
    lightness = torch.rand(n, 1, h, w) * 100
    with torch.no_grad():
        alone, nothing = conditioned(lightness), conditioned(lightness, told(n, h, w, 0.0) * 0)
        untrusted = conditioned(lightness, told(n, h, w, 0.0))
    torch.testing.assert_close(nothing, alone, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(untrusted, alone, atol=1e-4, rtol=1e-4)  # a colour that nobody trusts


def test_what_is_certain_comes_out_and_what_is_doubted_is_weighed(conditioned):
    lightness = torch.rand(2, 1, 64, 64) * 100
    with torch.no_grad():
        sure = conditioned(lightness, told(2, 64, 64, 1.0))
        half = conditioned(lightness, told(2, 64, 64, 0.5))
        features, pooled = conditioned.encoder(lightness)
        plain = conditioned.decode(conditioned.logits_from(features, pooled, told(2, 64, 64, 0.5)))
    truth = told(2, 64, 64, 1.0)[:, :2]
    torch.testing.assert_close(sure, truth, atol=1e-4, rtol=0)
    torch.testing.assert_close(half, plain + 0.5**4 * (truth - plain), atol=1e-3, rtol=1e-4)


def test_a_point_is_felt_far_away_but_less(conditioned):
    lightness = torch.rand(1, 1, 128, 128) * 100
    point = torch.zeros(1, 3, 32, 32)
    point[:, :, 1, 1] = torch.tensor([40.0, -20.0, 1.0])
    with torch.no_grad():
        change = (conditioned.logits(lightness, point) - conditioned.logits(lightness)).abs().mean(1)
    assert change[0, 1, 1] > 10 * change[0, 30, 30] > 0


def test_heads_must_divide_the_channels():
    with pytest.raises(ValueError, match="40 channels do not split into heads of 32"):
        build(dataclasses.replace(CONDITIONED, decoder=(40, 32, 32)))


def test_sureness_gives_each_cell_its_own_temperature_and_strength():
    base = build(CONFIGS["default"])
    base.set_bins(torch.randint(-9, 10, base.centres.shape) * 10.0, torch.linspace(0, -10, 211))
    logits, lightness = torch.randn(1, 211, 4, 4) * 3, torch.rand(1, 1, 16, 16) * 100
    base.config = dataclasses.replace(base.config, temperature=0.5, saturation=1.2)
    expected = base.decode(logits)
    flat = [math.log(0.5), 0, 0, 0, 0, 0, math.log(1.2), 0, 0, 0, 0, 0]
    base.config = dataclasses.replace(base.config, temperature=1.0, saturation=1.0, sureness=tuple(flat))
    torch.testing.assert_close(base.decode(logits, lightness), expected)
    bent = list(flat)
    bent[7] = -1.0  # the strength falls with the entropy
    logits, lightness = torch.cat((logits * 4, logits * 0.1), 3), lightness.repeat(1, 1, 1, 2)
    plain = base.decode(logits, lightness)
    base.config = dataclasses.replace(base.config, sureness=tuple(bent))
    ratio = (base.decode(logits, lightness) / plain)[0, 0]
    assert ratio[:, :4].min() > 1.1 > 0.8 > ratio[:, 4:].max()


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
