"""Real clips, real codecs, the shipped model: what the tests work on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conditioned import make_model
from tests.films import make_grey
from vidcolor import ColorizeOptions, Colorizer

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"
SAMPLE = ROOT / "docs" / "sample" / "his_girl_friday.mp4"
CLIPS = sorted((SHARED / "video").glob("*.mp4"))
ODD = sorted(p for p in (SHARED / "video" / "odd").glob("*") if p.suffix != ".md")


@pytest.fixture(scope="session")
def colorizer():
    """The shipped model on the CPU, looking at small pictures: fast, and the rest of the path is the real one."""
    with Colorizer(ColorizeOptions(backend="openvino", size=96)) as made:
        yield made


@pytest.fixture(scope="session")
def grey(tmp_path_factory):
    """A function from a clip to its grey version (lossless H.264, other streams copied), made once a session."""
    folder, made = tmp_path_factory.mktemp("grey"), {}

    def get(clip: Path) -> Path:
        if clip not in made:
            made[clip] = make_grey(clip, folder / clip.name)
        return made[clip]

    return get


@pytest.fixture(scope="session")
def short_film(tmp_path_factory) -> Path:
    """Twelve frames of the sample with its sound, for tests that need any film."""
    return make_grey(SAMPLE, tmp_path_factory.mktemp("short") / "short.mp4", frames=12)


@pytest.fixture(scope="session")
def conditioned(tmp_path_factory):
    """A small model that takes conditions, freshly exported; slow to make."""
    pytest.importorskip("torch")
    return make_model(tmp_path_factory.mktemp("conditioned"))
