"""Batches: crops cut ahead in threads or out of photographs that lie on the device, then degraded there."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from training.augment import Box, crop, crop_box, draw, make_pair
from training.pictures import Pictures
from training.presets import Preset, stage_at
from training.reveal import Draws, reveal

AHEAD = 4  # batches


def to_lab(rgb: np.ndarray) -> np.ndarray:
    """uint8 RGB to float32 CIE LAB (D65), L* in 0..100."""
    return cv2.cvtColor(rgb.astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB)


@dataclass(frozen=True)
class Batch:
    lightness: Tensor  # (N, 1, h, w) float32, L* as the network sees it
    ab: Tensor  # (N, 2, h/s, w/s) float32, area-averaged truth
    conditions: Tensor | None = None  # (N, 3, h/s, w/s) float32, what is told of it


@dataclass(frozen=True)
class Crops:
    rgb: Tensor  # (N, size, size, 3) uint8
    uniform: Tensor  # (N, DRAWS) float32, see training.augment
    grain: Tensor  # (N,) int64
    draws: Draws | None = None  # what to tell


def batch_indices(
    count: int, batch: int, step: int, seed: int, parts: Sequence[int] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """Positions in the run and picture indices of batch `step`; each epoch is a permutation of its own.

    With `parts` (lengths that sum to `count`), an epoch goes through one part after the other, parts and their pictures
    in random order: one part at a time must be in memory.
    """
    at = np.arange(step * batch, (step + 1) * batch)
    orders = {int(e): _epoch(count, np.random.default_rng((seed, int(e))), parts) for e in np.unique(at // count)}
    return at, np.array([orders[int(i) // count][i % count] for i in at])


def _epoch(count: int, rng: np.random.Generator, parts: Sequence[int]) -> np.ndarray:
    if not parts:
        return rng.permutation(count)
    starts = np.cumsum((0, *parts))
    return np.concatenate([starts[p] + rng.permutation(parts[p]) for p in rng.permutation(len(parts))])


class Resident:
    """Photographs as uint8 on the device, crops cut out of them there."""

    def __init__(self, photos: Sequence[np.ndarray], device: torch.device | str) -> None:
        self.shapes = [p.shape[:2] for p in photos]
        self.offsets = np.cumsum([0, *(h * w for h, w in self.shapes)])
        self.pixels = torch.empty((int(self.offsets[-1]), 3), dtype=torch.uint8, device=device)
        for photo, start, end in zip(photos, self.offsets, self.offsets[1:], strict=False):
            self.pixels[start:end] = torch.from_numpy(np.ascontiguousarray(photo).reshape(-1, 3)).to(device)

    def crops(self, indices: Sequence[int], boxes: Sequence[Box], size: int) -> Tensor:
        """``(N, size, size, 3)`` uint8: four bilinear samples averaged for each pixel, against aliasing."""
        device = self.pixels.device
        fine = 2 * size
        table = torch.tensor(
            [
                (b.top, b.left, b.height, b.width, b.mirrored, self.shapes[i][1], self.offsets[i])
                for i, b in zip(indices, boxes, strict=True)
            ],
            dtype=torch.float64,
        ).to(device)
        top, left, height, width, mirrored, row, offset = table[:, :, None].unbind(1)
        at = (torch.arange(fine, device=device, dtype=torch.float64)[None] + 0.5) / fine
        y = (at * height - 0.5).clamp(min=0).minimum(height - 1)
        x = (torch.where(mirrored > 0, 1 - at, at) * width - 0.5).clamp(min=0).minimum(width - 1)
        y0, x0 = y.floor(), x.floor()
        y1, x1 = (y0 + 1).minimum(height - 1), (x0 + 1).minimum(width - 1)
        fy, fx = (y - y0).float()[:, :, None, None], (x - x0).float()[:, None, :, None]

        def take(rows: Tensor, columns: Tensor) -> Tensor:
            index = (offset + (rows + top) * row)[:, :, None] + (columns + left)[:, None, :]
            return self.pixels[index.long()].float()

        upper = take(y0, x0) * (1 - fx) + take(y0, x1) * fx
        lower = take(y1, x0) * (1 - fx) + take(y1, x1) * fx
        found = (upper * (1 - fy) + lower * fy).permute(0, 3, 1, 2)
        return F.avg_pool2d(found, 2).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


class Feed:
    """Batches from any step on; a batch depends on seed and step only, and a rank has its share of it.

    Raises:
        ValueError: the batch cannot be split evenly among the processes.
    """

    def __init__(
        self,
        photos: Pictures | Sequence[np.ndarray],
        preset: Preset,
        stride: int,
        *,
        device: torch.device | str = "cpu",
        resident: bool = False,
        by_part: bool = False,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        if preset.batch % (world * preset.accumulate):
            raise ValueError(f"a batch of {preset.batch} cannot be split {world} x {preset.accumulate} ways")
        self.photos, self.preset, self.stride, self.device = photos, preset, stride, torch.device(device)
        self.parts = photos.parts if by_part and isinstance(photos, Pictures) else ()
        self.store = Resident(photos, device) if resident else None
        share = preset.batch // world
        self.share = slice(rank * share, (rank + 1) * share)

    def batches(self, start: int, stop: int) -> Iterator[Batch]:
        """Batches `start` to `stop` - 1, their crops made ahead."""
        ready: queue.Queue[Crops | BaseException] = queue.Queue(AHEAD)
        stopped = threading.Event()

        def put(item: Crops | BaseException) -> None:
            while not stopped.is_set():
                try:
                    return ready.put(item, timeout=0.5)
                except queue.Full:
                    continue

        def work() -> None:
            try:
                with ThreadPoolExecutor(2) as pool:
                    for step in range(start, stop):
                        if stopped.is_set():
                            return
                        put(self._crops(step, pool))
            except BaseException as error:  # handed to the consumer, which raises it
                put(error)

        thread = threading.Thread(target=work, name="crops", daemon=True)
        thread.start()
        try:
            for _ in range(start, stop):
                item = ready.get()
                if isinstance(item, BaseException):
                    raise item
                yield self._finish(item)
        finally:
            stopped.set()
            thread.join()

    def _crops(self, step: int, pool: ThreadPoolExecutor) -> Crops:
        preset = self.preset
        size = stage_at(preset, step).size
        positions, indices = batch_indices(len(self.photos), preset.batch, step, preset.seed, self.parts)
        positions, indices = positions[self.share], indices[self.share]
        uniform, grain = draw(preset.seed, positions)
        if self.store is not None:
            shapes = [self.store.shapes[i] for i in indices]
            boxes = [crop_box(h, w, preset.min_crop, u) for (h, w), u in zip(shapes, uniform, strict=True)]
            rgb = self.store.crops(indices.tolist(), boxes, size)
        else:

            def cut(item: tuple[int, np.ndarray]) -> np.ndarray:
                photo = self.photos[int(item[0])]
                return crop(photo, crop_box(photo.shape[0], photo.shape[1], preset.min_crop, item[1]), size)

            rgb = torch.from_numpy(np.stack(list(pool.map(cut, zip(indices, uniform, strict=True)))))
        draws = None
        if preset.reveal:
            draws = Draws.make(preset.seed, step, preset.batch, size // self.stride).part(self.share, self.device)
        return Crops(rgb, torch.from_numpy(uniform), torch.from_numpy(grain), draws)

    def _finish(self, crops: Crops) -> Batch:
        rgb, uniform, grain = (x.to(self.device, non_blocking=True) for x in (crops.rgb, crops.uniform, crops.grain))
        lightness, ab = make_pair(rgb, self.stride, uniform, grain, self.preset.degrade)
        if crops.draws is None:
            return Batch(lightness, ab)
        assert self.preset.reveal is not None
        return Batch(lightness, *reveal(lightness, ab, crops.draws, self.preset.reveal))
