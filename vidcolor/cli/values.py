"""What stands behind an option, from text to what the library takes."""

from __future__ import annotations

import argparse
import math


def seconds(text: str) -> float:
    """Seconds from "83.5", "1:23.5" or "0:01:23.5".

    Raises:
        argparse.ArgumentTypeError: it is no time.
    """
    try:
        total = 0.0
        for part in text.split(":"):
            total = total * 60 + float(part)
        if not math.isfinite(total):
            raise ValueError
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; give seconds or [HH:]MM:SS") from None
    return total


def every(text: str) -> int | None:
    """A number of frames, or None for "auto".

    Raises:
        argparse.ArgumentTypeError: it is neither.
    """
    if text == "auto":
        return None
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of frames; give one, or auto") from None


def video_size(text: str) -> tuple[int, int]:
    """Width and height in pixels from "1280x720".

    Raises:
        argparse.ArgumentTypeError: it is no size, or one below 16 pixels.
    """
    try:
        width, height = (int(x) for x in text.lower().split("x"))
        if min(width, height) < 16:
            raise ValueError
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; give one such as 1280x720") from None
    return width, height
