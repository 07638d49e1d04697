"""What a film gets that is whole and has no name yet: warnings, and the files beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from vidcolor.film.recipe import Recipe
from vidcolor.film.verify import Verified
from vidcolor.models.files import ModelIdentity
from vidcolor.options import AUTO, ColorizeOptions
from vidcolor.provenance import FORMAT, Companions, application, file_facts, sidecar, sidecar_of, source_facts
from vidcolor.video.framemd5 import MAGIC, framemd5
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
        encoder = {"container": self.container, "encoder": self.recipe.settings["encoder"]}
        facts: dict[str, Any] = {
            "creating_application": application(),
            "model": {"name": self.model.name, "sha256": self.model.sha256},
            "source": source_facts(self.source),
            "target": {**file_facts(self.file, self.target.name), **encoder},
            "recipe": {**self.recipe.to_dict(), "sha256": self.recipe.digest},
            "video": {
                "frames": luma.frames,
                "damaged": self.verified.damaged,
                "luma": {
                    "source": {"sha256": luma.source.hexdigest()},
                    "target": {"sha256": luma.target.hexdigest()},
                    "equal": luma.exact,
                    "psnr": None if luma.exact else round(luma.psnr, 2),
                },
            },
            "streams": [
                {"source": index, "target": self.copied[index], "packets": count, "fixity": {"sha256": digest}}
                for index, (count, digest) in sorted(self.verified.streams.packets.items())
            ],
            "warnings": self.warnings,
            "notes": self.notes,
        }
        return sidecar(facts)


def companions(target: Path, options: ColorizeOptions) -> Companions:
    """The files that are wanted beside `target`.

    Raises:
        OptionError, OutputError: see `Companions`.
    """
    wanted = [(sidecar_of(target), FORMAT.encode())] if options.sidecar else []
    if path := framemd5_of(target, options):
        wanted.append((path, MAGIC))
    return Companions(target, wanted, overwrite=options.overwrite)


def framemd5_of(target: Path, options: ColorizeOptions) -> Path | None:
    """Where the checksums of frames go, if anywhere."""
    if options.framemd5 == AUTO:
        return target.with_name(f"{target.name}.framemd5")
    return Path(options.framemd5) if options.framemd5 else None


def put_framemd5(file: Path, target: Path, options: ColorizeOptions, beside: Companions) -> None:
    """The checksums of the frames of `file`, where they are wanted."""
    if path := framemd5_of(target, options):
        beside.put(path, framemd5(file))


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
