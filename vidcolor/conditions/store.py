"""What was found of a film's references, on the disk: their frames, their colours there, and the motion to them."""

from __future__ import annotations

import io
import json
from collections import OrderedDict
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vidcolor import stored
from vidcolor.atomic import write_whole
from vidcolor.conditions.carry import View
from vidcolor.conditions.track import Track

FORMAT = 1
CONTENTS = "survey.json"
HELD = 6  # tracks and views that are held in memory


@dataclass(frozen=True)
class Stretch:
    """Frames `first` to `last`, for which there is a track to frame `reference`."""

    reference: int
    first: int
    last: int


@dataclass
class Survey:
    """What one reading of a film with its references has found.

    Attributes:
        key: digest of all that it depends on.
        shots: how shots begin, by number of their first frame.
        stretches: where there are tracks.
        notes, warnings: for the user, one line each.
    """

    folder: Path
    key: str
    shots: dict[int, str] = field(default_factory=dict)
    stretches: list[Stretch] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    held: OrderedDict[str, Any] = field(default_factory=OrderedDict, repr=False)

    def add_view(self, view: View) -> None:
        arrays = {"grey": view.grey, "ab": view.ab.astype(np.float16), "confidence": view.confidence.astype(np.float16)}
        self.write(f"view-{view.number:08d}.npz", arrays)

    def add_track(self, track: Track) -> None:
        stretch = Stretch(track.reference, int(track.numbers[0]), int(track.numbers[-1]))
        self.stretches.append(stretch)
        self.write(self.name_of(stretch), {"numbers": track.numbers, "moves": track.moves})

    @staticmethod
    def name_of(stretch: Stretch) -> str:
        return f"track-{stretch.reference:08d}-{stretch.first:08d}.npz"

    def write(self, name: str, arrays: dict[str, np.ndarray]) -> None:
        data = io.BytesIO()
        np.savez_compressed(data, **arrays)  # type: ignore[arg-type]
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self.folder / name, data.getvalue(), overwrite=True)

    def finish(self) -> None:
        """The film has been read to its end."""
        contents = {
            "format": FORMAT, "key": self.key, "shots": [list(x) for x in sorted(self.shots.items())],
            "stretches": [asdict(x) for x in self.stretches], "notes": self.notes, "warnings": self.warnings,
        }  # fmt: skip
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self.folder / CONTENTS, json.dumps(contents, indent=1).encode(), overwrite=True)

    @classmethod
    def read(cls, folder: Path, key: str) -> Survey | None:
        """The one in `folder`; None where there is none that is complete, or it depends on something else."""
        try:
            found = stored.parse((folder / CONTENTS).read_bytes())
            if found["format"] != FORMAT or found["key"] != key:
                return None
            shots = {int(frame): str(kind) for frame, kind in found["shots"]}
            stretches = [stored.made(Stretch, x) for x in found["stretches"]]
            told = {"notes": found["notes"], "warnings": found["warnings"]}
            return stored.made(cls, {"folder": folder, "key": key, "shots": shots, "stretches": stretches, **told})
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def view(self, number: int) -> View:
        arrays = self.load(f"view-{number:08d}.npz")
        return View(number, arrays["grey"], arrays["ab"].astype(np.float32), arrays["confidence"].astype(np.float32))

    def track(self, stretch: Stretch) -> Track:
        arrays = self.load(self.name_of(stretch))
        return Track(stretch.reference, arrays["numbers"], arrays["moves"])

    def load(self, name: str) -> dict[str, np.ndarray]:
        """Arrays of a file, which are held in memory for a while."""
        if name not in self.held:
            with np.load(self.folder / name) as file:
                self.held[name] = dict(file)
            while len(self.held) > HELD:
                self.held.popitem(last=False)
        self.held.move_to_end(name)
        found: dict[str, np.ndarray] = self.held[name]
        return found
