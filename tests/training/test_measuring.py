"""Hints, curves, and the way from averaged weights to a model file."""

import dataclasses
import json
import shutil
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.conditioned import make_generator  # noqa: E402
from tests.training.conftest import TINY_CONDITIONED, learnable  # noqa: E402
from tests.training.test_training import launch  # noqa: E402
from training.curve import POINTS, curve  # noqa: E402
from training.curve import table as curve_table  # noqa: E402
from training.data import to_lab  # noqa: E402
from training.decoding import learn  # noqa: E402
from training.export import export_safetensors  # noqa: E402
from training.hints import Points, hints, never_worse  # noqa: E402
from training.hints import table as hints_table  # noqa: E402
from training.weights import Run, load_average, load_weights, read_run, run_of  # noqa: E402
from vidcolor.backends.pytorch import load_generator  # noqa: E402
from vidcolor.models.files import open_model  # noqa: E402

PHOTOS = [learnable(i, 256, 256) for i in range(3)]


@pytest.fixture(scope="module")
def generator():
    return make_generator()


def test_points_tell_the_mean_of_their_patch():
    lab = torch.from_numpy(np.stack([to_lab(p) for p in PHOTOS])).permute(0, 3, 1, 2)
    points = Points.draw(lab, 100, torch.Generator().manual_seed(0))
    assert points.at.min() >= 0
    assert points.at.max() < 256
    row, column = next((r, c) for r, c in points.at[1].tolist() if 3 <= r < 253 and 3 <= c < 253)
    which = points.at[1].tolist().index([row, column])
    patch = lab[1, 1:, row - 3 : row + 4, column - 3 : column + 4].mean((1, 2))
    torch.testing.assert_close(points.colours[1, which], patch, atol=1e-3, rtol=0)
    assert not points.conditions(0).any()
    one = points.conditions(1)
    assert (one[:, 2].sum((1, 2)) == 4).all()
    for i in range(3):
        rows, columns = (one[i, 2] > 0).nonzero().unbind(1)
        r, c = points.at[i, 0].tolist()
        assert abs(4 * rows.min() + 4 - (r + 0.5)) <= 4.5  # the four cells lie around the point
        assert abs(4 * columns.min() + 4 - (c + 0.5)) <= 4.5
        torch.testing.assert_close(one[i, :2, rows[0], columns[0]], points.colours[i, 0])
    more = points.conditions(30)
    assert torch.equal(more[one > 0], one[one > 0])  # what was told stays told


def test_hints_on_a_generator_that_copies(generator):
    """Random weights know nothing, but what is certain comes out: all of it is told, all is right."""
    found = hints(generator, PHOTOS, bf16=False)
    assert list(found["points"]) == ["0", "1", "5", "10", "30", "100"]
    assert found["whole"]["1.0"] > 35
    assert found["whole"]["0.9"] > found["whole"]["0.5"]
    assert set(found["wrong"]) == {"near", "16", "32", "64", "96"}
    assert found["wrong"]["near"] > 5  # it is obeyed where it was told
    assert "whole truth" in hints_table(found)
    json.dumps(found)


def test_hints_need_a_generator_that_listens():
    with pytest.raises(ValueError, match="takes no conditions"):
        hints(load_generator(open_model()), PHOTOS)


@pytest.mark.parametrize(
    ("points", "whole", "right"),
    [([20, 21, 22], [20, 30], True), ([20, 19.99, 22], [20, 30], True), ([20, 21, 20.5], [20, 30], False),
     ([20, 21, 22], [19, 30], False), ([20, 21, 22], [25, 24], False)],
)  # fmt: skip
def test_more_knowledge_is_never_worse(points, whole, right):
    assert never_worse(points, whole) is right


def test_the_curve_has_its_points_and_the_files_own(generator):
    before = dataclasses.replace(generator.config)
    found = curve(generator, {"made": PHOTOS})
    row = found["sets"]["made"]
    assert row["pictures"] == 3
    assert [(p["temperature"], p["prior_correction"]) for p in row["plain"]] == list(POINTS)
    assert row["own"]["psnr"] == pytest.approx(row["plain"][0]["psnr"], abs=0.1)  # its own is the first
    assert generator.config == before
    assert curve_table(found).splitlines()[1].startswith("made: ")


def test_a_sure_decoding_is_learnt_and_kept(photos, tmp_path):
    """Cells have settings of their own, and the rest of the program gets the same colours."""
    generator = make_generator()
    squares = [p[:64, :64] for p in photos[:8]]
    told = learn(generator, squares, 1.0, sure=True, steps=40)
    numbers = generator.config.sureness
    assert len(numbers) == len(told["sureness"]) == 12
    assert np.abs(numbers[1:6]).max() > 0
    lightness = torch.rand(1, 1, 64, 64) * 100
    with torch.no_grad():
        sure = generator(lightness)
        generator.config = dataclasses.replace(generator.config, sureness=None)
        assert (generator(lightness) - sure).abs().mean() > 0.01
    generator.config = dataclasses.replace(generator.config, sureness=numbers)
    export_safetensors(generator, tmp_path / "sure.safetensors")
    again = load_average(tmp_path / "sure.safetensors")[0].eval()
    assert again.config == generator.config
    with torch.no_grad():
        torch.testing.assert_close(again(lightness), sure, atol=0.5, rtol=0)  # weights were halved


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run folder as training leaves it, without the training."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    folder.mkdir()
    made = make_generator()
    preset = dataclasses.replace(TINY_CONDITIONED, generator=made.config)
    options = dataclasses.asdict(preset) | {"init": "vidcolor-default.onnx"}
    (folder / "options.json").write_text(json.dumps(options))
    rows = [{"step": s, "loss": 3.0, "psnr": 20.0 + s, "colourfulness_abs": 20.0, "rate": 1e-3} for s in (4, 8, 12)]
    (folder / "stats.jsonl").write_text("".join(json.dumps(r) + "\n" for r in [{"step": 2, "loss": 4.0}, *rows]))
    export_safetensors(made, folder / "average.safetensors", 8)
    return folder


def test_a_run_tells_what_it_was_up_to_a_step(run):
    found = read_run(run, 8)
    assert [row["step"] for row in found.scored] == [4, 8]
    assert found.preset["batch"] == 4
    assert run_of(run / "average.safetensors") == found


def test_weights_that_carry_their_facts_need_no_run_folder(run, generator, tmp_path):
    alone = tmp_path / "alone.safetensors"
    export_safetensors(generator, alone, read_run(run, 8))
    assert run_of(alone) == read_run(run, 8)
    bare = tmp_path / "bare.safetensors"
    export_safetensors(generator, bare, 8)
    assert run_of(bare, run) == read_run(run, 8)
    with pytest.raises(ValueError, match=r"bare\.safetensors: does not tell how it was trained; give --run-folder"):
        run_of(bare)
    assert Run().step == 0


def test_weights_are_read_wherever_they_lie(run, conditioned):
    from_run, from_file = load_weights(run / "average.safetensors"), load_weights(conditioned.path)
    for (name, a), b in zip(from_run.state_dict().items(), from_file.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, atol=2e-2, rtol=2e-3, msg=name)
    assert load_weights(None).config.decoder == (160, 112, 96)


@pytest.mark.timeout(900)
def test_the_commands_measure_and_export_averaged_weights(run, shard, tmp_path):
    """`hints`, `curve` and `export` on average.safetensors; the export needs its facts alone."""
    python = [sys.executable, "-m", "training"]
    alone = tmp_path / "alone.safetensors"
    export_safetensors(load_average(run / "average.safetensors")[0], alone, read_run(run, 8))
    measure = ["--weights", alone, "--val", shard, "--limit", 2, "--out"]
    for command in ("hints", "curve"):
        done = launch(*python, command, *measure, tmp_path / f"{command}.json")
        assert done.returncode == 0, done.stderr
        assert "PSNR" in done.stdout
    assert json.loads((tmp_path / "hints.json").read_text())["photos"]["pictures"] == 2
    assert json.loads((tmp_path / "curve.json").read_text())["plain decodings"]["sets"]["photos"]["pictures"] == 2
    out = tmp_path / "m" / "conditioned.onnx"
    out.parent.mkdir()
    ship = ["--val", shard, "--fit", shard, "--sure", "--out", out, "--safetensors", tmp_path / "kept.safetensors"]
    done = launch(*python, "export", "--weights", alone, *ship)
    assert done.returncode == 0, done.stderr
    model = open_model(out)
    assert model.takes_conditions
    assert len(model.config["sureness"]) == 12
    assert model.metadata["training"].startswith("8 steps of 4")
    card = (out.parent / "MODEL_CARD.md").read_text()
    assert "1 transformer blocks at /16" in card
    assert "entropy" in card
    assert run_of(tmp_path / "kept.safetensors").step == 8
    done = launch(*python, "hints", "--model", open_model().path, "--val", shard)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("training: the generator takes no conditions")
    done = launch(*python, "export", "--val", shard, "--out", out)
    assert "nothing to export; give --run-folder or --weights" in done.stderr
    shutil.rmtree(out.parent)
