"""What the keys and the mouse do, apart from any window."""

from __future__ import annotations

from dataclasses import dataclass

from vidcolor.live.options import MODES

STRENGTH_STEP, BAR_STEP = 0.1, 0.02
HELP = (
    ("q, Esc", "quit"),
    ("space", "pause"),
    ("s", "snapshot"),
    ("r", "record, and stop"),
    ("c", "split, side by side, result"),
    ("+  -  0", "more, less, usual colour"),
    ("left, right, mouse", "move the bar"),
    ("f", "full screen"),
    ("h", "this help"),
)


@dataclass
class Controls:
    """The state that a user steers; `press` takes the names of keys that the window's library gives."""

    mode: str = MODES[0]
    bar: float = 0.5
    strength: float = 1.0
    usual: float = 1.0  # strength that 0 goes back to
    paused: bool = False
    help: bool = False
    fullscreen: bool = False
    quit: bool = False
    snapshot: bool = False  # wanted with the next drawing
    record: bool = False

    def press(self, key: str) -> None:
        """Take a key: its character, or its name such as "space", "escape" or "left"."""
        if key in ("q", "escape"):
            self.quit = True
        elif key == "space":
            self.paused = not self.paused
        elif key == "s":
            self.snapshot = True
        elif key == "r":
            self.record = not self.record
        elif key == "c":
            self.mode = MODES[(MODES.index(self.mode) + 1) % len(MODES)]
        elif key in ("+", "="):
            self.strength = min(2.0, round(self.strength + STRENGTH_STEP, 2))
        elif key == "-":
            self.strength = max(0.0, round(self.strength - STRENGTH_STEP, 2))
        elif key == "0":
            self.strength = self.usual
        elif key in ("left", "right"):
            self.move(self.bar + (BAR_STEP if key == "right" else -BAR_STEP))
        elif key == "f":
            self.fullscreen = not self.fullscreen
        elif key in ("h", "?"):
            self.help = not self.help

    def move(self, bar: float) -> None:
        """Put the bar at a share of the width, 0 to 1."""
        self.bar = min(max(bar, 0.0), 1.0)
