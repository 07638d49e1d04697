"""What a user can choose about a live picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

MODES = ("split", "side", "color")  # compare modes, in the order that the key c goes through


@dataclass(frozen=True)
class CameraRequest:
    """What a camera is asked for; it may give something near."""

    width: int = 640
    height: int = 480
    rate: float = 30.0  # frames a second


@dataclass(frozen=True)
class WatchOptions:
    """How a live source is watched."""

    camera: CameraRequest = field(default_factory=CameraRequest)
    mode: str = MODES[0]  # compare mode at first
    output: Path | None = None  # record into it from the start
    folder: Path = Path()  # where the keys s and r put their files
    virtual_camera: str | None = None  # device, or "" for the first that is free
    window: bool = True
    loop: bool = False  # begin a file again at its end
    seconds: float | None = None  # stop after so long
