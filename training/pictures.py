"""Training pictures wherever they lie: tar shards, folders, the npy layout of the Kaggle set; sound ones only.

A `Pictures` is a sequence of uint8 RGB arrays that decodes as little or as much ahead as memory allows. What cannot
be decoded and what is nearly grey is left out when it is opened, counted and named.
"""

from __future__ import annotations

import itertools
import logging
import os
import re
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

log = logging.getLogger(__name__)

SUFFIXES = {".avif", ".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}
MEMORY_SHARE = 0.5  # of the free memory that decoded pictures may take
NAMED = 10  # of the pictures left out


@dataclass(frozen=True)
class Entry:
    """One encoded picture: a file, or a stretch of a tar."""

    name: str
    path: Path
    offset: int = 0
    size: int = -1  # bytes; -1: to the end

    def read(self) -> bytes:
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            return file.read(self.size)


@dataclass
class LeftOut:
    """Names of the pictures that are not used, by reason."""

    corrupt: list[str] = field(default_factory=list)
    grey: list[str] = field(default_factory=list)

    def report(self) -> None:
        for reason, names in (("cannot be decoded", self.corrupt), ("nearly grey", self.grey)):
            if names:
                some = ", ".join(names[:NAMED]) + (" ..." if len(names) > NAMED else "")
                log.warning("%d pictures left out, %s: %s", len(names), reason, some)


class Pictures(Sequence[np.ndarray]):
    """Pictures by index, uint8 RGB ``(h, w, 3)``; `parts` are the lengths of the stretches that lie together.

    `labels` tell the source of each, as its name does (``photos/000123-LABEL.avif``); empty where it does not.
    """

    def __init__(
        self, get: Callable[[int], np.ndarray], parts: Sequence[int], left_out: LeftOut, labels: Sequence[str] = ()
    ) -> None:
        self._get, self.parts, self.left_out = get, tuple(parts), left_out
        self.labels = tuple(labels) or ("",) * len(self)

    def __len__(self) -> int:
        return sum(self.parts)

    def __getitem__(self, index):  # a slice gives a list
        if isinstance(index, slice):
            return [self._get(i) for i in range(*index.indices(len(self)))]
        return self._get(range(len(self))[index])


def hold_out(pictures: Pictures, count: int) -> tuple[Pictures, list[np.ndarray]]:
    """`pictures` without `count` evenly spaced ones, and those.

    Raises:
        ValueError: fewer than twice as many would be left.
    """
    if len(pictures) < 3 * count:
        raise ValueError(f"{len(pictures)} pictures are too few to set {count} aside; name validation pictures")
    out = set(np.linspace(0, len(pictures) - 1, count).astype(int).tolist())
    kept = [i for i in range(len(pictures)) if i not in out]
    bounds = np.cumsum((0, *pictures.parts))
    parts = [sum(1 for i in kept if a <= i < b) for a, b in itertools.pairwise(bounds)]
    labels = [pictures.labels[i] for i in kept]
    rest = Pictures(lambda i: pictures[kept[i]], [n for n in parts if n], pictures.left_out, labels)
    return rest, [pictures[i] for i in sorted(out)]


def weighted(pictures: Pictures, weights: Mapping[str, float]) -> Pictures:
    """`pictures` with each of a label of `weights` as often as that says, in halves, and all others once.

    Two passes over the pictures become one, in which a picture of weight 1.5 is there three times.
    """
    again = [max(1, round(2 * weights.get(label, 1.0))) for label in pictures.labels]
    order = np.repeat(np.arange(len(pictures)), again)
    bounds = np.cumsum((0, *pictures.parts))
    parts = [int(sum(again[a:b])) for a, b in itertools.pairwise(bounds)]
    return Pictures(lambda i: pictures[int(order[i])], parts, pictures.left_out, [pictures.labels[i] for i in order])


def open_pictures(
    paths: Sequence[Path],
    *,
    min_chroma: float = 0.0,
    parts: Sequence[int] | None = None,
    limit: int | None = None,
    decoded: bool | None = None,
) -> Pictures:
    """The sound pictures of `paths`, each a tar shard, a folder of pictures or a folder in the Kaggle npy layout.

    Args:
        min_chroma: least mean chroma (a*b* units) of a picture; below it lies what is nearly grey.
        parts: of the npy layout, which ab files to use, counted from 1; None for all.
        limit: use only the first so many pictures.
        decoded: keep pictures decoded in memory (True), decode them each time (False), or whichever fits (None).

    Raises:
        FileNotFoundError: one of `paths` is missing.
        ValueError: there is no sound picture, a shard or npy file cannot be read, or npy files do not fit each other.
    """
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"{path}: no such file or folder; give tar shards or folders of pictures")
    arrays = [p for p in paths if (p / "l" / "gray_scale.npy").exists() or (p / "ab").is_dir()]
    if parts and not arrays:
        raise ValueError("parts are of the npy layout (l/gray_scale.npy, ab/ab1.npy ...); none was given")
    if arrays and (len(paths) > 1 or len(arrays) > 1):
        raise ValueError(f"{arrays[0]}: the npy layout is read alone; give one such folder and nothing else")
    if arrays:
        return _open_npy(arrays[0], min_chroma, parts, limit)
    groups = [_entries(p)[: limit and max(0, limit)] for p in paths]
    return _open_encoded(groups, min_chroma, limit, decoded)


def _entries(path: Path) -> list[Entry]:
    if path.is_dir():
        return [
            Entry(str(p.relative_to(path)), p)
            for p in sorted(path.rglob("*"))
            if p.suffix.lower() in SUFFIXES and p.is_file()
        ]
    try:
        with tarfile.open(path, "r:") as tar:
            return [Entry(m.name, path, m.offset_data, m.size) for m in tar if m.isfile()]
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ValueError(f"{path}: not a whole, uncompressed tar ({error}); fetch or pack it again") from error


def _open_encoded(groups: list[list[Entry]], min_chroma: float, limit: int | None, decoded: bool | None) -> Pictures:
    left_out = LeftOut()
    keep: bool | None = decoded
    kept: list[Entry | np.ndarray] = []
    lengths, labels = [], []
    total = sum(map(len, groups))
    with ThreadPoolExecutor(min(8, os.cpu_count() or 2)) as pool:
        for group in groups:
            before = len(kept)
            for entry, rgb in _decode_all(pool, group):
                if rgb is None:
                    left_out.corrupt.append(entry.name)
                    continue
                if min_chroma and mean_chroma(rgb) < min_chroma:
                    left_out.grey.append(entry.name)
                    continue
                if keep is None:
                    keep = rgb.nbytes * total < MEMORY_SHARE * free_memory()
                    log.info("pictures are %s", "kept decoded in memory" if keep else "decoded each time")
                kept.append(rgb if keep else entry)
                labels.append(label_of(entry.name))
                if limit and len(kept) >= limit:
                    break
            lengths.append(len(kept) - before)
            if limit and len(kept) >= limit:
                break
    left_out.report()
    if not kept:
        why = f"{len(left_out.corrupt)} cannot be decoded, {len(left_out.grey)} are nearly grey"
        raise ValueError(f"no usable pictures among {total} files ({why}); give tar shards or folders of pictures")

    def get(i: int) -> np.ndarray:
        item = kept[i]
        if isinstance(item, np.ndarray):
            return item
        rgb = decode(item.read())
        if rgb is None:
            raise ValueError(f"{item.path}: {item.name} could be decoded before and no longer; was it changed?")
        return rgb

    return Pictures(get, [n for n in lengths if n], left_out, labels)


def label_of(name: str) -> str:
    """LABEL of ``NNNNNN-LABEL.suffix``; empty where a name is of another form."""
    found = re.fullmatch(r"\d+-(\w+)", Path(name).stem)
    return found[1] if found else ""


def _decode_all(pool: ThreadPoolExecutor, entries: list[Entry]) -> Iterator[tuple[Entry, np.ndarray | None]]:
    """Entries and their pictures in order, at most 64 ahead of the consumer."""
    for i in range(0, len(entries), 64):
        part = entries[i : i + 64]
        yield from zip(part, pool.map(lambda e: decode(e.read()), part), strict=True)


def decode(data: bytes) -> np.ndarray | None:
    """An encoded picture as uint8 RGB ``(h, w, 3)``, upright, or None where it cannot be decoded."""
    try:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    except cv2.error:
        return None
    return None if bgr is None else cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def mean_chroma(rgb: np.ndarray) -> float:
    """Mean of sqrt(a*^2 + b*^2) over every fourth pixel each way."""
    lab = cv2.cvtColor(np.ascontiguousarray(rgb[::4, ::4]).astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB)
    return float(np.hypot(lab[..., 1], lab[..., 2]).mean())


def free_memory() -> float:
    """Bytes that can be taken without swapping, of this machine and of the control group that the process runs in."""
    free = float("inf")
    try:
        text = Path("/proc/meminfo").read_text()
        free = 1024.0 * int(re.search(r"MemAvailable:\s+(\d+)", text)[1])  # type: ignore[index]
        used, most = (Path(f"/sys/fs/cgroup/memory.{n}").read_text() for n in ("current", "max"))
        free = min(free, float(most) - float(used)) if most.strip() != "max" else free
    except (OSError, TypeError, ValueError):
        pass  # another system, or no limit
    return free if free < float("inf") else 4e9


def _open_npy(folder: Path, min_chroma: float, parts: Sequence[int] | None, limit: int | None) -> Pictures:
    """The layout of the Kaggle set "Image Colorization": 8-bit CIE LAB as OpenCV writes it (L* times 2.55, a*b* + 128).

    ``l/gray_scale.npy`` is uint8 ``(N, h, w)``; ``ab/ab1.npy``, ``ab2.npy`` ... are uint8 ``(n, h, w, 2)`` and
    together N long. All are memory-mapped: what is not in use costs no memory of the process.
    """
    lightness = _map(folder / "l" / "gray_scale.npy", 3)
    files = {}
    for path in (folder / "ab").glob("ab*.npy"):
        if match := re.fullmatch(r"ab(\d+)", path.stem):
            files[int(match[1])] = path
    if not files:
        raise ValueError(f"{folder}/ab: holds no ab1.npy, ab2.npy ...")
    colours = {number: _map(files[number], 4) for number in sorted(files)}
    for number, ab in colours.items():
        if ab.shape[1:] != (*lightness.shape[1:], 2):
            want = (*lightness.shape[1:], 2)
            raise ValueError(f"{files[number]}: pictures of shape {ab.shape[1:]}, those of gray_scale.npy need {want}")
    if (count := sum(map(len, colours.values()))) != len(lightness):
        raise ValueError(f"{folder}: gray_scale.npy holds {len(lightness)} pictures, the ab files {count}")
    if unknown := set(parts or ()) - set(colours):
        raise ValueError(f"{folder}/ab: has no part {min(unknown)}; it has {', '.join(map(str, colours))}")

    left_out, lengths, offset = LeftOut(), [], 0
    kept: list[tuple[int, int, int]] = []
    for number, ab in colours.items():
        if not parts or number in parts:
            before = len(kept)
            for i in range(len(ab)):
                if limit and len(kept) >= limit:
                    break
                if min_chroma:
                    some = ab[i, ::4, ::4].astype(np.float32) - 128.0
                    if np.hypot(some[..., 0], some[..., 1]).mean() < min_chroma:
                        left_out.grey.append(f"{files[number].stem}[{i}]")
                        continue
                kept.append((number, offset, i))
            lengths.append(len(kept) - before)
        offset += len(ab)
    left_out.report()
    if not kept:
        raise ValueError(f"{folder}: no usable pictures, {len(left_out.grey)} are nearly grey")

    def get(i: int) -> np.ndarray:
        number, start, j = kept[i]
        lab = np.dstack((lightness[start + j], colours[number][j]))
        return cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)

    return Pictures(get, [n for n in lengths if n], left_out)


def _map(path: Path, dimensions: int) -> np.ndarray:
    if not path.exists():
        raise ValueError(f"{path}: missing; the layout is l/gray_scale.npy and ab/ab1.npy, ab2.npy ...")
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise ValueError(f"{path}: not a whole npy file ({error})") from error
    if array.dtype != np.uint8 or array.ndim != dimensions:
        raise ValueError(f"{path}: {array.dtype} of shape {array.shape}; needs uint8 of {dimensions} dimensions")
    return array


def write_npy(pictures: Sequence[np.ndarray], folder: Path, *, side: int = 224, part: int = 10_000) -> int:
    """Write `pictures` in the layout that `open_pictures` reads, their centre squares at `side` pixels.

    Only one picture is in memory at a time. Gives the number of parts.
    """
    (folder / "l").mkdir(parents=True)
    (folder / "ab").mkdir()
    count = len(pictures)
    lightness = np.lib.format.open_memmap(folder / "l" / "gray_scale.npy", "w+", np.uint8, (count, side, side))
    ab = lightness
    for i, rgb in enumerate(pictures):
        if i % part == 0:
            path = folder / "ab" / f"ab{i // part + 1}.npy"
            ab = np.lib.format.open_memmap(path, "w+", np.uint8, (min(part, count - i), side, side, 2))
        short = min(rgb.shape[:2])
        top, left = (rgb.shape[0] - short) // 2, (rgb.shape[1] - short) // 2
        square = rgb[top : top + short, left : left + short]
        lab = cv2.cvtColor(cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2LAB)
        lightness[i], ab[i % part] = lab[..., 0], lab[..., 1:]
    lightness.flush()
    ab.flush()
    return -(-count // part)
