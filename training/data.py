"""Photographs from tar shards, held in memory as uint8 RGB, and the batches made of them."""

from __future__ import annotations

import queue
import tarfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from training.augment import degrade, random_crop
from training.presets import Preset


def load_photos(shards: list[Path], limit: int | None = None) -> list[np.ndarray]:
    """Every picture of the tar `shards` as uint8 RGB ``(h, w, 3)``, in the order of the shards.

    Raises:
        FileNotFoundError: a shard is missing.
        ValueError: a member cannot be decoded, or there is none.
    """

    def decode(item: tuple[str, bytes]) -> np.ndarray:
        name, data = item
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        if bgr is None:
            raise ValueError(f"{name} cannot be decoded as a picture")
        return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)

    photos: list[np.ndarray] = []
    with ThreadPoolExecutor(2) as pool:
        for shard in shards:
            with tarfile.open(shard) as tar:
                items = [(m.name, tar.extractfile(m).read()) for m in tar if m.isfile()]  # type: ignore[union-attr]
            photos += pool.map(decode, items[: limit and limit - len(photos)])
            if limit and len(photos) >= limit:
                break
    if not photos:
        raise ValueError(f"no pictures in {', '.join(map(str, shards)) or 'an empty list of shards'}")
    return photos


def to_lab(rgb: np.ndarray) -> np.ndarray:
    """uint8 RGB to float32 CIE LAB (D65), L* in 0..100."""
    return cv2.cvtColor(rgb.astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB)


@dataclass(frozen=True)
class Batch:
    lightness: np.ndarray  # (N, 1, h, w) float32, L* as the network sees it
    ab: np.ndarray  # (N, 2, h/s, w/s) float32, area-averaged truth


def make_sample(photo: np.ndarray, size: int, stride: int, preset: Preset, rng: np.random.Generator):
    rgb = random_crop(photo, size, preset.min_crop, rng)
    lab = to_lab(rgb)
    ab = cv2.resize(lab[..., 1:], (size // stride, size // stride), interpolation=cv2.INTER_AREA)
    return degrade(rgb, lab[..., 0], preset.degrade, rng), ab


def batch_indices(count: int, batch: int, step: int, seed: int) -> np.ndarray:
    """Positions in the run and photo indices of batch `step`: each epoch is a permutation of its own."""
    at = np.arange(step * batch, (step + 1) * batch)
    epochs = {int(e): np.random.default_rng((seed, int(e))).permutation(count) for e in np.unique(at // count)}
    return np.array([(i, epochs[int(i) // count][i % count]) for i in at])


def batches(photos: list[np.ndarray], preset: Preset, start: int, stride: int) -> Iterator[Batch]:
    """Batches from step `start` on, made ahead in one thread; a batch depends on the seed and its step only."""
    ready: queue.Queue[Batch | BaseException] = queue.Queue(4)
    stop = threading.Event()

    def make(step: int) -> Batch:
        size = stage_at(preset, step).size
        pairs = [
            make_sample(photos[photo], size, stride, preset, np.random.default_rng((preset.seed, 7, int(i))))
            for i, photo in batch_indices(len(photos), preset.batch, step, preset.seed)
        ]
        lightness = np.stack([p[0] for p in pairs])[:, None]
        return Batch(lightness, np.stack([p[1] for p in pairs]).transpose(0, 3, 1, 2))

    def work() -> None:
        try:
            for step in range(start, preset.steps):
                batch = make(step)
                while not stop.is_set():
                    try:
                        ready.put(batch, timeout=0.5)
                        break
                    except queue.Full:
                        continue
                if stop.is_set():
                    return
        except BaseException as error:  # handed to the consumer, which raises it
            ready.put(error)

    thread = threading.Thread(target=work, name="batches", daemon=True)
    thread.start()
    try:
        for _ in range(start, preset.steps):
            item = ready.get()
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        thread.join()


def stage_at(preset: Preset, step: int):
    """The stage that `step` lies in."""
    return next(s for s in preset.stages if step < s.until * preset.steps or s is preset.stages[-1])
