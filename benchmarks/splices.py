"""Films of spliced clips whose cuts are known, with the faults of old film: what shot detectors are measured on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from benchmarks.films import clip_frames
from vidcolor.color.encoding import Encoding, luma_to_lightness
from vidcolor.color.proxy import ProxySize, make_proxy

WIDTH, HEIGHT = 384, 216
SHORTEST, LONGEST = 12, 60  # frames of a piece
DISSOLVES = (8, 24)  # frames, the shortest and the longest
KNOWN = {"film_faces_cuts": [62, 98], "street_cut": [61]}  # cuts of the clips themselves, by eye (their README)


@dataclass
class Film:
    luma: list[np.ndarray]  # (HEIGHT, WIDTH) uint8, limited range
    cuts: list[int] = field(default_factory=list)  # first frames of shots, without the film's own first
    dissolves: list[tuple[int, int]] = field(default_factory=list)  # first and last mixed frame

    @cached_property
    def lightness(self) -> list[np.ndarray]:
        """L* as the pipeline makes it of the luma proxy."""
        return [luma_to_lightness(x, Encoding()) for x in self.luma]


def read_small(clip: Path) -> np.ndarray:
    """The clip's luma, its middle in 16:9, as (N, HEIGHT, WIDTH) uint8."""
    size, found = ProxySize(WIDTH, HEIGHT), []
    for frame in clip_frames(clip):
        luma = frame.to_ndarray(format="gray")
        height, width = luma.shape
        wide, high = min(width, height * WIDTH // HEIGHT), min(height, width * HEIGHT // WIDTH)
        top, left = (height - high) // 2, (width - wide) // 2
        found.append(
            make_proxy(np.ascontiguousarray(luma[top : top + high, left : left + wide]), size, Encoding()).luma
        )
    return np.stack(found)


def splice(clips: dict[str, np.ndarray], rng: np.random.Generator, *, pieces: int, dissolve: float = 0.0) -> Film:
    """`pieces` runs of 12 to 60 frames, neighbours from different clips; a share `dissolve` of the joints is mixed."""
    film, last = Film([]), ""
    for _ in range(pieces):
        name = str(rng.choice([n for n in sorted(clips) if n != last]))
        length = int(rng.integers(SHORTEST, min(LONGEST, len(clips[name])) + 1))
        start = int(rng.integers(0, len(clips[name]) - length + 1))
        piece = list(clips[name][start : start + length])
        own = [c - start for c in KNOWN.get(name, []) if 0 < c - start < length]
        _join(film, piece, own, rng if film.luma and rng.random() < dissolve else None)
        last = name
    return film


def _join(film: Film, piece: list[np.ndarray], own: list[int], rng: np.random.Generator | None) -> None:
    """Add a piece with cuts `own`: by a cut, or by a dissolve where there are two shots long enough to mix."""
    joint = len(film.luma)
    room = min(joint - max([0, *film.cuts, *(d[1] + 1 for d in film.dissolves)]), min([len(piece), *own])) - 2
    if rng is not None and room >= DISSOLVES[0]:
        mixed = int(rng.integers(DISSOLVES[0], min(DISSOLVES[1], room) + 1))
        joint -= mixed
        for i in range(mixed):
            share = (i + 1) / (mixed + 1)
            film.luma[joint + i] = cv2.addWeighted(film.luma[joint + i], 1 - share, piece[i], share, 0)
        film.dissolves.append((joint, joint + mixed - 1))
        film.luma += piece[mixed:]
    else:
        if joint:
            film.cuts.append(joint)
        film.luma += piece
    film.cuts += [joint + c for c in own]


def flash(film: Film, rng: np.random.Generator) -> Film:
    """Camera flashes of 1 to 3 frames, a few in each shot: light that falls off from a point, clipped to white.

    The first and last two frames of a shot stay as they are, so that the cut itself is not in doubt.
    """
    luma, starts = list(film.luma), [0, *film.cuts, len(film.luma)]
    for begin, end in pairwise(starts):
        at = begin + 2 + int(rng.integers(0, 4))
        while at + 5 < end:
            length = int(rng.integers(1, 4))
            gain = rng.uniform(1.0, 6.0) * _falloff(rng)
            for i in range(at, at + length):
                luma[i] = _from_linear(_to_linear(luma[i]) * (1 + gain * 0.7 ** (i - at)))
            at += length + int(rng.integers(6, 20))
    return Film(luma, film.cuts, film.dissolves)


def _falloff(rng: np.random.Generator) -> np.ndarray:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32) / HEIGHT
    away = (y - rng.uniform(0, 1)) ** 2 + (x - rng.uniform(0, WIDTH / HEIGHT)) ** 2
    return 0.3 + 0.7 / (1 + away / rng.uniform(0.2, 2.0))


def _to_linear(luma: np.ndarray) -> np.ndarray:
    return np.clip((luma.astype(np.float32) - 16) / 219, 0, 1) ** 2.2


def _from_linear(light: np.ndarray) -> np.ndarray:
    return (16 + 219 * np.clip(light, 0, 1) ** (1 / 2.2) + 0.5).astype(np.uint8)


def flicker(film: Film, rng: np.random.Generator) -> Film:
    """Each frame brighter or darker by up to 15 %, at random from frame to frame."""
    gains = rng.uniform(0.85, 1.15, len(film.luma))
    return _each(film, lambda i, x: np.clip(16 + (x.astype(np.float32) - 16) * gains[i], 0, 255).astype(np.uint8))


def weave(film: Film, rng: np.random.Generator) -> Film:
    """Each frame moved by up to 4 pixels of the luma proxy in both directions, at random from frame to frame."""
    moves = rng.uniform(-4, 4, (len(film.luma), 2))

    def moved(i: int, x: np.ndarray) -> np.ndarray:
        matrix = np.array([[1, 0, moves[i, 0]], [0, 1, moves[i, 1]]])
        return cv2.warpAffine(x, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)

    return _each(film, moved)


def grain(film: Film, rng: np.random.Generator) -> Film:
    """Gaussian grain of 12 code values, as coarse as two pixels of the luma proxy."""

    def grainy(_: int, x: np.ndarray) -> np.ndarray:
        noise = rng.standard_normal((HEIGHT // 2, WIDTH // 2), np.float32) * 12
        return np.clip(x + cv2.resize(noise, (WIDTH, HEIGHT)), 0, 255).astype(np.uint8)

    return _each(film, grainy)


def scratches(film: Film, rng: np.random.Generator) -> Film:
    """Up to six vertical scratches and up to twelve specks a frame, white or black."""

    def scratched(_: int, x: np.ndarray) -> np.ndarray:
        x = x.copy()
        for _line in range(rng.integers(0, 7)):
            at = int(rng.integers(0, WIDTH))
            cv2.line(x, (at, 0), (at + int(rng.integers(-6, 7)), HEIGHT), int(rng.choice([20, 230])), 1)
        for _speck in range(rng.integers(0, 13)):
            where = (int(rng.integers(0, WIDTH)), int(rng.integers(0, HEIGHT)))
            cv2.circle(x, where, int(rng.integers(1, 9)), int(rng.choice([20, 230])), -1)
        return x

    return _each(film, scratched)


def old_film(film: Film, rng: np.random.Generator) -> Film:
    """All of the faults but flashes together."""
    for fault in (flicker, weave, grain, scratches):
        film = fault(film, rng)
    return film


def _each(film: Film, change: Callable[[int, np.ndarray], np.ndarray]) -> Film:
    return Film([change(i, x) for i, x in enumerate(film.luma)], film.cuts, film.dissolves)


FAULTS: dict[str, Callable[[Film, np.random.Generator], Film]] = {
    "none": lambda film, rng: film,
    "flash": flash,
    "flicker": flicker,
    "weave": weave,
    "grain": grain,
    "scratches": scratches,
    "old film": old_film,
}
