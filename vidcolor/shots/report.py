"""Collects the shots of a film while it is coloured, and writes the cut list and the contact sheet."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import overload

import cv2
import numpy as np

from vidcolor.color.proxy import LumaProxy
from vidcolor.errors import OutputError
from vidcolor.options import SHEETS, SHOT_LIST
from vidcolor.shots.cutlist import ShotList, write_shots
from vidcolor.video.target import check_target

WIDTH = 400  # pixels of a thumbnail
QUALITY = 92  # of the JPEGs in which thumbnails are kept: a film has thousands


class ShotReport:
    """Collects shots, and writes them to `paths` (see `ColorizeOptions.save_shots`)."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths
        self.overwrite = False
        self.draws = any(path.suffix.lower() in SHEETS for path in paths)
        self.starts: list[tuple[int, str]] = []
        self.times: list[Fraction | None] = []  # of the starts, in seconds
        self.first: Fraction | None = None  # time of the first frame
        self.middles = Thumbnails()
        self.frames = 0
        self.candidates: dict[int, bytes] = {}  # by number within the shot
        self.recalled = False  # shots are known whose frames have not been seen

    def recall(self, starts: Sequence[tuple[int, str, Fraction | None]], frames: int) -> None:
        """Add the first `frames` of the film, coloured by an earlier run: frame, kind and time of each shot."""
        for frame, kind, time in starts:
            self.first = time if not self.starts else self.first
            self.starts.append((frame, kind))
            self.times.append(None if time is None or self.first is None else time - self.first)
        self.frames, self.recalled = frames, frames > 0

    @property
    def wanted(self) -> list[int]:
        """The middle frame of every shot, where pictures are to be drawn and must be looked up in the finished film."""
        if not (self.draws and self.recalled):
            return []
        ends = [*(start for start, _ in self.starts[1:]), self.frames]
        return [(start + end) // 2 for (start, _), end in zip(self.starts, ends, strict=True)]

    def draw(self, pictures: Iterable[np.ndarray]) -> None:
        """Take the pictures ``(h, w, 3)`` uint8 RGB of the `wanted` frames."""
        self.candidates.clear()
        self.middles = Thumbnails()
        for rgb in pictures:
            size = WIDTH, max(1, round(WIDTH * rgb.shape[0] / rgb.shape[1]))
            self.middles.append(encode(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)))

    def check(self, source: str, *, given: Path | None, overwrite: bool) -> None:
        """Check, before any work is done, that the files may be written.

        Raises:
            OutputError: a path is the film or the cut list that is read; or it exists and `overwrite` is off; or it
                cannot be written.
        """
        self.overwrite = overwrite
        for path in self.paths:
            check_target(path, overwrite=overwrite, source=source)
            if given is not None and given.exists() and path.exists() and path.samefile(given):
                raise OutputError(f"{path}: is the cut list that is read; choose another name")
            pages = sorted(path.parent.glob(f"{glob.escape(path.stem)}-[0-9]*{path.suffix}"))
            if pages and not overwrite and path.suffix.lower() in SHEETS:
                raise OutputError(f"{pages[0]}: exists already and may be in the way of a page; add -y to replace it")

    def add(self, kind: str, proxy: LumaProxy, ab: np.ndarray, time: Fraction | None = None) -> None:
        """Add the next frame, at `time` in seconds; `kind` says how a shot begins with it, empty where none does."""
        self.first = time if self.frames == 0 else self.first
        if kind:
            self.end_shot()
            self.starts.append((self.frames, kind))
            self.times.append(None if time is None or self.first is None else time - self.first)
        if self.draws and not self.recalled and is_candidate(number := self.frames - self.starts[-1][0]):
            self.candidates[number] = encode(thumbnail(proxy, ab))
        self.frames += 1

    def end_shot(self) -> None:
        if self.candidates:
            middle = (self.frames - self.starts[-1][0]) // 2
            self.middles.append(self.candidates[min(self.candidates, key=lambda number: abs(number - middle))])
        self.candidates.clear()

    def write(self, source: str, rate: Fraction | None) -> list[str]:
        """Write all files, at the end of the film. Returns one line for each that could not be written."""
        self.end_shot()
        shots, failed = self.shots(Path(source).name, rate), []
        for path in self.paths:
            try:
                if path.suffix.lower() == SHOT_LIST:
                    write_shots(path, shots, overwrite=self.overwrite)
                else:
                    from vidcolor.shots.sheet import shot_sheet, write_sheet  # brings Pillow, which few films need

                    write_sheet(path, shot_sheet(self.middles, shots), overwrite=self.overwrite)
            except OutputError as error:
                failed.append(str(error))
        return failed

    def shots(self, source: str, rate: Fraction | None) -> ShotList:
        """The cut list; it gets a rate only if the times of all starts agree with it."""
        starts = [start for start, _ in self.starts]
        if rate and any(
            t is not None and abs(t - s / rate) > 1 / rate for t, s in zip(self.times, starts, strict=True)
        ):
            rate = None
        found = ShotList.of_starts(self.starts, self.frames, source=source, rate=rate)
        timed = (
            replace(shot, start_time=shot.start_time if time is None else round(float(time), 6))
            for shot, time in zip(found.shots, self.times, strict=True)
        )
        return replace(found, shots=tuple(timed))


class Thumbnails(Sequence[np.ndarray]):
    """Pictures ``(h, w, 3)`` uint8 RGB, kept as JPEG."""

    def __init__(self) -> None:
        self.kept: list[bytes] = []

    def append(self, jpeg: bytes) -> None:
        self.kept.append(jpeg)

    def __len__(self) -> int:
        return len(self.kept)

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...

    @overload
    def __getitem__(self, index: slice) -> list[np.ndarray]: ...

    def __getitem__(self, index: int | slice) -> np.ndarray | list[np.ndarray]:
        if isinstance(index, slice):
            return [decode(jpeg) for jpeg in self.kept[index]]
        return decode(self.kept[index])


def is_candidate(number: int) -> bool:
    """Whether frame `number` of a shot may be its middle: 0, 1, 2, 3, 4, 6, 8, 12, 16, 24, ...

    The length of the shot is not known yet. One of these is never more than a sixth of the shot off its middle.
    """
    odd = number // (number & -number) if number else 0
    return odd in (0, 1, 3)


def thumbnail(proxy: LumaProxy, ab: np.ndarray) -> np.ndarray:
    """The coloured frame ``(h, w, 3)`` uint8 RGB, from its proxy and its a*b* grid."""
    height, width = proxy.lightness.shape
    chroma = cv2.resize(ab, (width, height), interpolation=cv2.INTER_LINEAR)
    rgb = cv2.cvtColor(np.dstack((proxy.lightness, chroma)), cv2.COLOR_LAB2RGB)
    size = WIDTH, max(1, round(WIDTH * height / width))
    return cv2.convertScaleAbs(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), alpha=255)


def decode(jpeg: bytes) -> np.ndarray:
    bgr = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert bgr is not None  # it is one of ours
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def encode(rgb: np.ndarray) -> bytes:
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_JPEG_QUALITY, QUALITY))
    return jpeg.tobytes()
