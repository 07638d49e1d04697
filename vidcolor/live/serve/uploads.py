"""Uploads: read with a bound, under a name of ours, and looked into by another process."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
import time
import unicodedata
from pathlib import Path
from typing import Any

from aiohttp import web

from vidcolor import stored
from vidcolor.live.serve.box import ENVIRONMENT
from vidcolor.live.serve.limits import CHUNK_SECONDS, PROBE_SECONDS, SLOWEST, Limits

NAME_LENGTH = 80  # characters
BROKEN_OFF = "the upload broke off; try again"
CHUNK = 1 << 18  # bytes read at a time


class Refused(Exception):
    """An upload that is not taken: the HTTP status, and why in one line."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def clean_name(text: str) -> str:
    """A client's file name, fit to be shown: its last part, without control characters, not too long."""
    last = re.split(r"[/\\]", text)[-1]
    shown = "".join(c for c in unicodedata.normalize("NFC", last) if unicodedata.category(c)[0] != "C")
    stem, dot, suffix = shown.strip().strip(".").rpartition(".")
    if not dot:
        return shown.strip().strip(".")[:NAME_LENGTH] or "upload"
    return f"{stem[: NAME_LENGTH - 6]}.{suffix[:5]}"


async def receive(request: web.Request, folder: Path, limits: Limits) -> Path:
    """The request's body as a file in `folder`.

    Raises:
        Refused: it is too large, empty, or too slow.
    """
    size = request.content_length
    if size is not None and size > limits.max_bytes:
        raise Refused(413, too_large(limits))
    if size is not None and shutil.disk_usage(folder).free < 3 * size:
        raise Refused(507, "the server's disk is too full for this file; try a smaller one")
    target, received, began = folder / "upload", 0, time.monotonic()
    with target.open("xb") as file:
        while True:
            try:
                chunk = await asyncio.wait_for(request.content.read(CHUNK), CHUNK_SECONDS)
            except TimeoutError:
                raise Refused(408, "the upload stood still for too long; try again") from None
            except (ConnectionError, web.RequestPayloadError):
                raise Refused(400, BROKEN_OFF) from None
            if not chunk:
                break
            received += len(chunk)
            if received > limits.max_bytes:
                raise Refused(413, too_large(limits))
            if received < SLOWEST * (time.monotonic() - began - CHUNK_SECONDS):  # it would hold its place for ever
                raise Refused(408, "the upload is too slow; try again over a faster line")
            try:
                await asyncio.to_thread(file.write, chunk)
            except OSError:
                raise Refused(507, "the server's disk is full; try again later") from None
    if size is not None and received < size:
        raise Refused(400, BROKEN_OFF)
    if not received:
        raise Refused(400, "the file is empty; choose another one")
    return target


def too_large(limits: Limits) -> str:
    return f"the file is larger than {limits.max_bytes / 1e6:.0f} MB, which is the limit here"


async def look_into(path: Path, kind: str, name: str, limits: Limits) -> dict[str, Any]:
    """What an upload is, found out by a process of its own; see probe.py.

    Raises:
        Refused: it is no film or still that can be coloured, or is beyond the limits.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "vidcolor.live.serve.probe", kind, str(path),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, **ENVIRONMENT},
    )  # fmt: skip
    try:
        out, _ = await asyncio.wait_for(process.communicate(), PROBE_SECONDS)
        facts = stored.parse(out)
    except (TimeoutError, ValueError):
        facts = {"error": "a decoder failed on it"}
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    size = (facts.get("width"), facts.get("height")) if isinstance(facts, dict) else ()
    if "error" in facts or not all(isinstance(side, int) and side > 0 for side in size):
        raise Refused(415, f"{name}: is no {kind} that can be read; give another file")
    pixels, bound = facts["width"] * facts["height"], limits.max_pixels if kind == "film" else limits.max_still_pixels
    if pixels > bound:
        raise Refused(413, f"{name}: {facts['width']}x{facts['height']} is larger than the server takes; scale it down")
    if kind == "film" and facts["seconds"] > limits.max_seconds:
        raise Refused(
            413, f"{name}: is longer than {limits.max_seconds / 60:g} minutes, which is the limit here; cut it"
        )
    return {**facts, "bytes": path.stat().st_size}
