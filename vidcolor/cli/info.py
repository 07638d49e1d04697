"""`vidcolor info`: what is installed, what would be chosen, and the model's card."""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.table import Table

from vidcolor import __version__
from vidcolor.backends import BACKENDS, candidates, missing
from vidcolor.cli.faults import DONE, told
from vidcolor.cli.groups import COLOR, add_fields
from vidcolor.cli.terminal import Terminal
from vidcolor.models.files import open_model
from vidcolor.options import ColorOptions

PACKAGES = ("av", "numpy", "opencv-python-headless", "pillow", "openvino", "onnxruntime", "torch",
            "torch-tensorrt", "onnxruntime-ep-nv-tensorrt-rtx-cu13", "rich")  # fmt: skip


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vidcolor info", description="Versions, backends and the model.")
    parser.add_argument("--json", action="store_true", help="as JSON")
    add_fields(parser, ColorOptions, COLOR, ("model",))
    return parser


def run(argv: Sequence[str]) -> int:
    """Print it all and give the exit status."""
    parsed = make_parser().parse_args(list(argv))
    terminal = Terminal(quiet=False, as_json=parsed.json)
    return told(terminal, lambda: tell(parsed, terminal))


def tell(parsed: argparse.Namespace, terminal: Terminal) -> int:
    """Print the facts, as JSON or as a table."""
    facts = gather(parsed.model)
    terminal.out(json.dumps(facts, indent=2) if parsed.json else table_of(facts))
    return DONE


def gather(model: Path | None) -> dict[str, Any]:
    """All facts as plain values."""
    file = open_model(model)
    hidden = ("config", "centres", "log_prior", "colours", "offset", "metrics")
    chosen, why = next(candidates(), ("none", "no backend is installed: pip install openvino"))
    return {
        "vidcolor": __version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "packages": {name: installed(name) for name in PACKAGES},
        "backends": {name: "missing: pip install " + " ".join(missing(name)) if missing(name) else "ready"
                     for name in BACKENDS},
        "auto": {"backend": chosen, "why": why},
        "model": {
            "file": str(file.path),
            "megabytes": round(file.path.stat().st_size / 1e6, 1),
            **{k: v for k, v in file.metadata.items() if k not in hidden},
            "config": file.config,
            "metrics": json.loads(file.metadata.get("metrics", "{}")),
        },
    }  # fmt: skip


def installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def table_of(facts: Mapping[str, Any]) -> Table:
    """The facts as a table for people."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_row("vidcolor", f"{facts['vidcolor']}, Python {facts['python']}, {facts['machine']}")
    table.add_row("packages", ", ".join(f"{k} {v or '-'}" for k, v in facts["packages"].items()))
    for name, state in facts["backends"].items():
        table.add_row(f"backend {name}", state)
    table.add_row("auto", f"{facts['auto']['backend']}: {facts['auto']['why']}")
    model = dict(facts["model"])
    config, metrics = model.pop("config"), model.pop("metrics")
    for key, value in model.items():
        table.add_row(f"model {key}", str(value))
    decoding = ("temperature", "prior_correction", "saturation")
    table.add_row("model decoding", ", ".join(f"{k} {config[k]:g}" for k in decoding))
    for name, value in metrics.items():
        table.add_row(f"model {name}", str(value))
    return table
