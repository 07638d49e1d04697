"""SMPTE time codes: HH:MM:SS:FF, or HH:MM:SS;FF in drop-frame counting."""

from __future__ import annotations

import re
from fractions import Fraction

PATTERN = re.compile(r"(\d\d):(\d\d):(\d\d)([:;.])(\d\d)")
DAY = 24 * 60  # minutes


def later(code: str, frames: int, rate: Fraction) -> str:
    """The time code `frames` frames after `code`, at `rate` frames a second; what is no time code stays as it is.

    Drop-frame counting leaves out the first numbers of every minute but each tenth: two at 29.97 frames a second, four
    at 59.94 (SMPTE ST 12-1). After 24 hours it begins again.
    """
    match = PATTERN.fullmatch(code)
    if match is None or rate <= 0:
        return code
    hours, minutes, seconds, frame = (int(match[i]) for i in (1, 2, 3, 5))
    whole = round(rate)
    dropped = round(rate / 15) if match[4] in ";." and rate.denominator != 1 else 0  # in a minute
    total = ((hours * 60 + minutes) * 60 + seconds) * whole + frame
    total -= dropped * (hours * 60 + minutes - (hours * 60 + minutes) // 10)
    number = restored((total + frames) % (DAY * 60 * whole - dropped * (DAY - DAY // 10)), whole, dropped)
    rest, frame = divmod(number, whole)
    rest, seconds = divmod(rest, 60)
    hours, minutes = divmod(rest, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{match[4]}{frame:02}"


def restored(total: int, whole: int, dropped: int) -> int:
    """The count with the numbers in it that drop-frame counting leaves out."""
    tens, rest = divmod(total, 600 * whole - 9 * dropped)
    minutes = max(0, (rest - dropped) // (60 * whole - dropped))  # the first minute of ten keeps all its numbers
    return total + dropped * (9 * tens + minutes)
