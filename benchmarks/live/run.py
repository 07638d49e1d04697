"""All that is measured of live pictures."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.live.page import page
from benchmarks.live.window import window

CLIP = "dog_park"  # a person, an animal and green, 854x480


def live(clips: Path, work: Path, *, seconds: float, minutes: float) -> dict:
    """Both paths one after the other, and the soak where it is asked for."""
    clip, rows = clips / f"{CLIP}.mp4", []
    for measure in (window, page):
        rows.append(measure(clip, seconds))
        print(rows[-1], file=sys.stderr)
    result: dict = {"rows": rows}
    if minutes:
        from benchmarks.live.soak import soak

        result["soak"] = soak(clip, work, minutes)
        print(result["soak"], file=sys.stderr)
    return result
