"""The trainer in small: real pictures, a real encoder, a handful of steps."""

import dataclasses
import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.conftest import ROOT  # noqa: E402
from tests.training.conftest import TINY, TINY_CLASSIC  # noqa: E402
from training.discriminators import DCGAN, Patch, build_discriminator  # noqa: E402
from training.evaluate import evaluate  # noqa: E402
from training.loop import Options, train  # noqa: E402
from training.losses import adversarial, soft_cross_entropy  # noqa: E402
from training.presets import PRESETS, Adversary, Stage  # noqa: E402
from training.runs import RunFolder, load_checkpoint  # noqa: E402
from training.trainer import Trainer, predictor, prepare, set_trainable  # noqa: E402
from training.weights import load_average  # noqa: E402
from vidcolor.errors import OutputError  # noqa: E402
from vidcolor.models.generators import GeneratorConfig  # noqa: E402


def rows_of(run):
    return [json.loads(line) for line in (run / "stats.jsonl").read_text().splitlines()]


def assert_same_state(a, b):
    """Two checkpoints, bit for bit."""
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b)
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_same_state(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same_state(x, y)
    else:
        assert a == b


def test_loss_is_least_where_the_truth_is():
    index, weight = torch.tensor([[3, 4]]), torch.tensor([[0.75, 0.25]])
    right = torch.full((1, 8, 1, 1), -20.0)
    right[0, 3], right[0, 4] = np.log(0.75), np.log(0.25)
    best = soft_cross_entropy(right, index, weight)
    assert best.item() == pytest.approx(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)), abs=1e-4)
    assert soft_cross_entropy(torch.zeros(1, 8, 1, 1), index, weight) > best


def test_adversarial_loss_is_bce_after_a_sigmoid():
    logits = torch.tensor([[0.3], [-2.0]])
    p = torch.sigmoid(logits)
    expected = -(0.9 * p.log() + 0.1 * (1 - p).log()).mean()
    torch.testing.assert_close(adversarial(logits, 0.9), expected)


def test_discriminators_are_built_as_named():
    dcgan, patch = build_discriminator("dcgan", 64), build_discriminator("patch", 64)
    kinds = [type(m).__name__ for m in dcgan.layers]
    assert kinds == ["Conv2d", "LeakyReLU", "MaxPool2d"] * 4 + ["Flatten", "Linear"]
    lightness, ab = torch.rand(3, 1, 64, 64) * 100, torch.randn(3, 2, 64, 64) * 20
    assert dcgan(lightness, ab).shape == (3, 1)
    assert patch(lightness, ab).shape == (3, 1, 14, 14)
    assert isinstance(dcgan, DCGAN)
    assert isinstance(patch, Patch)
    for _ in range(30):  # the power iteration settles
        patch(lightness, ab)
    for layer in patch.layers[::2]:
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.1)
    with pytest.raises(ValueError, match="choose from dcgan, patch"):
        build_discriminator("other", 64)
    with pytest.raises(ValueError, match="multiples of 16"):
        build_discriminator("dcgan", 72)


def test_stages_freeze_what_they_say(photos):
    generator, _ = prepare(TINY, photos)
    counts = {}
    for encoder in ("frozen", "pointwise", "all"):
        set_trainable(generator, Stage(1.0, 64, encoder))
        counts[encoder] = sum(p.numel() for p in generator.encoder.parameters() if p.requires_grad)
    assert counts["frozen"] == 0 < counts["pointwise"] < counts["all"]
    assert all(p.requires_grad for p in generator.levels.parameters())


@pytest.mark.parametrize("name", ["TINY", "TINY_CLASSIC"])
def test_twenty_steps_are_ten_a_kill_and_ten_more_bit_for_bit(name, shard, tmp_path):
    """The second run is killed by SIGKILL at step 10 or later, whatever it is doing, and started again."""
    script = tmp_path / "run.py"
    script.write_text(ANY_PRESET)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    command = [sys.executable, script, name, shard]
    done = launch(*command, whole, env=HERE)
    assert done.returncode == 0, done.stderr
    process = subprocess.Popen([str(c) for c in (*command, parts)], cwd=ROOT, env=HERE)
    deadline, step = time.monotonic() + 150, 0
    while step < 10 and time.monotonic() < deadline:
        time.sleep(0.02)
        step = (load_checkpoint(parts / "last.pt") or {"step": 0})["step"]
    process.kill()
    process.wait()
    assert 10 <= load_checkpoint(parts / "last.pt")["step"] < 20
    done = launch(*command, parts, env=HERE)
    assert done.returncode == 0, done.stderr
    states = [load_checkpoint(run / "last.pt") for run in (whole, parts)]
    assert states[0]["step"] == 20
    assert_same_state(*states)
    curves = [[{k: v for k, v in row.items() if k != "seconds"} for row in rows_of(run)] for run in (whole, parts)]
    assert curves[0] == curves[1]


HERE = os.environ | {"PYTHONPATH": str(ROOT)}
ANY_PRESET = """
import sys
from pathlib import Path
from tests.training import conftest  # noqa: E402
from training.loop import Options, train  # noqa: E402
from training.pictures import open_pictures  # noqa: E402

photos = open_pictures([Path(sys.argv[2])])
preset = getattr(conftest, sys.argv[1])
assert train(preset, photos, photos[:4], Path(sys.argv[3]), Options(save_every=0, log_every=5, sample_every=1000))
"""


def test_the_time_limit_saves_and_stops(photos, tmp_path):
    assert not train(TINY, photos, photos[:4], tmp_path, Options(time_limit=0.0))
    assert load_checkpoint(tmp_path / "last.pt")["step"] == 1


def test_training_learns(photos, tmp_path):
    preset = dataclasses.replace(TINY, stages=(Stage(1.0, 64, "frozen"),), steps=30, learning_rate=3e-3)
    train(preset, photos, photos[:4], tmp_path)
    log_prior = prepare(preset, photos)[0].log_prior
    prior_entropy = -(log_prior.exp() * log_prior).sum().item()  # what knowing nothing but the prior costs
    assert rows_of(tmp_path)[-1]["loss"] < prior_entropy - 0.1


def test_a_run_folder_holds_all_that_is_promised(photos, tmp_path):
    options = Options(log_every=5, sample_every=10, keep=True)
    assert train(TINY_CLASSIC, photos, photos[:4], tmp_path, options)
    rows = rows_of(tmp_path)
    assert [r["step"] for r in rows] == [5, 10, 15, 20]
    told = {
        "l1",
        "adversarial",
        "discriminator",
        "accuracy",
        "skipped",
        "norm",
        "rate",
        "psnr",
        "perceptual",
        "frechet",
    }
    assert told <= set(rows[-1])
    assert json.loads((tmp_path / "options.json").read_text())["adversary"]["kind"] == "dcgan"
    assert sorted(p.name for p in (tmp_path / "samples").iterdir()) == ["000010.jpg", "000020.jpg"]
    assert (tmp_path / "plots.png").read_bytes().startswith(b"\x89PNG")
    assert len(list((tmp_path / "weights").iterdir())) == 4
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(tmp_path / "tensorboard"))
    board.Reload()
    assert board.Tags()["images"] == ["samples"]
    assert "accuracy" in board.Tags()["scalars"]


def test_classic_trains_with_every_option(photos, tmp_path):
    """Instance norm, the patch discriminator, accumulation, weight decay: each changes what is built."""
    preset = dataclasses.replace(
        TINY_CLASSIC,
        generator=dataclasses.replace(TINY_CLASSIC.generator, norm="instance"),
        adversary=Adversary("patch", weight_decay=0.01),
        accumulate=2,
        steps=2,
    )
    trainer = Trainer(preset, photos)
    assert any(isinstance(m, torch.nn.InstanceNorm2d) for m in trainer.generator.modules())
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in trainer.generator.modules())
    assert train(preset, photos, photos[:4], tmp_path)
    assert np.isfinite(rows_of(tmp_path)[-1]["adversarial"])


def test_accumulated_parts_give_the_gradient_of_the_whole(photos):
    config = GeneratorConfig(architecture="unet", channels=(8, 16, 16, 16, 16), norm="instance", dropout=0.0)
    made = []
    for parts in (1, 2):
        preset = dataclasses.replace(TINY_CLASSIC, generator=config, adversary=None, plateau=None, accumulate=parts)
        trainer = Trainer(preset, photos)
        from training.data import Feed

        for batch in Feed(photos, preset, 1).batches(0, 3):
            trainer.step(batch)
        made.append(
            predictor(trainer.generator.eval(), "cpu")(
                np.linspace(0, 100, 4096, dtype=np.float32).reshape(1, 1, 64, 64)
            )
        )
    np.testing.assert_allclose(*made, atol=0.02)


def test_a_discriminator_that_is_ahead_is_held_back(photos, tmp_path):
    """With a bound of nothing it never learns; without one it does, and soon tells all."""
    weights = {}
    for bound in (-1.0, 1.0):
        preset = dataclasses.replace(TINY_CLASSIC, adversary=Adversary("dcgan", bound=bound), steps=6)
        trainer = Trainer(preset, photos)
        before = [p.detach().clone() for p in trainer.discriminator.parameters()]
        from training.data import Feed

        for batch in Feed(photos, preset, 1).batches(0, 6):
            told = trainer.step(batch)
        after = list(trainer.discriminator.parameters())
        weights[bound] = all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
        assert told["skipped"] == (6 if bound < 0 else 0)
    assert weights == {-1.0: True, 1.0: False}


def test_both_learning_rates_fall_on_a_plateau(photos):
    trainer = Trainer(TINY_CLASSIC, photos)
    for _ in range(3):
        trainer.scored(10.0, 0.6)
    assert trainer.optimiser.param_groups[0]["lr"] == pytest.approx(TINY_CLASSIC.learning_rate / 4)
    assert trainer.opponent.param_groups[0]["lr"] == pytest.approx(TINY_CLASSIC.adversary.learning_rate / 4)


def test_an_adversary_on_the_decoded_distribution(photos, tmp_path):
    preset = dataclasses.replace(TINY, adversary=Adversary("patch", weight=0.1, begin=0.5), steps=6)
    assert train(preset, photos, photos[:4], tmp_path, Options(log_every=1))
    rows = rows_of(tmp_path)
    assert ["adversarial" in r for r in rows] == [False] * 3 + [True] * 3


def test_not_finite_stops_and_keeps_the_last_good_state(photos, tmp_path):
    preset = dataclasses.replace(TINY_CLASSIC, learning_rate=1e30, clip=1e30, steps=20)
    with pytest.raises(FloatingPointError, match=r"at step \d+; the last good state is in .*last.pt"):
        train(preset, photos, photos[:4], tmp_path, Options(save_every=0))
    state = load_checkpoint(tmp_path / "last.pt")
    assert all(torch.isfinite(v).all() for v in state["generator"].values())


def test_a_folder_in_use_is_refused(photos, tmp_path):
    with RunFolder(tmp_path, {}), pytest.raises(ValueError, match="another process trains into this folder"):
        train(TINY, photos, photos[:4], tmp_path)


def test_a_run_of_another_configuration_is_refused(photos, tmp_path):
    assert train(dataclasses.replace(TINY, steps=2), photos, photos[:4], tmp_path)
    with pytest.raises(ValueError, match=r"another configuration \(batch 4 there, 8 asked for"):
        train(dataclasses.replace(TINY, steps=2, batch=8), photos, photos[:4], tmp_path)
    (tmp_path / "options.json").unlink()
    with pytest.raises(ValueError, match="another configuration"):
        train(TINY_CLASSIC, photos, photos[:4], tmp_path)


def test_a_strangers_checkpoint_runs_no_code(photos, tmp_path):
    class Evil:
        def __reduce__(self):
            return (os.system, (f"touch {tmp_path / 'pwned'}",))

    torch.save({"step": 1, "generator": Evil()}, tmp_path / "last.pt")
    with pytest.raises(ValueError, match="not a checkpoint of this trainer"):
        train(TINY, photos, photos[:4], tmp_path)
    assert not (tmp_path / "pwned").exists()


def test_no_space_is_told_before_the_first_step(photos, tmp_path, monkeypatch):
    monkeypatch.setattr("training.runs.shutil.disk_usage", lambda _: type("Usage", (), {"free": 1_000_000}))
    with pytest.raises(ValueError, match=r"1 MB are free and checkpoints need \d+ MB"):
        train(TINY, photos, photos[:4], tmp_path)
    assert not (tmp_path / "last.pt").exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_full_disk_leaves_the_last_good_files(photos, tmp_path, monkeypatch):
    assert train(dataclasses.replace(TINY, steps=2), photos, photos[:4], tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.glob("*.*")}

    def on_a_full_disk(folder, mode, token):
        (folder / ".vidcolor-full.part").symlink_to("/dev/full")
        return folder / ".vidcolor-full.part"

    monkeypatch.setattr("vidcolor.atomic.new_file", on_a_full_disk)
    from training.export import export_safetensors
    from training.runs import plot_curves, save_checkpoint

    with pytest.raises(OutputError, match=r"last\.pt: "):
        save_checkpoint(tmp_path / "last.pt", {"weights": torch.zeros(1_000_000)})
    with pytest.raises(OutputError, match=r"average\.safetensors: the disk is full"):
        export_safetensors(load_average(tmp_path / "average.safetensors")[0], tmp_path / "average.safetensors")
    with pytest.raises(OutputError, match=r"plots\.png: the disk is full"):
        plot_curves([{"step": 0, "loss": 1.0}, {"step": 1, "loss": 0.5}], tmp_path / "plots.png")
    assert {path: path.read_bytes() for path in tmp_path.glob("*.*")} == before


def test_training_goes_on_from_the_shipped_model(photos):
    """`init`: the same a*b* as the model file, and gradients flow."""
    from vidcolor.backends import make_backend
    from vidcolor.models.files import open_model

    model = open_model()
    trainer = Trainer(dataclasses.replace(TINY, clip=1e9), photos, init=model.path)
    lightness = np.random.default_rng(0).uniform(0, 100, (1, 1, 64, 96)).astype(np.float32)
    backend, _ = make_backend("pytorch", model)
    plain = dataclasses.replace(backend.generator.config, temperature=1.0, prior_correction=0.0, saturation=1.0)
    backend.generator.config = plain
    backend.generator.set_bins(backend.generator.centres, backend.generator.log_prior)
    ours = predictor(trainer.average, "cpu")(lightness)
    np.testing.assert_allclose(ours, backend.predict(lightness), atol=1e-3)
    with pytest.raises(ValueError, match="another shape"):
        prepare(TINY_CLASSIC, photos, model.path)


COMMAND = [sys.executable, "-m", "training", "--device", "cpu", "--preset", "default"]


def launch(*arguments, **kwargs):
    command = [str(a) for a in arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, **kwargs)


def test_the_command_trains_and_resumes(shard, tmp_path):
    """The short form, with photographs set aside from the training ones."""
    command = [*COMMAND, "--data", shard, "--out", tmp_path / "run", "--val-limit", 4]
    stopped = launch(*command, "--time-limit", 0, "--steps", 2)
    assert stopped.returncode == 0, stopped.stderr
    assert "22 photographs to train on, 2 to score on" in stopped.stderr
    assert "stopped by the time limit" in stopped.stderr
    done = launch(*command, "--steps", 2)
    assert done.returncode == 0, done.stderr
    assert "finished" in done.stderr
    refused = launch(*command, "--steps", 3)
    assert refused.returncode == 1
    assert "another configuration (steps 2 there, 3 asked for)" in refused.stderr


def test_the_command_tells_bad_input_in_one_line(tmp_path):
    done = launch(*COMMAND, "--data", tmp_path, "--val", tmp_path, "--out", tmp_path / "run")
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("training: no usable pictures")
    assert "Traceback" not in done.stderr


def test_two_processes_follow_the_loss_curve_of_one(shard, tmp_path):
    """torchrun with two gloo processes at the same global batch."""
    script = tmp_path / "run.py"
    script.write_text(TWO_PROCESSES)
    curves = []
    for world in (1, 2):
        out = tmp_path / f"run{world}"
        many = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", world]
        done = launch(sys.executable, *many, script, shard, out, env=HERE)
        assert done.returncode == 0, done.stderr[-2000:]
        curves.append(rows_of(out))
    assert [r["step"] for r in curves[0]] == list(range(1, 7)) == [r["step"] for r in curves[1]]
    for name in ("l1", "adversarial", "discriminator", "psnr"):
        one, two = ([r[name] for r in c if name in r] for c in curves)
        assert one == pytest.approx(two, rel=2e-3), name
    assert curves[0][0]["l1"] != curves[0][-1]["l1"]


TWO_PROCESSES = """
import dataclasses, sys
from pathlib import Path
import torch
from tests.training.conftest import TINY_CLASSIC  # noqa: E402
from training.distributed import join, leave  # noqa: E402
from training.loop import Options, train  # noqa: E402
from training.pictures import open_pictures  # noqa: E402

torch.set_num_threads(1)
group = join("cpu")
generator = dataclasses.replace(TINY_CLASSIC.generator, norm="instance", dropout=0.0)
preset = dataclasses.replace(TINY_CLASSIC, generator=generator, steps=6, score_every=3)
photos = open_pictures([Path(sys.argv[1])])
train(preset, photos, photos[:4], Path(sys.argv[2]), Options(log_every=1, sample_every=1000), group)
leave(group)
"""


def test_presets_are_whole():
    for name, preset in PRESETS.items():
        assert preset.stages[-1].until == 1.0, name
        assert all(s.size % 32 == 0 for s in preset.stages), name


def test_the_unscored_figures_have_no_distances(photos):
    found = evaluate(photos[:2], lambda x: np.zeros((len(x), 2, *x.shape[2:]), np.float32))
    assert "frechet" not in found.to_dict()
