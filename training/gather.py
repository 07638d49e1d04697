"""More photographs: folders of pictures filtered, freed of near-duplicates and packed into a shard like the others."""

from __future__ import annotations

import io
import logging
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from training.data import to_lab
from training.pictures import SUFFIXES, open_pictures
from vidcolor.atomic import AtomicFile

log = logging.getLogger(__name__)

SHORT, LONG = 256, 384  # sides of a packed photograph, in pixels
QUALITY = 80  # of its WebP file
NEAR_TRAINING, NEAR_EVALUATION = 6, 8  # bits of the perceptual hash


def gather(
    sources: dict[str, Path],
    out: Path,
    *,
    training: Sequence[Path],
    evaluation: Sequence[Path],
    cap: int,
    least_side: int = 160,
    seed: int = 1,
) -> Counter[str]:
    """Pack at most `cap` photographs of each folder in `sources` (label to folder) into the tar `out`, shuffled.

    Dropped, and counted by reason in the result: unreadable files, transparency, a short side under `least_side`, a
    shape longer than 2.2 to 1, little or only one hue, pictures on white, flat graphics, and whatever lies within
    `NEAR_TRAINING` bits of a photograph of the tars `training` or of this shard, or within `NEAR_EVALUATION` bits of
    one of `evaluation`, mirror images included.

    Raises:
        ValueError: nothing is left.
    """
    rng = np.random.default_rng(seed)
    known = {
        limit: _hashes(open_pictures(shards)[:] if shards else [])
        for limit, shards in ((NEAR_TRAINING, training), (NEAR_EVALUATION, evaluation))
    }
    told: Counter[str] = Counter()
    kept: list[tuple[str, np.ndarray]] = []
    for label, folder in sources.items():
        paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
        order = [paths[i] for i in rng.permutation(len(paths))]
        here = 0
        for found in _read_all(order, least_side):
            if isinstance(found, str):
                told[found] += 1
                continue
            codes = [perceptual_hash(found), perceptual_hash(found[:, ::-1])]
            if any(_near(codes, *item) for item in known.items()):
                told["near-duplicate"] += 1
                continue
            known[NEAR_TRAINING] = np.append(known[NEAR_TRAINING], codes[0])
            kept.append((label, found))
            told[label] += 1
            here += 1
            if here >= cap:
                break
        log.info("%s: %d of %d files", label, here, len(paths))
    if not kept:
        raise ValueError(f"no usable pictures in {', '.join(map(str, sources.values()))}: {dict(told)}")
    with AtomicFile(out, overwrite=True) as partial, tarfile.open(partial, "w") as tar:
        for number, i in enumerate(rng.permutation(len(kept))):
            label, rgb = kept[i]
            buffer = io.BytesIO()
            Image.fromarray(rgb).save(buffer, "WEBP", quality=QUALITY)
            entry = tarfile.TarInfo(f"photos/{number:06}-{label}.webp")
            entry.size = buffer.tell()
            buffer.seek(0)
            tar.addfile(entry, buffer)
    return told


def _read_all(paths: Iterable[Path], least_side: int) -> Iterator[np.ndarray | str]:
    with ThreadPoolExecutor(2) as pool:
        yield from pool.map(lambda p: read(p, least_side), paths)


def read(path: Path, least_side: int) -> np.ndarray | str:
    """The photograph at `path` as uint8 RGB of the packed size, or why it is not one."""
    try:
        with Image.open(path) as image:
            if "A" in image.getbands() or "transparency" in image.info:
                return "transparent"
            image.draft("RGB", (2 * LONG, 2 * LONG))
            picture = ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, UnidentifiedImageError, ValueError, Image.DecompressionBombError):
        return "unreadable"
    width, height = picture.size
    if min(width, height) < least_side:
        return "small"
    if max(width, height) > 2.2 * min(width, height):
        return "long"
    scale = SHORT / min(width, height)
    picture = picture.resize((round(width * scale), round(height * scale)), Image.Resampling.LANCZOS)
    rgb = np.asarray(picture)
    top, left = max(0, rgb.shape[0] - LONG) // 2, max(0, rgb.shape[1] - LONG) // 2
    rgb = rgb[top : top + LONG, left : left + LONG]
    return fault(rgb) or np.ascontiguousarray(rgb)


def fault(rgb: np.ndarray) -> str | None:
    """Why a picture does not teach colour, or None."""
    lab = to_lab(rgb[::4, ::4])
    ab = lab[..., 1:].reshape(-1, 2)
    if np.hypot(*ab.T).mean() < 6.0:
        return "grey"
    spread = np.linalg.svd(ab - ab.mean(0), compute_uv=False)
    if spread[0] / np.sqrt(len(ab)) < 3.0 and np.hypot(*ab.mean(0)) > 6.0:
        return "one hue"
    edge = np.concatenate((lab[:2].reshape(-1, 3), lab[-2:].reshape(-1, 3), lab[:, :2].reshape(-1, 3),
                           lab[:, -2:].reshape(-1, 3)))  # fmt: skip
    blank = (np.hypot(edge[:, 1], edge[:, 2]) < 3.0) & ((edge[:, 0] > 94.0) | (edge[:, 0] < 2.0))
    if blank.mean() > 0.3:
        return "on white or framed"
    steps = np.abs(np.diff(lab[..., 0], axis=1))
    if (steps < 0.02).mean() > 0.4:
        return "flat graphics"
    return None


def perceptual_hash(rgb: np.ndarray) -> np.uint64:
    """64-bit DCT hash: signs of the 8x8 lowest frequencies of the 32x32 grey picture, about their median."""
    grey = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = cv2.dct(small)[:8, :8].flatten()
    return np.packbits(low > np.median(low)).view(">u8")[0].astype(np.uint64)


def _hashes(photos: Sequence[np.ndarray]) -> np.ndarray:
    return np.array([perceptual_hash(p) for p in photos], np.uint64)


def _near(codes: Sequence[np.uint64], limit: int, known: np.ndarray) -> bool:
    return any(len(known) and int(np.bitwise_count(known ^ code).min()) <= limit for code in codes)
