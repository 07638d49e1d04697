"""What there is to say of a film that is whole and has no name yet: warnings, and its sidecar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vidcolor.film.plan import Segment
from vidcolor.film.recipe import Recipe
from vidcolor.film.verify import Verified
from vidcolor.models.files import ModelIdentity
from vidcolor.provenance import luma_facts, sidecar
from vidcolor.video.info import FilmInfo

SHORTFALL = 0.02  # share of its frames that a file may lack (edit lists hide some) before it is said


class Met(Protocol):
    """What a reader has met on its way; see video.reader."""

    @property
    def damaged(self) -> int: ...

    @property
    def resized(self) -> int: ...

    @property
    def retimed(self) -> int: ...


@dataclass(frozen=True)
class Finished:
    """A film that is whole and has no name yet."""

    file: Path  # where it lies
    target: Path  # what it will be called
    source: str
    container: str
    recipe: Recipe
    model: ModelIdentity
    verified: Verified
    copied: Mapping[int, int]  # streams that are passed on, index in the source to index in the target
    warnings: list[str]
    notes: list[str]

    def sidecar(self) -> bytes:
        """All that is known of it, as JSON; see docs/sidecar.schema.json."""
        luma = self.verified.luma
        facts = {
            "video": {
                "container": self.container,
                "encoder": self.recipe.settings["encoder"],
                "frames": luma.frames,
                "damaged": self.verified.damaged,
                "luma": luma_facts(luma.source.hexdigest(), luma.target.hexdigest(), luma.psnr),
            },
            "streams": [
                {"source": index, "target": self.copied[index], "packets": count, "fixity": {"sha256": digest}}
                for index, (count, digest) in sorted(self.verified.streams.packets.items())
            ],
            "warnings": self.warnings,
            "notes": self.notes,
        }
        return sidecar(self.source, self.file, self.target, self.model, self.recipe.to_dict(), facts)


def losses(segments: Sequence[Segment]) -> list[str]:
    """What there is to say of segments for which packets were left out."""
    lines = []
    for segment in segments:
        if count := len(segment.left_out):
            packets = f"{count} packet{'s' if count > 1 else ''}"
            lines.append(f"frames {segment.first} to {segment.last}: the decoder crashed; {packets} left out")
    return lines


def faults(info: FilmInfo, frames: int, met: Met, *, trims: bool) -> list[str]:
    """What there is to say of a source of which so many `frames` could be read; with `trims`, of a part of it."""
    lines = []
    if met.resized:
        lines.append(f"{met.resized} frames came in another size and were scaled")
    promised = 0 if trims else info.promised
    if promised - frames > max(2, promised * SHORTFALL):
        lines.append(f"the file promises {promised} frames, {frames} could be read: is it whole?")
    if met.retimed:
        lines.append(f"{met.retimed} frames had no usable time stamp and got one")
    return lines
