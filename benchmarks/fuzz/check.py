"""What a target must hold: the frames that a plain decode of its source gives, whatever is damaged."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image, ImageFile

from vidcolor.stills.content import is_still
from vidcolor.video.probe import main_video, open_input, packets_of

LEAST_DB = 20.0  # PSNR of a frame's luma below which it is another picture
FAILURES = 100  # times in a row that a damaged container is asked to go on


def fault_of(source: Path, target: Path, summary: dict[str, Any]) -> str:
    """What is wrong with the target of a run that has ended well; empty where nothing is."""
    try:
        return still_fault(target) if is_still(source, target) else film_fault(source, target, summary["frames"])
    except (av.FFmpegError, OSError, ValueError) as error:
        return f"target cannot be read: {type(error).__name__} {error}"


def still_fault(target: Path) -> str:
    """Every page has to decode to its end."""
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    with Image.open(target) as picture:
        for page in range(getattr(picture, "n_frames", 1)):
            picture.seek(page)
            picture.load()
    return ""


def film_fault(source: Path, target: Path, told: int) -> str:
    """As many frames as were told and as the source has, and the same luma in each.

    What a decoder leaves of a damaged frame is whatever was in memory: where it shows another thing when all frames are
    held, nothing can be said of it.
    """
    wanted, found, held = lumas(source), lumas(target), [picture.copy() for picture in lumas(source, hold=True)]
    count, worst, where = 0, np.inf, 0
    extra = 0
    for number, (one, other) in enumerate(zip_longest(wanted, found)):
        count += other is not None
        extra += (one is None) != (other is None)
        if one is not None and other is not None and number < len(held) and psnr(one, held[number]) > LEAST_DB:
            db = psnr(one, other)
            if db < worst:
                worst, where = db, number
    if count != told:
        return f"target has {count} frames, told were {told}"
    if extra:
        return f"target has {count} frames, a plain decode of the source {extra} more or fewer"
    return f"frame {where} shows something else: luma at {worst:.1f} dB" if worst < LEAST_DB else ""


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    """dB between two pictures; 99 where they are the same, have no luma, or are of different sizes."""
    if one.shape != other.shape or not one.size:
        return 99.0
    error = float(np.mean((one.astype(np.float32) - other) ** 2))
    return 10 * np.log10(255**2 / error) if error else 99.0


def lumas(path: Path, *, hold: bool = False) -> Iterator[np.ndarray]:
    """The luma of each frame of the main picture as 8 bits; an empty array where a frame has none.

    With `hold` no frame gives its memory back to the decoder.
    """
    kept = []
    with open_input(str(path)) as container:
        stream, failures = main_video(container, str(path)), 0
        while failures < FAILURES:
            try:
                for packet in packets_of(container, *(s for s in container.streams if s.type != "attachment")):
                    failures = 0
                    if packet.stream.index != stream.index:
                        continue
                    try:
                        frames = packet.decode()
                    except (av.error.InvalidDataError, av.error.EOFError):
                        continue
                    kept += frames if hold else []
                    yield from (luma(frame) for frame in frames if isinstance(frame, av.VideoFrame))
                return
            except av.error.InvalidDataError:
                failures += 1


def luma(frame: av.VideoFrame) -> np.ndarray:
    """Samples of the luma plane."""
    first = frame.format.components[0]
    if not first.is_luma or frame.format.name.startswith(("ya", "yuyv", "uyvy", "pal", "mono", "rgb", "bgr")):
        return np.zeros((0, 0), np.uint8)
    plane = frame.planes[first.plane]
    rows = np.frombuffer(memoryview(plane), np.dtype(np.uint8 if first.bits == 8 else np.uint16)).reshape(
        plane.height, -1
    )[:, : plane.width]
    return np.right_shift(rows, first.bits - 8).astype(np.uint8)
