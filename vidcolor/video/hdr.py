"""What a film says of the display it was made on (SMPTE ST 2086) and of its brightest pictures (CTA-861.3)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av

from vidcolor import stored
from vidcolor.video.sidedata import side_data

COLOR_STEP, LIGHT_STEP = (
    Fraction(1, 50_000),
    Fraction(1, 10_000),
)  # of the integers that encoders take; the latter cd/m2
# Encoder -> its option with parameters, and the names of the two in there. Others have no way to be told.
PARAMETERS = {
    "libx264": ("x264-params", "mastering-display", "cll"),
    "libx265": ("x265-params", "master-display", "max-cll"),
    "libsvtav1": ("svtav1-params", "mastering-display", "content-light"),
}


@dataclass(frozen=True)
class Mastering:
    """Chromaticities in steps of 0.00002, luminances in steps of 0.0001 cd/m2."""

    red: tuple[int, int]
    green: tuple[int, int]
    blue: tuple[int, int]
    white: tuple[int, int]
    brightest: int
    darkest: int

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Mastering:
        """What `dataclasses.asdict` gave, by way of JSON."""
        stored.check_types(cls, values)
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**fields)

    def text(self, encoder: str) -> str:
        """As `encoder` wants it."""
        places = ("G", self.green), ("B", self.blue), ("R", self.red), ("WP", self.white)
        light = self.brightest, self.darkest
        if encoder != "libsvtav1":
            return "".join(f"{name}({x},{y})" for name, (x, y) in (*places, ("L", light)))
        colors = "".join(f"{name}({float(x * COLOR_STEP):.5f},{float(y * COLOR_STEP):.5f})" for name, (x, y) in places)
        return f"{colors}L({float(light[0] * LIGHT_STEP):.4f},{float(light[1] * LIGHT_STEP):.4f})"


def mastering_of(frame: av.VideoFrame) -> Mastering | None:
    """From a frame's side data, an AVMasteringDisplayMetadata; None where it says nothing, or only half."""
    for data in side_data(frame):
        if data.type.name == "MASTERING_DISPLAY_METADATA":
            numbers = struct.unpack("=22i", bytes(data)[:88])
            if not all(numbers[20:]) or not all(numbers[1:20:2]):
                return None
            values = [Fraction(a, b) for a, b in zip(numbers[0:20:2], numbers[1:20:2], strict=True)]
            steps = [round(v / COLOR_STEP) for v in values[:8]] + [round(v / LIGHT_STEP) for v in values[8:]]
            red, green, blue, white = ((steps[i], steps[i + 1]) for i in range(0, 8, 2))
            return Mastering(red, green, blue, white, brightest=steps[9], darkest=steps[8])
    return None


def light_of(frame: av.VideoFrame) -> tuple[int, int] | None:
    """MaxCLL and MaxFALL in cd/m2: the brightest pixel, and the brightest mean of a picture."""
    for data in side_data(frame):
        if data.type.name == "CONTENT_LIGHT_LEVEL":
            brightest, mean = struct.unpack("=2I", bytes(data)[:8])
            return brightest, mean
    return None


def add_hdr(
    options: tuple[tuple[str, str], ...], encoder: str, mastering: Mastering | None, light: tuple[int, int] | None
) -> tuple[tuple[str, str], ...]:
    """The options of an encoder, with both in its parameters as far as it takes them."""
    if encoder not in PARAMETERS or (mastering is None and light is None):
        return options
    key, display, level = PARAMETERS[encoder]
    found = dict(options)
    told = [found[key]] if key in found else []
    told += [f"{display}={mastering.text(encoder)}"] if mastering else []
    told += [f"{level}={light[0]},{light[1]}"] if light else []
    return tuple((found | {key: ":".join(told)}).items())
