"""`vidcolor engines`: list, build and clear the engines that are kept for the next start."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from vidcolor.backends import make_backend, missing
from vidcolor.backends.cache import EngineCache
from vidcolor.cli.faults import DONE, told
from vidcolor.cli.groups import COLOR, add_fields
from vidcolor.cli.terminal import Terminal
from vidcolor.errors import OutputError
from vidcolor.models.files import open_model
from vidcolor.options import ColorOptions

BUILDING = ("tensorrt", "rtx")  # backends that build an engine when they first start


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vidcolor engines", description="Engines that are kept for the next start.")
    parser.add_argument("action", nargs="?", choices=("list", "build", "clear"), default="list")
    parser.add_argument("--backend", choices=BUILDING, help="to build for (default: all that are installed)")
    parser.add_argument("--json", action="store_true", help="the list as JSON")
    add_fields(parser, ColorOptions, COLOR, ("model",))
    return parser


def run(argv: Sequence[str]) -> int:
    """Do what is asked with the cache of engines and give the exit status."""
    parsed = make_parser().parse_args(list(argv))
    terminal = Terminal(quiet=False, as_json=parsed.json)
    return told(terminal, lambda: act(parsed, terminal))


def act(parsed: argparse.Namespace, terminal: Terminal) -> int:
    """List, build or clear.

    Raises:
        BackendError: an engine cannot be built here.
        OutputError: the cache cannot be read or changed.
    """
    cache = EngineCache()
    try:
        if parsed.action == "build":
            for description in build([parsed.backend] if parsed.backend else [], parsed.model):
                terminal.note(f"ready: {description}")
        elif parsed.action == "clear":
            terminal.note(f"{cache.clear()} engines removed from {cache.folder}")
        elif parsed.json:
            terminal.out(json.dumps(listed(), indent=2))
        else:
            show(listed(), terminal)
    except OSError as error:
        if isinstance(error, OutputError | BrokenPipeError):
            raise
        raise OutputError(f"{cache.folder}: {error.strerror}; check its permissions") from error
    return DONE


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


def listed() -> dict[str, Any]:
    """The cache's folder and its engines, as plain values."""
    cache = EngineCache()
    entries = [{"file": str(e.path), "megabytes": round(e.bytes / 1e6, 1), **e.facts} for e in cache.entries()]
    return {"folder": str(cache.folder), "engines": entries}


def show(facts: Mapping[str, Any], terminal: Terminal) -> None:
    """The same as a table for people."""
    if not facts["engines"]:
        terminal.out(f"no engines in {facts['folder']}")
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    columns = ("engine", "card", "precision", "shapes", "model", "megabytes", "file")
    for column in columns:
        table.add_column(column)
    for entry in facts["engines"]:
        short = {"model": str(entry.get("model", ""))[:12], "file": Path(entry["file"]).name}
        table.add_row(*(str(short.get(c, entry.get(c, ""))) for c in columns))
    terminal.out(table)
    terminal.out(f"in {facts['folder']}")
