"""Figures, the decoding, export, card."""

import dataclasses
import json
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.conftest import SHARED  # noqa: E402
from tests.training.conftest import TINY, TINY_CLASSIC, learnable  # noqa: E402
from tests.training.test_training import launch  # noqa: E402
from training.data import to_lab  # noqa: E402
from training.decoding import colourfulness as soft_colourfulness  # noqa: E402
from training.decoding import learn, sweep  # noqa: E402
from training.evaluate import baselines, evaluate, score  # noqa: E402
from training.export import export_onnx, export_safetensors  # noqa: E402
from training.loop import Options, train  # noqa: E402
from training.metrics import colourfulness, fine_energy, frechet_distance, psnr  # noqa: E402
from training.perceptual import SqueezeNet, distance  # noqa: E402
from training.pictures import open_pictures  # noqa: E402
from training.shipping import load_run, take_decoding  # noqa: E402
from training.trainer import prepare  # noqa: E402
from vidcolor.backends import make_backend  # noqa: E402
from vidcolor.backends.pytorch import load_generator  # noqa: E402
from vidcolor.models.files import open_model  # noqa: E402


@pytest.fixture(scope="module")
def features():
    return SqueezeNet()


def test_metrics_on_known_pictures():
    flat = np.full((8, 8, 3), 0.5)
    assert psnr(flat, flat + 0.1) == pytest.approx(20.0)
    assert colourfulness(flat) == (pytest.approx(0, abs=1e-9), pytest.approx(0, abs=1e-9))
    red = np.zeros((8, 8, 3))
    red[..., 0] = 1.0
    signed, absolute = colourfulness(red)  # rg = 255, yb = 127.5, no spread
    assert signed == absolute == pytest.approx(0.3 * np.hypot(255, 127.5))
    half = np.zeros((8, 8, 3))
    half[:4, :, 0] = half[4:, :, 1] = 1.0  # rg = +-255, yb = 127.5
    assert colourfulness(half)[0] == pytest.approx(255 + 0.3 * 127.5)
    assert colourfulness(half)[1] == pytest.approx(0.3 * np.hypot(255, 127.5))


def test_colourfulness_on_tensors_is_the_metric():
    rgb = np.random.default_rng(0).random((3, 40, 40, 3))
    ours = soft_colourfulness(torch.from_numpy(rgb).permute(0, 3, 1, 2))
    assert ours.tolist() == pytest.approx([colourfulness(x)[1] for x in rgb], rel=1e-2)


def test_frechet_distance_of_known_sets():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(4000, 3))
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(a, a + np.array([3.0, 0.0, 4.0])) == pytest.approx(25)
    assert frechet_distance(a, 2 * a) == pytest.approx((a.var(0, ddof=1)).sum() + (a.mean(0) ** 2).sum(), rel=1e-6)
    few = rng.normal(size=(20, 64)), rng.normal(size=(20, 64))  # fewer samples than features
    assert frechet_distance(*few) == pytest.approx(frechet_distance(*few[::-1]))


def test_fine_energy_tells_noise_from_smooth_colour():
    smooth = np.stack(np.meshgrid(np.linspace(-40, 40, 64), np.linspace(-40, 40, 64)), -1).astype(np.float32)
    noise = np.random.default_rng(0).normal(0, 5, smooth.shape).astype(np.float32)
    assert fine_energy(smooth) < 0.5
    assert fine_energy(smooth + noise) == pytest.approx(25, rel=0.15)


def test_the_truth_scores_best(photos, features):
    found = baselines([p[:256, :256] for p in photos[:3]], features)
    truth, grey = found["truth"], found["grey"]
    assert truth.psnr > 45
    assert truth.delta_ab == 0
    assert truth.fine == pytest.approx(1)
    assert truth.perceptual < 0.1 < grey.perceptual
    assert truth.frechet < 0.1 * grey.frechet
    assert grey.colourfulness < 0.1
    assert grey.fine == 0
    quarter = to_lab(photos[0])[2::4, 2::4, 1:]
    assert grey.psnr < score(photos[0], np.ascontiguousarray(quarter)).psnr


def test_perceptual_distance_grows_with_the_change(features):
    rgb = torch.from_numpy(learnable(0, 128, 128)).permute(2, 0, 1)[None].float() / 255
    tinted = [(rgb * torch.tensor([1, 1 - s, 1]).view(1, 3, 1, 1)) for s in (0.0, 0.1, 0.4)]
    truth = features(rgb)
    none, little, much = (distance(features(x), truth).item() for x in tinted)
    assert none == pytest.approx(0, abs=1e-6)
    assert none < little < much


@pytest.mark.skipif(not (SHARED / "data").is_dir(), reason="needs the validation photographs")
def test_grey_baseline_of_the_validation_set(features):
    """The figures that were published with the photographs: 22.24 dB, 10.87, 2.251, 1352."""
    grey = baselines(open_pictures([SHARED / "data" / "val.tar"])[:], features)["grey"]
    assert grey.psnr == pytest.approx(22.24, abs=0.01)
    assert grey.delta_ab == pytest.approx(10.87, abs=0.02)
    assert grey.perceptual == pytest.approx(2.251, abs=0.02)
    assert grey.frechet == pytest.approx(1352, abs=5)


@pytest.mark.skipif(not (SHARED / "data").is_dir(), reason="needs the validation photographs")
def test_the_shipped_model_has_the_figures_of_its_card():
    """The whole validation set, through the engine that users run."""
    model = open_model()
    photos = open_pictures([SHARED / "data" / "val.tar"])[:]
    backend, _ = make_backend("openvino", model)
    found = evaluate(photos, backend.predict)
    told = json.loads(model.metadata["metrics"])
    assert found.psnr == pytest.approx(told["psnr"], abs=0.05)
    assert found.colourfulness_abs == pytest.approx(told["colourfulness_abs"], abs=0.5)
    assert found.fine == pytest.approx(told["fine"], abs=0.02)


def test_learning_the_decoding_buys_colour(photos):
    """On pictures set aside: offsets, colours and temperature move, and colour follows what is asked for."""
    squares = [p[:64, :64] for p in photos[:12]]
    generator = load_generator(open_model())
    generator.config = dataclasses.replace(generator.config, saturation=1.3)
    shares = []
    for colour in (0.3, 1.0):
        told = learn(generator, squares, colour, steps=60)
        shares.append(told["share"])
        assert generator.config.temperature == pytest.approx(told["temperature"], abs=1e-4)
        assert generator.config.saturation == 1.0
        assert not torch.equal(generator.colours, generator.centres)
        assert generator.offset.std() > 0
    assert shares[1] > shares[0] + 0.02
    learnt = [generator.colours.clone(), generator.offset.clone(), generator.config]
    points = list(sweep(generator, squares[:4]))
    assert len({p.scores.psnr for p in points}) > 5
    assert torch.equal(learnt[0], generator.colours)  # as it was
    assert torch.equal(learnt[1], generator.offset)
    assert learnt[2] == generator.config


def test_a_learnt_decoding_is_taken_over(photos, tmp_path):
    source = open_model()
    generator, _ = prepare(dataclasses.replace(TINY, steps=1), photos, source.path)
    take_decoding(generator, source.path)
    shipped = load_generator(source)
    lightness = torch.rand(1, 1, 64, 64) * 100
    with torch.no_grad():
        torch.testing.assert_close(generator.eval()(lightness), shipped(lightness), atol=1e-3, rtol=0)
    other, _ = prepare(TINY, photos)  # bins of other pictures
    with pytest.raises(ValueError, match="colour bins"):
        take_decoding(other, source.path)


@pytest.mark.parametrize("learnt", [False, True])
def test_export_round_trip(photos, tmp_path, learnt):
    config = dataclasses.replace(TINY.generator, temperature=0.8, prior_correction=0.2, saturation=1.1)
    generator = prepare(dataclasses.replace(TINY, generator=config), photos)[0].eval()
    if learnt:
        generator.colours += torch.randn_like(generator.colours)
        generator.offset += torch.randn_like(generator.offset)
    export_onnx(generator, tmp_path / "m.onnx", {"licence": "none"})
    model = open_model(tmp_path / "m.onnx")
    assert model.config["temperature"] == 0.8
    lightness = np.random.default_rng(0).uniform(0, 100, (2, 1, 64, 96)).astype(np.float32)
    with torch.no_grad():
        expected = generator(torch.from_numpy(lightness)).numpy()
    for name in ("openvino", "pytorch"):
        backend, _ = make_backend(name, model)
        assert np.abs(backend.predict(lightness) - expected).mean() < 0.3


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_the_classic_exports_too(photos, tmp_path, norm):
    generator = dataclasses.replace(TINY_CLASSIC.generator, norm=norm)
    preset = dataclasses.replace(TINY_CLASSIC, generator=generator, steps=3)
    assert train(preset, photos, photos[:2], tmp_path, Options(keep=True))
    generator, run = load_run(tmp_path)
    assert run.step == 3
    kept, run = load_run(None, tmp_path / "weights" / "000003.safetensors")
    assert run.step == 3
    assert run.preset["generator"]["architecture"] == "unet"
    export_onnx(generator, tmp_path / "m.onnx", {})
    model = open_model(tmp_path / "m.onnx")
    assert model.stride == 1
    lightness = np.random.default_rng(0).uniform(0, 100, (1, 1, 64, 96)).astype(np.float32)
    with torch.no_grad():
        expected, halved = (g(torch.from_numpy(lightness)).numpy() for g in (generator, kept))
    np.testing.assert_allclose(halved, expected, atol=0.5)
    for name in ("openvino", "pytorch"):
        ab = make_backend(name, model)[0].predict(lightness)
        assert ab.shape == (1, 2, 64, 96)
        assert np.abs(ab - expected).mean() < 0.3


def test_safetensors_hold_the_weights_and_the_configuration(photos, tmp_path):
    from safetensors import safe_open

    generator, _ = prepare(TINY, photos)
    export_safetensors(generator, tmp_path / "m.safetensors")
    with safe_open(tmp_path / "m.safetensors", "pt") as file:
        assert json.loads(file.metadata()["config"])["encoder"] == "lite2"
        assert set(file.keys()) == set(generator.state_dict())
        assert file.get_tensor("levels.0.up.0.weight").dtype == torch.float16
        assert torch.equal(file.get_tensor("log_prior"), generator.log_prior)


def test_the_commands_pack_train_export_evaluate(shard, tmp_path):
    """The classic road end to end: npy files in the Kaggle layout, a run, a model file, figures."""
    python = [sys.executable, "-m", "training"]
    npy, run, out = tmp_path / "npy", tmp_path / "run", tmp_path / "m" / "classic.onnx"
    out.parent.mkdir()
    done = launch(*python, "pack", "--data", shard, "--out", npy, "--side", 128, "--part", 10)
    assert done.returncode == 0, done.stderr
    assert launch(*python, "pack", "--data", shard, "--out", npy).returncode == 1  # not over what is there
    train_it = [*python, "train", "--preset", "classic", "--data", npy, "--parts", 1, 3, "--by-part", "--val", shard]
    done = launch(*train_it, "--val-limit", 4, "--out", run, "--steps", 2, "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert "14 photographs to train on, 4 to score on" in done.stderr
    done = launch(*python, "export", "--run-folder", run, "--val", shard, "--out", out)
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)) == {"grey", "truth", "model"}
    assert "vidcolor-classic" in (out.parent / "MODEL_CARD.md").read_text()
    done = launch(*python, "evaluate", "--model", out, "--val", shard, "--sheet", tmp_path / "sheet.jpg")
    assert done.returncode == 0, done.stderr
    assert {"psnr", "perceptual", "frechet", "fine"} <= set(json.loads(done.stdout)["model"])
    assert (tmp_path / "sheet.jpg").stat().st_size > 5000
