"""All that the samples of a coloured film depend on, and a digest that names it."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from vidcolor import stored
from vidcolor.backends import Backend
from vidcolor.conditions.reference import gather
from vidcolor.film.rules import Rules
from vidcolor.options import ColorizeOptions
from vidcolor.provenance import versions
from vidcolor.video.encoder import VideoSettings

ENDS = 1 << 20  # bytes of either end of the source that its digest covers
OF_THE_RUN = (
    "overwrite",
    "model",
    "backend",
    "save_shots",
    "verify",
    "restart",
    "work",
    "tag",
    "sidecar",
    "framemd5",
    "references_timeout",
)  # options that no sample depends on, or only by name

# No file depends on these, or only by name.
OF_THE_COMMAND = ("overwrite", "model", "backend", "restart", "work", "references_timeout")


@dataclass(frozen=True)
class SourceFacts:
    """What tells a source from another one, and from what it was before."""

    name: str
    size: int  # bytes; -1 where it is not a file
    modified: int  # ns since 1970
    digest: str  # SHA-256 of its first and last MiB, or of an address

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> SourceFacts:
        """Raises TypeError where it is something else."""
        return stored.made(cls, values)

    @classmethod
    def of(cls, source: str) -> SourceFacts:
        """The facts of a file; of an address, itself without what it may hold of secrets, and its digest."""
        path = Path(source)
        if not path.is_file():
            parts = urlsplit(source)
            shown = f"{parts.scheme}://{parts.hostname or ''}{parts.path}" if parts.scheme else source
            return cls(shown, -1, 0, hashlib.sha256(os.fsencode(source)).hexdigest())
        stat = path.stat()
        return cls(str(path.absolute()), stat.st_size, stat.st_mtime_ns, digest_of_ends(path))


def digest_of_ends(path: Path) -> str:
    """SHA-256 of the first and the last MiB of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        digest.update(file.read(ENDS))
        file.seek(max(0, os.fstat(file.fileno()).st_size - ENDS))
        digest.update(file.read(ENDS))
    return digest.hexdigest()


@dataclass(frozen=True)
class Recipe:
    """How every segment of a film is made. Two that are equal give the same bytes of video on the same machine."""

    options: dict[str, Any]
    settings: dict[str, Any]  # of the encoder, with its thread number
    model: str  # SHA-256 of the weights
    backend: str  # with device and precision
    memory: str  # where frames are merged: "host" or "card"
    rules: dict[str, Any]
    versions: dict[str, Any]  # of this package, and of FFmpeg's libraries

    @classmethod
    def of(cls, options: ColorizeOptions, settings: VideoSettings, backend: Backend, memory: str, rules: Rules,
           model: str) -> Recipe:  # fmt: skip
        kept = values_of(options, OF_THE_RUN)
        return cls(kept, plain(asdict(settings)), model, backend.description, memory, asdict(rules), versions())

    @property
    def digest(self) -> str:
        """SHA-256 of the recipe as canonical JSON."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Recipe:
        """Raises TypeError where it is something else."""
        return stored.made(cls, values)

    def difference(self, other: Recipe) -> str:
        """The first thing in which `other` differs, in words; empty where it does not."""
        for name, own in asdict(self).items():
            theirs = getattr(other, name)
            if own == theirs:
                continue
            if isinstance(own, dict):
                key = next(k for k in {**own, **theirs} if own.get(k) != theirs.get(k))
                return f"{key} was {own.get(key)!r} and is {theirs.get(key)!r}"
            return f"{name} was {own!r} and is {theirs!r}"
        return ""


def wish_of(options: ColorizeOptions, backend: Backend, model: str, rules: Rules) -> str:
    """A digest of what is asked of a source, known before it is opened: two equal ones ask for the same files."""
    asked = [values_of(options, OF_THE_COMMAND), model, backend.description, asdict(rules), versions()]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def values_of(options: ColorizeOptions, but: tuple[str, ...]) -> dict[str, Any]:
    """The options as JSON has them, without those of the names `but`; a cut list and references by their content."""
    kept = {k: v for k, v in asdict(options).items() if k not in but}
    if options.shots is not None:
        kept["shots"] = hashlib.sha256(Path(options.shots).read_bytes()).hexdigest()
    files = gather(options.references)
    kept["references"] = [[file.name, hashlib.sha256(file.read_bytes()).hexdigest()] for file in files]
    return plain(kept)


def plain(values: dict[str, Any]) -> dict[str, Any]:
    """`values` as JSON gives them back."""

    def one(value: object) -> object:
        return str(value) if isinstance(value, Fraction | os.PathLike) else value

    given_back: dict[str, Any] = json.loads(json.dumps(values, default=one))
    return given_back
