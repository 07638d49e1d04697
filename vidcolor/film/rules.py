"""Where segments end: rules of the recipe, so that serial, resumed and distributed runs cut alike."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rules:
    """A segment ends at the first shot start `shortest` seconds after it began.

    A shot that goes on for `longest` is cut within. The next segment then begins with `lead_in` frames that are
    coloured and thrown away, so that the smoother has settled.
    """

    shortest: float = 10.0  # seconds
    longest: float = 60.0  # seconds
    lead_in: int = 48  # frames
