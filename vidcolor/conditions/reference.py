"""Reference pictures: read from files and folders, with the frame that each name gives."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path

import cv2
import numpy as np

from vidcolor.conditions.conventions import pictures_at
from vidcolor.errors import InputError
from vidcolor.pictures.rgba import read_rgba, to_lab
from vidcolor.pictures.source import read_bytes

LONG = 960  # pixels of the long side at which references are worked on, at most
LAST = 9_999_999  # greatest frame number taken seriously: four days at 25 frames a second
# What of a name is a frame number: see `number_of`.
MARKED = re.compile(r"(?:ref|frame)(?:[_. -](-?\d+)|(0\d{3,6}))(?!\d)", re.IGNORECASE)
LEADING = re.compile(r"(0\d{3,6}|\d{6,7})(?!\d)")
TRAILING = re.compile(r"(?<!\d{8})[_. -](0\d{4,6}|\d{6,7})$")
NEUTRAL = re.compile(r"(^|[_. -])neutral([_. -]|$)", re.IGNORECASE)  # in a name: its greys are meant
CHROMA = re.compile(r"(^|[_. -])chroma([_. -]|$)", re.IGNORECASE)  # in a name: its luma says nothing

FAINT, CLEAR = 0.25, 1.0  # chroma up to which a pixel states no colour, and from which it states it fully
COLOURED = 0.002  # share of the picture that must have a colour, else it is grey
VIVID = 6.0  # chroma that counts as one there, and as a deviation from a single tint
SHOWN = 1e-4  # share of the picture that alpha must show
WHOLE = 0.9  # share that alpha shows in a picture that is no part of one


@dataclass(frozen=True)
class Picture:
    """What a reference shows, at `LONG` pixels a side at most."""

    lightness: np.ndarray  # (h, w) float32 L*
    ab: np.ndarray  # (h, w, 2) float32 a*b*
    alpha: np.ndarray  # (h, w) float32, 0..1


@dataclass(frozen=True)
class Reference:
    """A picture of known colour. Its samples are read when they are asked for, so many references take little memory.

    Attributes:
        name: what it is called; no other reference of a film has the same.
        number: the frame of the film that its name gives, from 0; None: it gives none.
        picture: reads the samples.
        neutral: its greys are meant; otherwise what is nearly neutral states nothing.
        chroma: it has colours alone: its luma says nothing, so it lies on the frame of its number as it is.
        digest: SHA-256 of the file's bytes; empty for arrays.
    """

    path: Path
    name: str
    number: int | None
    picture: Callable[[], Picture] = field(repr=False, compare=False)
    neutral: bool = False
    chroma: bool = False
    digest: str = ""

    @classmethod
    def of(
        cls, lightness: np.ndarray, ab: np.ndarray, alpha: np.ndarray | None = None, *, name: str = "reference",
        number: int | None = None, neutral: bool = False, chroma: bool = False,
    ) -> Reference:  # fmt: skip
        """A reference of arrays: L* ``(h, w)``, a*b* ``(h, w, 2)`` and alpha ``(h, w)`` in 0..1, float32."""
        shown = np.ones(lightness.shape, np.float32) if alpha is None else alpha
        return cls(Path(name), name, number, partial(Picture, lightness, ab, shown), neutral, chroma)

    @property
    def lightness(self) -> np.ndarray:
        """L* ``(h, w)`` float32."""
        return self.picture().lightness

    @property
    def ab(self) -> np.ndarray:
        """a*b* ``(h, w, 2)`` float32."""
        return self.picture().ab

    @property
    def alpha(self) -> np.ndarray:
        """How far each pixel counts, ``(h, w)`` float32 in 0..1."""
        return self.picture().alpha


def read_references(paths: Sequence[Path], *, neutral: bool = False) -> tuple[list[Reference], list[str]]:
    """Look into reference pictures: those that can be used, by frame number, and a line on each of the others.

    `pictures_at` says what a path may stand for. A reference is left out with a warning where it shows nothing or is
    grey. Its samples are those of sRGB, whatever its profile; 16 bits are read as 8. With `neutral`, or the word
    "neutral" in a name (`ref_000040_neutral.png`), what is grey is meant to be; "chroma" says that the luma means
    nothing (masks that were painted in plain colours).

    Raises:
        InputError: a path is missing, a file that was named cannot be read, there is no usable picture at all, or two
            whole pictures are of one frame.
    """
    files, warnings = found_at(paths)
    named = {path.resolve() for path in paths}
    with ThreadPoolExecutor(4) as pool:
        looked = list(pool.map(partial(look, neutral=neutral), files))
    found: list[tuple[Reference, float]] = []
    for path, (reference, shown, fault) in zip(files, looked, strict=True):
        if reference is None and path.resolve() in named:
            raise InputError(fault)
        if fault:
            warnings.append(fault)
        if reference is not None:
            found.append((reference, shown))
    if not found:
        raise InputError(f"{warnings[0]}; there is no other reference" if warnings else "no references; name a picture")
    check_numbers(found)
    names = Counter(r.name for r, _ in found)
    told_apart = (replace(r, name=str(r.path)) if names[r.name] > 1 else r for r, _ in found)
    return sorted(told_apart, key=order), warnings


def order(reference: Reference) -> tuple[bool, int, str, str]:
    """Sorts by number, those without one behind; the order of the paths does not matter."""
    return reference.number is None, reference.number or 0, reference.name, str(reference.path)


def gather(paths: Iterable[Path]) -> list[Path]:
    """The picture files that `paths` stand for, each once; see `pictures_at`.

    Raises:
        InputError: one is missing, or holds no picture.
    """
    return found_at(paths)[0]


def found_at(paths: Iterable[Path]) -> tuple[list[Path], list[str]]:
    """The same, and a line on each that is missing."""
    files: dict[Path, Path] = {}
    warnings: list[str] = []
    for path in paths:
        found, missing = pictures_at(path)
        warnings += missing
        for file in found:
            files.setdefault(file.resolve(), file)
    return list(files.values()), warnings


def look(path: Path, *, neutral: bool) -> tuple[Reference | None, float, str]:
    """A reference of one file, the share of it that alpha shows, and what is wrong with it, or ""."""
    neutral = neutral or NEUTRAL.search(path.stem) is not None
    try:
        data = read_bytes(path)
        digest = hashlib.sha256(data).hexdigest()
        picture = decode(path, data)
    except InputError as error:
        return None, 0.0, str(error)
    shown = float(picture.alpha.mean())
    if shown < SHOWN:
        return None, 0.0, f"{path}: shows nothing, its alpha is 0 everywhere; left out: save it with what it colours"
    if not neutral and is_grey(picture):
        return None, 0.0, (
            f"{path}: is grey or of one tint all over; left out: give a coloured picture, "
            "or put _neutral into its name where grey is meant"
        )  # fmt: skip
    number, fault = number_of(path.stem), ""
    if number is not None and not 0 <= number <= LAST:
        fault = f"{path}: {number} is no number of a frame; looked for by its picture: number frames from 0"
        number = None
    chroma = CHROMA.search(path.stem) is not None
    return Reference(path, path.name, number, partial(load, path, digest), neutral, chroma, digest), shown, fault


def number_of(stem: str) -> int | None:
    """The frame number in a file's name without its ending, or None.

    It is the number behind ``ref`` or ``frame`` and one of ``_ . -`` or a space (``ref_40``, ``frame-000040_hat``), of
    any length and sign, or with zeros in front (``frame0001``). Without such a word it has six or seven digits, or four
    to seven that begin with 0, at the front (``000040``, ``00040_hat``); or five to seven of that kind behind a
    separator at the end (``film_000040``). So a year (``1945``), a date (``20240101``) and a camera's number
    (``IMG_0001``) are none.
    """
    found = MARKED.match(stem) or LEADING.match(stem) or TRAILING.search(stem)
    return int(next(group for group in found.groups() if group)) if found else None


def check_numbers(found: Iterable[tuple[Reference, float]]) -> None:
    """Refuse two whole pictures of one frame; a part, which alpha shows, may lie on a whole one."""
    whole: dict[int, Reference] = {}
    for reference, shown in found:
        if reference.number is None or shown < WHOLE:
            continue
        other = whole.setdefault(reference.number, reference)
        if other is not reference:
            raise InputError(
                f"{other.path} and {reference.path}: both are of frame {reference.number}; leave one out, "
                "or cut it to a part by alpha"
            )


def load(path: Path, digest: str) -> Picture:
    """The samples of a file that was looked into before.

    Raises:
        InputError: it is gone, or has changed since.
    """
    return _held(path, digest)


@lru_cache(maxsize=2)
def _held(path: Path, digest: str) -> Picture:
    data = read_bytes(path)
    if hashlib.sha256(data).hexdigest() != digest:
        raise InputError(f"{path}: has changed while it was in use; start again")
    return decode(path, data)


def decode(path: Path, data: bytes) -> Picture:
    rgb, alpha = read_rgba(str(path), data, LONG)
    return Picture(*to_lab(rgb), alpha)


def stated(ab: np.ndarray) -> np.ndarray:
    """How far a*b* ``(h, w, 2)`` state a colour, ``(h, w)`` float32: 0 up to a chroma of 0.25, 1 from 1 on.

    Image models leave what they do not know without any colour, while true greys of photographs have a cast: of four
    clips' first frames 0.1 to 4 % have a chroma below 0.25, and 2 to 34 % one below 3.
    """
    share = ((np.hypot(ab[..., 0], ab[..., 1]) - FAINT) / (CLEAR - FAINT)).clip(0.0, 1.0)
    smooth: np.ndarray = share * share * (3.0 - 2.0 * share)
    return smooth


def is_grey(picture: Picture) -> bool:
    """Whether what alpha shows has no colour, or, in a whole picture, the same tint in all places of one lightness."""
    ab, alpha = cv2.blur(picture.ab, (3, 3)), picture.alpha
    if float((alpha * (np.hypot(ab[..., 0], ab[..., 1]) > VIVID)).mean()) < COLOURED * float(alpha.mean()):
        return True
    if alpha.mean() < WHOLE:
        return False
    level = picture.lightness.astype(np.uint8).ravel()
    count = np.bincount(level, minlength=256).clip(1)
    tint = np.stack([np.bincount(level, plane.ravel(), 256) / count for plane in cv2.split(ab)], -1)
    apart = ab - tint.astype(np.float32)[level].reshape(ab.shape)
    return bool((np.hypot(apart[..., 0], apart[..., 1]) > VIVID).mean() < COLOURED)
