"""The stand-ins for other colourisers have the size that is known of them, and the way through files leaves nothing."""

import itertools
import tempfile
import time

import pytest

torch = pytest.importorskip("torch")

from benchmarks import peers  # noqa: E402
from benchmarks.peer_networks import PEERS  # noqa: E402
from benchmarks.peers import STAGES, calls_per_second, cost, frame_by_frame, rate  # noqa: E402
from tests.conftest import SAMPLE  # noqa: E402

KNOWN = {  # parameters in millions and GMAC: of the papers; of DeOldify the size of the released file, in float32
    "ECCV16": (32, 42, (2, 256, 256)),
    "DDColor-tiny": (55, 25, (2, 256, 256)),
    "DeOldify video": (218.5, None, (3, 336, 336)),
}


@pytest.mark.parametrize("name", PEERS)
def test_size_cost_and_shape_are_those_published(name):
    parameters, gmac, shape = KNOWN[name]
    peer = PEERS[name]
    with torch.device("meta"):  # shapes without numbers: no time, no memory
        module = peer.build()
        x = torch.zeros(1, peer.channels, peer.side, peer.side)
        found = cost(module, x)
        assert module(x).shape == (1, *shape)
    assert found[0] == pytest.approx(parameters, rel=0.02)
    if gmac is not None:
        assert found[1] == pytest.approx(gmac, rel=0.05)


@pytest.mark.parametrize("name", ["ECCV16", "DDColor-tiny"])
def test_a_peer_runs_on_the_cpu_and_is_timed(name, monkeypatch):
    peer, clock = PEERS[name], FakeClock()
    monkeypatch.setattr(peers, "time", clock)
    module = peer.build()
    pictures = []

    def half_a_second(module, args, made):
        clock.now += 0.5
        pictures.append(args[0].shape)
        assert torch.isfinite(made).all()

    module.register_forward_hook(half_a_second)
    assert rate(module, 64, peer.channels, seconds=2.0) == 2.0
    assert pictures == [(1, peer.channels, 64, 64)] * 5  # the first to warm up


class FakeClock:
    """Stands for the module `time`; only what is timed moves it on."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


def test_speed_is_calls_by_seconds_and_the_warm_up_is_not_counted(monkeypatch):
    clock, took = FakeClock(), itertools.chain([60.0], itertools.repeat(0.25))
    monkeypatch.setattr(peers, "time", clock)

    def call():
        clock.now += next(took)

    assert calls_per_second(call, seconds=1.0) == 4.0
    assert clock.now == 61.0


def test_a_lap_is_booked_to_the_stage_that_ends_it(monkeypatch):
    clock = FakeClock()
    monkeypatch.setattr(peers, "time", clock)
    laps = peers.Laps()
    for stage, seconds in (("decode", 1.0), ("write_frames", 2.0), ("decode", 4.0)):
        clock.now += seconds
        laps.end(stage)
    assert laps == {"decode": 5.0, "write_frames": 2.0}


@pytest.mark.parametrize("image", ["png", "jpg"])
def test_frame_by_frame_times_every_stage_and_leaves_no_files(image, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    began = time.perf_counter()
    found = frame_by_frame(SAMPLE, 3, image=image)
    wall = time.perf_counter() - began
    assert tuple(found["seconds"]) == STAGES
    assert min(found["seconds"].values()) > 0  # none was left out: a stage that never ends has 0
    assert 0.5 * wall < found["total"] <= wall + 0.01
    assert found["total"] == pytest.approx(sum(found["seconds"].values()), abs=0.01)
    assert found["frames"] == 3
    assert found["peak_bytes"] > 6 * 20_000  # two pictures of 640 x 480 a frame
    assert not list(tmp_path.iterdir())


def test_a_film_that_is_too_short_is_refused(short_film, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(ValueError, match="12 frames, not 20"):
        frame_by_frame(short_film, 20)
    assert not list(tmp_path.iterdir())
