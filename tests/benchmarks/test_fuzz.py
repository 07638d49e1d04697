"""A short version of `python -m benchmarks fuzz`: a few mutants of films and stills made here, through the command."""

import numpy as np
import pytest
from PIL import Image

from benchmarks.fuzz.check import fault_of
from benchmarks.fuzz.mutants import KINDS, mutant, sources_in
from benchmarks.fuzz.run import fuzz
from tests.conftest import SAMPLE
from tests.films import make_grey, make_mpegts


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("media")
    make_grey(SAMPLE, folder / "sample.mp4", frames=6)
    make_mpegts(folder / "film.ts", frames=8, size=(64, 48))
    grey = np.add.outer(np.arange(48), np.arange(64)).astype(np.uint8)
    for name in ("still.png", "still.jpg", "still.tif"):
        Image.fromarray(grey).save(folder / name)
    return sources_in([folder], tmp_path_factory.mktemp("short"))


def test_a_mutant_is_known_by_its_number(sources):
    assert len(sources) == 5
    numbers = range(len(sources) * len(KINDS))
    made = [mutant(sources, number, 1) for number in numbers]
    assert {m.kind for m in made} == set(KINDS)
    assert made == [mutant(sources, number, 1) for number in numbers]
    assert made[0].data != mutant(sources, 0, 2).data
    assert sum(m.data != sources[m.number % 5].data for m in made) >= 18


def test_mutants_end_with_their_frames_or_with_a_line(sources, tmp_path):
    """One batch through one command; the rest of them on more cores and for longer in the benchmark."""
    found = fuzz(sources, tmp_path, first=24, count=24)
    assert found["faults"] == []
    assert found["mutants"] == 24 == found["coloured"] + found["refused"]
    assert found["coloured"] > 5
    assert found["refused"] > 2
    assert list(tmp_path.iterdir()) == []


def test_a_target_without_its_frames_is_a_fault(tmp_path):
    made = [make_mpegts(tmp_path / f"{n}.ts", frames=n, size=(64, 48)) for n in (8, 7)]
    assert fault_of(made[0], made[0], {"frames": 8}) == ""
    assert "told were 8" in fault_of(made[0], made[1], {"frames": 8})
    assert "more or fewer" in fault_of(made[0], made[1], {"frames": 7})
    (tmp_path / "cut.ts").write_bytes(b"")
    assert "cannot be read" in fault_of(made[0], tmp_path / "cut.ts", {"frames": 8})
