"""What a result says of its making: a credit in its metadata, and on wish a sidecar beside it.

The sidecar is JSON; docs/sidecar.schema.json describes it. Its words are those of archives where they have one (PREMIS
3: original name, fixity, creating application). It holds no date of the run: the same film gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from vidcolor import __version__
from vidcolor.atomic import is_special, write_whole
from vidcolor.errors import InputError, OptionError
from vidcolor.models.files import ModelIdentity
from vidcolor.video.target import check_target

FORMAT = "vidcolor sidecar 1"
SIDECAR = ".json"  # behind the target's whole name
HEAD = 256  # bytes in which a file says what it is
CHUNK = 1 << 20
COMMENT = "comment"  # the key for it in every container that has tags
BETWEEN = "; "  # what was there, and what is added


def credit(model: ModelIdentity) -> str:
    """What a result says of its making in its own metadata."""
    return f"coloured by vidcolor {__version__}" + (f", model {model.name}" if model.name else "")


def with_credit(text: str, credit: str) -> str:
    """`text`, which stays, with the credit behind it; as it is where that is there already."""
    return text if credit in text else f"{text}{BETWEEN}{credit}" if text else credit


def credited(tags: Mapping[str, str] | None, credit: str) -> dict[str, str]:
    """A film's metadata with the credit in its comment, behind what stands there."""
    kept = dict(tags or {})
    key = next((k for k in kept if k.lower() == COMMENT), COMMENT)
    kept[key] = with_credit(kept.get(key, ""), credit)
    return kept


def sidecar_of(target: Path) -> Path:
    """Where the sidecar of `target` lies."""
    return target.with_name(target.name + SIDECAR)


def application() -> dict[str, Any]:
    """This program."""
    return {"name": "vidcolor", "version": __version__}


def libraries() -> dict[str, str]:
    """Versions of PyAV and FFmpeg's libraries."""
    import av

    found = {name: ".".join(map(str, version)) for name, version in sorted(av.library_versions.items())}
    return {"av": av.__version__, **found}


def file_facts(path: Path, name: str = "") -> dict[str, Any]:
    """Name, size and SHA-256 of a file.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return {"name": name or path.name, "size": path.stat().st_size, "fixity": {"sha256": sha256_of(path)}}
    except OSError as error:
        raise InputError(f"{path}: cannot be read, {(error.strerror or str(error)).lower()}; check the disk") from error


def source_facts(source: str) -> dict[str, Any]:
    """The same of a source, and when it was changed last; of what is no file, its name alone."""
    path = Path(source)
    if not path.is_file():
        return {"original_name": Path(urlsplit(source).path).name}  # an address may hold secrets
    facts = file_facts(path)
    changed = datetime.fromtimestamp(path.stat().st_mtime_ns // 10**9, UTC)
    return {"original_name": facts.pop("name"), "modified": f"{changed:%Y-%m-%dT%H:%M:%SZ}", **facts}


def sha256_of(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sidecar(facts: Mapping[str, Any]) -> bytes:
    """A sidecar's bytes."""
    return json.dumps({"format": FORMAT, **facts}, indent=2, ensure_ascii=False).encode() + b"\n"


class Companions:
    """Files that appear beside a target, and before it: where it is, they are.

    `put` them while the target still has its temporary name. Leaving the `with` block by an error removes those that
    were not there before. A companion without its target is what a crash has left, and may be replaced.

    Args:
        target: the file that they belong to.
        wanted: their paths, each with the bytes that a file of its kind has near its beginning.

    Raises:
        OptionError: the target is a pipe or device, which nothing lies beside.
        OutputError: one exists, and must not be replaced.
    """

    def __init__(self, target: Path, wanted: Iterable[tuple[Path, bytes]], *, overwrite: bool) -> None:
        self.overwrite: dict[Path, bool] = {}
        self.made: list[Path] = []
        for path, kind in wanted:
            if is_special(target):
                raise OptionError(f"{target}: is a pipe, and nothing lies beside one; leave sidecar and framemd5 out")
            if path == target or path in self.overwrite:
                raise OptionError(f"{path}: is named for two things; give another name")
            alone = not os.path.lexists(target) and begins_with(path, kind)
            self.overwrite[path] = overwrite or alone
            check_target(path, overwrite=self.overwrite[path])

    def put(self, path: Path, data: bytes) -> None:
        """Write one of them, whole and synced."""
        existed = os.path.lexists(path)
        write_whole(path, data, overwrite=self.overwrite[path])
        if not existed:
            self.made.append(path)

    def __enter__(self) -> Companions:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if kind is not None:
            for path in self.made:
                path.unlink(missing_ok=True)


def begins_with(path: Path, kind: bytes) -> bool:
    """Whether `kind` stands near the beginning of a file."""
    try:
        with open(path, "rb") as file:
            return kind in file.read(HEAD)
    except OSError:
        return False
