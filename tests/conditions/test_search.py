"""The frame that a reference shows is found; a wrong number is told; a picture of another film is not used."""

import time
from dataclasses import replace

import cv2
import numpy as np
import pytest

from tests.conditions.conftest import hues
from tests.conftest import ROOT, SHARED
from tests.films import read
from vidcolor.color.encoding import Encoding, luma_to_lightness
from vidcolor.color.proxy import ProxySize, make_proxy
from vidcolor.conditions.reference import Reference, read_references
from vidcolor.conditions.registration import place
from vidcolor.conditions.search import Index

OTHER = ROOT / "docs" / "gallery" / "side-film_faces_cuts.mp4"


def indexed(proxies) -> Index:
    index = Index()
    for number, lightness in enumerate(proxies):
        index.push(number, lightness)
    return index


@pytest.fixture(scope="module")
def film(proxies) -> list[np.ndarray]:
    """L* proxies of two films, one after the other: 185 frames of one shot, then those of another with cuts."""
    side = read(OTHER).luma
    size = ProxySize(288, 216)
    return [*proxies, *(make_proxy(x[:, : x.shape[1] // 2].copy(), size, Encoding()).lightness for x in side[:60])]


@pytest.fixture(scope="module")
def index(film) -> Index:
    return indexed(film)


def reference(luma: np.ndarray, number: int | None, change=lambda x: x, **options) -> Reference:
    lightness = np.ascontiguousarray(change(luma_to_lightness(luma, Encoding())), np.float32)
    return Reference.of(lightness, hues(*lightness.shape), name=f"ref_{number}.png", number=number, **options)


def outcomes(index, film, *references):
    """As a film's survey has them: each is tried at its number first."""
    tried = {r.name: place(r, film[r.number]) for r in references if r.number is not None and r.number < len(film)}
    return index.outcomes(references, {name: placed for name, placed in tried.items() if placed is not None})


CHANGES = {
    "as it is": lambda x: x,
    "small": lambda x: cv2.resize(x, (240, 180), interpolation=cv2.INTER_AREA),
    "crop of 10 %": lambda x: x[20:-28, 40:-24],
    "crop of 25 %": lambda x: x[20:-100, 100:-60],
    "borders": lambda x: cv2.copyMakeBorder(x, 24, 24, 32, 32, cv2.BORDER_CONSTANT, value=0),
    "grain": lambda x: (x + np.random.default_rng(1).normal(0, 10, x.shape)).clip(0, 100),
    "gain": lambda x: (1.2 * x).clip(0, 100),
    "gamma": lambda x: 100 * (x / 100) ** 0.7,
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_picture_without_a_number_is_found(frames, index, film, change):
    (found,) = outcomes(index, film, reference(frames[140], None, CHANGES[change]))
    assert found.kind == "found"
    assert abs(found.number - 140) <= 2  # neighbours of this quiet shot are all but alike
    assert found.score > 0.85
    assert "found at frame 1" in str(found)
    assert place(found.reference, film[found.number], number=found.number) is not None


@pytest.mark.parametrize("change", CHANGES)
def test_a_right_number_is_kept(frames, index, film, change):
    (found,) = outcomes(index, film, reference(frames[140], 140, CHANGES[change]))
    assert (found.kind, found.number) == ("used", 140)
    assert str(found).startswith("ref_140.png: used at frame 140 (agreement ")


def test_a_wrong_number_is_told_and_the_right_one_proposed(frames, index, film):
    (found,) = outcomes(index, film, reference(frames[140], 10))
    assert (found.kind, found.number) == ("moved", 140)
    assert str(found).startswith("ref_10.png: shows frame 140 (agreement ")
    assert "not 10" in str(found)
    assert str(found).endswith("rename it ref_000140")
    (found,) = outcomes(index, film, reference(frames[140], 200))  # a frame of the other film
    assert (found.kind, found.number) == ("moved", 140)
    (found,) = outcomes(index, film, reference(frames[140], 5000))  # beyond the end
    assert (found.kind, found.number) == ("moved", 140)


def test_numbers_from_one_are_told(frames, index, film):
    """Each is too near to its frame to be sure, but they are all off by one."""
    given = [reference(frames[n], n + 1) for n in (20, 50, 80, 110, 140)]
    assert [o.number for o in outcomes(index, film, *given)] == [20, 50, 80, 110, 140]
    assert [o.number for o in outcomes(index, film, given[0])] == [21]
    mixed = [reference(frames[n], n + off) for n, off in ((20, 1), (50, 0), (80, -1), (110, 1), (140, 0))]
    assert [o.kind for o in outcomes(index, film, *mixed)] == ["used"] * 5


def test_another_film_is_not_used(frames, proxies, film):
    index, other = indexed(film[185:]), [reference(frames[n], number) for n, number in ((0, None), (90, 7), (180, 900))]
    found = outcomes(index, film[185:], *other)
    assert [o.kind for o in found] == ["unused"] * 3
    assert "ref_None.png: matches no frame (agreement 0." in str(found[0])
    assert "not used; check that it shows a frame of this film" in str(found[0])
    assert "ref_900.png: is of frame 900, but the film ends with 59" in str(found[2])
    mirrored = reference(frames[140][:, ::-1], None)
    assert [o.kind for o in outcomes(indexed(proxies), proxies, mirrored)] == ["unused"]


def test_a_small_part_is_used_at_its_number_alone(frames, index, film):
    alpha = np.zeros(frames[0].shape, np.float32)
    alpha[200:260, 300:380] = 1.0
    hat = reference(frames[140], 20, lambda x: np.full_like(x, 30.0), alpha=alpha)
    (found,) = outcomes(index, film, hat)
    assert (found.kind, found.number) == ("used", 20)
    assert str(found) == "ref_20.png: used at frame 20 (its luma cannot be compared)"
    (found,) = outcomes(index, film, replace(hat, number=None))
    assert found.kind == "unused"


def test_chroma_alone_is_used_at_its_number(frames, index, film):
    masks = reference(frames[140], 20, lambda x: np.full_like(x, 50.0), chroma=True)
    (found,) = outcomes(index, film, masks)
    assert (found.kind, found.number) == ("used", 20)
    (found,) = outcomes(index, film, replace(masks, number=None))
    assert found.kind == "unused"
    (found,) = index.outcomes([replace(masks, number=5000)], {})
    assert found.kind == "unused"


def test_best_ranks_frames(frames, index):
    ranked = index.best(reference(frames[140], None))
    assert ranked[0][0] == 140
    scores = [score for _, score in ranked]
    assert len(scores) == 5
    assert scores == sorted(scores, reverse=True)
    assert all(0.0 <= s <= 1.0 for s in scores)


def test_no_frame_at_all(frames):
    empty = Index()
    assert empty.best(reference(frames[0], 0)) == []
    assert [o.kind for o in empty.outcomes([reference(frames[0], 0)], {})] == ["unused"]


def test_numbers_may_begin_anywhere(frames, film):
    index = Index()
    for number, lightness in enumerate(film[100:185], 1000):
        index.push(number, lightness)
    (found,) = index.outcomes([reference(frames[140], None)], {})
    assert found.number == 1040
    (found,) = index.outcomes([reference(frames[140], 140)], {})
    assert (found.kind, found.number) == ("moved", 1040)


def test_an_index_is_small_and_quick(film):
    index = Index()
    began = time.process_time()
    for number in range(1000):
        index.push(number, film[number % len(film)])
    assert (time.process_time() - began) / 1000 < 0.001  # 0.1 ms on an idle machine
    assert sum(block.nbytes for block in index.blocks) / 4096 * 200_000 < 300e6


@pytest.mark.skipif(not (SHARED / "video" / "references").exists(), reason="needs the shared clips")
def test_pictures_of_an_image_model():
    luma = read(SHARED / "video" / "references" / "film_bw.mp4").luma
    size = ProxySize.fit(luma[0].shape[1], luma[0].shape[0], 216)
    film = [make_proxy(x, size, Encoding()).lightness for x in luma]
    index, given = indexed(film), read_references([SHARED / "video" / "references"])[0]
    assert [o.kind for o in outcomes(index, film, *given)] == ["used"] * 9
    wrong = [replace(r, number=r.number + 30) for r in given[:-1:3]]
    for found in outcomes(index, film, *wrong):
        assert (found.kind, abs(found.number - found.reference.number + 30) <= 1) == ("moved", True)
    for found in outcomes(index, film, *(replace(r, number=None, name=f"{r.number}") for r in given[1::3])):
        assert abs(found.number - int(found.reference.name)) <= 1
