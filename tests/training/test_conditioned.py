"""The conditioned preset in small: what is known reaches the loss, knowledge stays, a run goes on from its average."""

import dataclasses
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.training.conftest import TINY, TINY_CONDITIONED  # noqa: E402
from tests.training.test_training import rows_of  # noqa: E402
from training.data import Feed  # noqa: E402
from training.knowledge import Knowledge  # noqa: E402
from training.loop import Options, train  # noqa: E402
from training.presets import PRESETS  # noqa: E402
from training.reveal import Reveal  # noqa: E402
from training.runs import load_checkpoint  # noqa: E402
from training.trainer import Trainer, learning_rate, load_average, prepare  # noqa: E402
from vidcolor.models.encoder import Encoder  # noqa: E402
from vidcolor.models.files import open_model  # noqa: E402

SHIPPED = open_model().path


def test_knowledge_costs_nothing_until_it_is_lost():
    knowledge = Knowledge("lite2")
    encoder = Encoder("lite2")
    encoder.load_state_dict(knowledge.encoder.state_dict())
    lightness = torch.rand(2, 1, 64, 64) * 100
    same = knowledge(lightness, encoder(lightness)[1])
    assert same.item() == pytest.approx(0.0, abs=1e-5)
    with torch.no_grad():
        encoder.blocks[5].project.weight.mul_(1.3)
    other = knowledge(lightness, encoder(lightness)[1])
    assert other > 0.01
    other.backward()
    assert encoder.blocks[5].project.weight.grad.abs().sum() > 0
    assert not any(p.requires_grad for p in knowledge.parameters())


def test_the_frozen_copy_is_no_part_of_the_run(photos):
    preset = dataclasses.replace(TINY_CONDITIONED, knowledge=0.5)
    trainer = Trainer(preset, photos)
    told = trainer.step(next(Feed(photos, preset, 4).batches(0, 1)))
    assert told["knowledge"] == pytest.approx(0.0, abs=0.02)  # the encoder is still the pretrained one
    assert not any("knowledge" in k for k in trainer.state())
    mine = {id(p) for g in trainer.optimiser.param_groups for p in g["params"]}
    assert not mine & {id(p) for p in trainer.knowledge.parameters()}


def test_the_cooldown_falls_straight_to_nought():
    preset = dataclasses.replace(PRESETS["conditioned"], steps=1000, warmup=100, cooldown=0.2, learning_rate=1.0)
    assert learning_rate(preset, 0) == pytest.approx(0.01)
    assert learning_rate(preset, 99) == pytest.approx(1.0)
    assert [learning_rate(preset, s) for s in (100, 500, 799)] == pytest.approx([1.0, 1.0, 1.0])
    assert [learning_rate(preset, s) for s in (800, 900, 999)] == pytest.approx([1.0, 0.5, 0.005])
    plain = dataclasses.replace(preset, cooldown=None)
    assert learning_rate(plain, 100) == pytest.approx(1.0)
    assert learning_rate(plain, 1000) == pytest.approx(0.01)


def test_a_run_that_goes_on_warms_up_from_where_it_began():
    preset = dataclasses.replace(PRESETS["conditioned"], steps=1000, warmup=100, cooldown=0.2, learning_rate=1.0)
    assert [learning_rate(preset, s, 400) for s in (400, 449, 499, 500)] == pytest.approx([0.01, 0.5, 1.0, 1.0])
    assert learning_rate(preset, 900, 400) == pytest.approx(0.5)


def test_the_loss_falls_with_what_is_told(photos):
    """From the same weights a few steps on whole certain maps learn to follow them."""
    told_all = dataclasses.replace(TINY_CONDITIONED, reveal=Reveal(0, 0, 0, 1.0, certain=1.0), knowledge=0.0,
                                   learning_rate=3e-3, steps=12)  # fmt: skip
    trainer = Trainer(told_all, photos, init=SHIPPED)
    batches = list(Feed(photos, told_all, 4).batches(0, 12))
    for batch in batches:
        trainer.step(batch)
    generator = trainer.generator.eval()
    batch = batches[0]
    with torch.no_grad():
        alone, helped = (generator(batch.lightness, c) for c in (None, batch.conditions))
    assert (helped - batch.ab).abs().mean() < 0.7 * (alone - batch.ab).abs().mean()


@pytest.fixture(scope="module")
def run(photos, tmp_path_factory):
    out = tmp_path_factory.mktemp("conditioned") / "run"
    assert train(TINY_CONDITIONED, photos, photos[:4], out, Options(log_every=4, sample_every=1000, init=SHIPPED))
    return out


def test_the_gap_of_seen_and_unseen_is_logged(run):
    scored = [r for r in rows_of(run) if "psnr" in r]
    assert [r["step"] for r in scored] == [4, 8]
    for row in scored:
        assert 0 < row["seen"] < 10
        assert 0 < row["unseen"] < 10
        assert {"loss", "knowledge"} <= set(row)


def test_the_gap_is_the_loss_on_each_set(photos, run):
    from training.loop import gap

    trainer = Trainer(TINY_CONDITIONED, photos, init=run / "average.safetensors")
    same = [photos[i][:64, :64] for i in range(3)]
    found = gap(trainer, same, same)
    assert found["seen"] == found["unseen"]
    other = gap(trainer, same, [np.ascontiguousarray(p[..., ::-1]) for p in same])  # blue, which nothing taught
    assert other["seen"] > other["unseen"] + 0.5


def test_a_run_goes_on_from_its_average_at_its_step(run, photos, tmp_path):
    average = run / "average.safetensors"
    generator, step = load_average(average)
    assert step == 8
    kept = load_checkpoint(run / "last.pt")["average"]
    for name, values in generator.state_dict().items():
        torch.testing.assert_close(values, kept[name].float(), atol=1e-3, rtol=2e-3)
    longer = dataclasses.replace(TINY_CONDITIONED, steps=12)
    assert prepare(longer, photos, average)[1] == 8
    assert train(longer, photos, photos[:4], tmp_path / "on", Options(log_every=1, init=average))
    rows = rows_of(tmp_path / "on")
    assert [r["step"] for r in rows] == [9, 10, 11, 12]
    # Two steps of warm-up, then the peak until the run cools down (from step 9.6 on).
    assert rows[0]["rate"] == pytest.approx(0.5 * longer.learning_rate, rel=1e-3)
    assert rows[-1]["rate"] == pytest.approx(longer.learning_rate / 2.4, rel=1e-3)
    assert load_checkpoint(tmp_path / "on" / "last.pt")["began"] == 8


def test_what_are_no_averaged_weights_is_named(tmp_path, photos):
    from safetensors.torch import save_file

    (tmp_path / "text.safetensors").write_text("not weights")
    save_file({"x": torch.zeros(2)}, tmp_path / "other.safetensors")
    for name in ("text", "other"):
        with pytest.raises(ValueError, match=rf"{name}\.safetensors: not the averaged weights of a run"):
            prepare(TINY_CONDITIONED, photos, tmp_path / f"{name}.safetensors")


def test_options_of_a_run_tell_what_it_reveals(run):
    told = json.loads((run / "options.json").read_text())
    assert told["reveal"] == dataclasses.asdict(Reveal())
    assert told["generator"]["conditions"] is True


def test_a_generator_without_conditions_is_told_nothing(photos):
    assert next(Feed(photos, TINY, 4).batches(0, 1)).conditions is None
