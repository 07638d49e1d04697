"""Colours one upload in a process of its own, shut in: `python -m vidcolor.live.serve.worker`.

The server tells on standard input what is to be done, and runs the network when it is asked to; see process.py.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from vidcolor.errors import InputError, ModelError, OutputError, VidcolorError
from vidcolor.film.hooks import Hooks
from vidcolor.film.run import colorize_film
from vidcolor.film.work import folder_of
from vidcolor.frames.summary import Summary
from vidcolor.live.serve.box import Bounds, shut
from vidcolor.live.serve.messages import Link, packed, unpacked
from vidcolor.models.files import ModelIdentity
from vidcolor.options import ColorizeOptions
from vidcolor.stills.image import colorize_still

PREVIEW_WIDTH, PREVIEW_EVERY = 640, 1.0  # pixels; seconds
SLACK, MAX_RATE = 1.0, 240  # seconds beyond the limit; frames a second: what the probe reads in a header may be a lie
TRACEBACK = 4000  # characters of it that the server is told
MOST = 1 << 30  # bytes of an answer, from the server, which is trusted


class DistantBackend:
    """The server's network, which frames in this process's memory are sent to."""

    name, device = "serve", "cpu"

    def __init__(self, link: Link, facts: dict[str, Any]) -> None:
        self.link = link
        self.stride: int = facts["stride"]
        self.takes_conditions: bool = facts["takes_conditions"]
        self.description: str = facts["description"]

    def predict(self, lightness: np.ndarray, conditions: np.ndarray | None = None) -> np.ndarray:
        shapes, data = packed([lightness] if conditions is None else [lightness, conditions])
        told, answer = ask(self.link, {"tell": "predict", **shapes}, data)
        return unpacked(told, answer)[0]

    def likely(
        self, lightness: np.ndarray, conditions: np.ndarray | None = None, count: int = 5
    ) -> tuple[np.ndarray, np.ndarray]:
        raise ModelError("the likely colours are not passed on by the server; ask its backend")

    def close(self) -> None:
        """The server's network stays."""


def ask(link: Link, told: dict[str, Any], data: bytes = b"") -> tuple[dict[str, Any], bytes]:
    """The server's answer; without a server there is nothing left to do."""
    link.send(told, data)
    answer = link.receive()
    if answer is None:
        os._exit(1)
    if "fault" in answer[0]:
        raise RuntimeError(answer[0]["fault"])
    return answer


def main() -> None:
    # Only messages may go to where standard output went: some libraries print.
    link = Link(sys.stdin.buffer, os.fdopen(os.dup(1), "wb"), MOST)
    os.dup2(2, 1)
    begun = link.receive()
    if begun is not None:
        color(link, begun[0])


def color(link: Link, job: dict[str, Any]) -> None:
    """Do what is asked for, and tell how it ended."""
    source, target = Path(job["source"]), Path(job["target"])
    tempfile.tempdir = str(target.parent)
    target.unlink(missing_ok=True)  # a server that was killed may not have noted that it was done
    shut(Bounds(**job["bounds"]), [source], [target.parent])
    backend, model = DistantBackend(link, job["backend"]), ModelIdentity(**job["model"])
    try:
        if job["kind"] == "still":
            colorize_still(source, target, backend, ColorizeOptions(**job["options"]), model=model)
        else:
            color_film(link, job, backend, model)
        link.send({"tell": "done"})
    except MemoryError:
        link.send({"tell": "failed", "error": f"{job['name']}: needs more memory than it may have; give a smaller one"})
    except VidcolorError as error:
        link.send({"tell": "failed", "error": str(error)})
    except Exception as error:
        link.send({"tell": "fault", "error": type(error).__name__, "trace": traceback.format_exc()[-TRACEBACK:]})


def color_film(link: Link, job: dict[str, Any], backend: DistantBackend, model: ModelIdentity) -> None:
    """Colour a film, from where an earlier process has left it."""
    source, target = Path(job["source"]), Path(job["target"])
    hooks = Hooks(progress_for(link, job), None, watch_for(link, job))
    left = folder_of(target).exists()
    try:
        colorize_film(source, target, backend, ColorizeOptions(**job["options"]), hooks=hooks, model=model)
    except OutputError:
        if not left:
            raise
        anew = ColorizeOptions(**job["options"], restart=True)  # what is left was made by another server
        colorize_film(source, target, backend, anew, hooks=hooks, model=model)


def progress_for(link: Link, job: dict[str, Any]) -> Callable[[Summary, int], None]:
    """Tells the server of each frame, and waits until it may go on."""

    def progress(summary: Summary, total: int) -> None:
        if summary.frames > job["max_seconds"] * MAX_RATE:
            raise InputError(f"{job['name']}: has more than {MAX_RATE} frames a second; bring it to fewer")
        ask(link, {"tell": "progress", "frames": summary.frames, "total": total})

    return progress


def watch_for(link: Link, job: dict[str, Any]) -> Callable[[av.VideoFrame], None]:
    """Sends a picture now and then, and ends a film that is longer than it says."""
    start: list[float] = []
    previewed = 0.0

    def watch(frame: av.VideoFrame) -> None:
        nonlocal previewed
        if frame.time is not None:
            start[:] = start or [frame.time]
            if frame.time - start[0] > job["max_seconds"] + SLACK:
                raise InputError(f"{job['name']}: is longer than it says, and than the server takes; cut it")
        if time.monotonic() - previewed >= PREVIEW_EVERY:
            previewed = time.monotonic()
            link.send({"tell": "preview"}, jpeg(frame))

    return watch


def jpeg(frame: av.VideoFrame) -> bytes:
    """A frame as a small JPEG."""
    width = min(PREVIEW_WIDTH, frame.width)
    small = frame.reformat(width, max(1, round(frame.height * width / frame.width)), "rgb24")
    out = io.BytesIO()
    Image.fromarray(small.to_ndarray()).save(out, "JPEG", quality=80)
    return out.getvalue()


if __name__ == "__main__":
    main()
