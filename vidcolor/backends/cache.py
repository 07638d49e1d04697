"""Engines that were built on this machine, kept for the next start in the user's cache folder.

An engine belongs to the facts it was made from: model, shapes, precision, versions, GPU. They name its file, and stand
in a JSON sidecar with the engine's own digest, so one that was made from other facts, or is damaged, is never loaded.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_path

from vidcolor import stored
from vidcolor.atomic import AtomicFile, partial_name, write_whole

log = logging.getLogger(__name__)

VARIABLE = "VIDCOLOR_CACHE"  # names another folder
SIDECAR = ".json"
KIND = ".engine"


@dataclass(frozen=True)
class Entry:
    """A built engine."""

    path: Path
    facts: dict[str, str]
    bytes: int


class EngineCache:
    """The engines in `folder`; by default the user's own."""

    def __init__(self, folder: Path | None = None) -> None:
        default = os.environ.get(VARIABLE) or user_cache_path("vidcolor", appauthor=False) / "engines"
        self.folder = Path(folder or default)

    def path(self, facts: Mapping[str, str]) -> Path:
        """Where the engine made from `facts` lies, or would."""
        text = json.dumps(dict(facts), sort_keys=True).encode()
        return self.folder / f"{facts['engine']}-{hashlib.sha256(text).hexdigest()[:16]}{KIND}"

    def fault(self, facts: Mapping[str, str]) -> str | None:
        """Why there is no usable engine for `facts`, or None where there is one."""
        path = self.path(facts)
        try:
            told = stored.parse(sidecar(path).read_text())
            found = digest(path)
        except FileNotFoundError:
            return "there is none yet"
        except (OSError, ValueError) as error:
            return f"the one there cannot be read ({error})"
        if not isinstance(told, dict) or told.get("facts") != dict(facts):
            return "the one there was made from something else"
        return None if told.get("sha256") == found else "the one there is damaged"

    def get(self, facts: Mapping[str, str], build: Callable[[Path], None]) -> Path:
        """The engine for `facts`, built by `build` (which writes it to the path it is given) where there is none.

        Of several processes that want the same one, one builds and the others wait for it.
        """
        path = self.path(facts)
        if self.fault(facts) is None:
            return path
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            why = self.fault(facts)  # another process may have built it meanwhile
            if why is not None:
                log.info("building an engine, once for this machine: %s", why)
                began = time.perf_counter()
                store(path, facts, build)
                log.info("the engine is built: %.1f s, %s", time.perf_counter() - began, path)
        return path

    def entries(self) -> list[Entry]:
        """Every engine with a sidecar that can be read, by name."""
        found = []
        for path in sorted(self.folder.glob(f"*{KIND}")):
            try:
                facts = stored.parse(sidecar(path).read_text())["facts"]
                found.append(Entry(path, dict(facts), path.stat().st_size))
            except (OSError, ValueError, KeyError, TypeError):
                found.append(Entry(path, {}, path.stat().st_size))
        return found

    def clear(self) -> int:
        """Remove every engine, what an interrupted build left and providers' folders; gives the number of engines."""
        count = 0
        for folder in self.folder.glob("*-runtime"):
            shutil.rmtree(folder, ignore_errors=True)
        for path in [*self.folder.glob(f"*{KIND}*"), *self.folder.glob(partial_name("*"))]:
            count += path.suffix == KIND
            path.unlink(missing_ok=True)
        return count


def store(path: Path, facts: Mapping[str, str], build: Callable[[Path], None]) -> None:
    """Let `build` write an engine, and put it at `path` with its sidecar, each whole or not at all."""
    file = AtomicFile(path, overwrite=True, token=path.stem[-8:])
    try:
        build(file.partial)
        text = json.dumps({"facts": dict(facts), "sha256": digest(file.partial)}, indent=1)
        write_whole(sidecar(path), f"{text}\n".encode(), overwrite=True)
        file.commit()
    finally:
        file.discard()


def sidecar(path: Path) -> Path:
    return path.with_name(path.name + SIDECAR)


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
