"""What a result says of its making: a credit in its metadata, and on wish a sidecar beside it.

The sidecar is JSON; docs/sidecar.schema.json describes it. Its words are those of archives where they have one (PREMIS
3: original name, fixity, creating application). It holds no date of the run: the same film gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from vidcolor import __version__
from vidcolor.errors import InputError
from vidcolor.models.files import ModelIdentity

FORMAT = "vidcolor sidecar 1"
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


def versions() -> dict[str, Any]:
    """Of this package, of PyAV and of FFmpeg's libraries."""
    import av

    libraries = {name: ".".join(map(str, version)) for name, version in sorted(av.library_versions.items())}
    return {"vidcolor": __version__, "av": av.__version__, **libraries}


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


def sidecar(
    source: str, file: Path, target: Path, model: ModelIdentity, recipe: Mapping[str, Any], facts: Mapping[str, Any]
) -> bytes:
    """A sidecar's bytes: of the `file` that will be called `target`, with the `facts` that it alone has.

    Raises:
        InputError: a file cannot be read.
    """
    digest = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()
    told = {
        "format": FORMAT,
        "creating_application": {"name": "vidcolor", "version": __version__},
        "model": {"name": model.name, "sha256": model.sha256},
        "source": source_facts(source),
        "target": file_facts(file, target.name),
        "recipe": {**recipe, "sha256": digest},
        **facts,
    }
    return json.dumps(told, indent=2).encode() + b"\n"


def luma_facts(source: str, target: str, psnr: float) -> dict[str, Any]:
    """SHA-256 of the luma of source and target, and how near they are; a PSNR (dB) is infinite where they are equal."""
    equal = math.isinf(psnr)
    fixity = {"source": {"sha256": source}, "target": {"sha256": target}}
    return {**fixity, "equal": equal, "psnr": None if equal else round(psnr, 2)}
