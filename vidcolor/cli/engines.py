"""What `vidcolor engines` does: list, build and clear the engines that are kept for the next start."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from vidcolor.backends import make_backend, missing
from vidcolor.backends.cache import EngineCache
from vidcolor.models.files import open_model

BUILDING = ("tensorrt", "rtx")  # backends that build an engine when they first start


def build(names: list[str], model: Path | None) -> list[str]:
    """Start each backend once, which builds its engine; without names all that are installed. Gives what was started.

    Raises:
        BackendError: one cannot be built here, or none is installed.
    """
    wanted = names or [n for n in BUILDING if not missing(n)] or list(BUILDING[:1])
    done = []
    for name in wanted:
        backend, _ = make_backend(name, open_model(model))
        done.append(backend.description)
        backend.close()
    return done


def listed() -> dict:
    """The cache's folder and its engines, as plain values."""
    cache = EngineCache()
    entries = [{"file": str(e.path), "megabytes": round(e.bytes / 1e6, 1), **e.facts} for e in cache.entries()]
    return {"folder": str(cache.folder), "engines": entries}


def show(facts: dict) -> None:
    """The same as a table for people."""
    console = Console(soft_wrap=True)
    if not facts["engines"]:
        console.print(f"no engines in {facts['folder']}", highlight=False)
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    columns = ("engine", "card", "precision", "shapes", "model", "megabytes", "file")
    for column in columns:
        table.add_column(column)
    for entry in facts["engines"]:
        short = {"model": str(entry.get("model", ""))[:12], "file": Path(entry["file"]).name}
        table.add_row(*(str(short.get(c, entry.get(c, ""))) for c in columns))
    console.print(table)
    console.print(f"in {facts['folder']}", highlight=False)
