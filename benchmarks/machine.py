"""Where, from what and by which command a result was made."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("av", "numpy", "opencv-python-headless", "openvino", "onnxruntime", "torch")


def facts() -> dict:
    """Machine, commit and command of this run."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M"),
        "machine": f"{cpu_model()}, {os.cpu_count()} cores, {platform.system()}",
        "commit": commit(),
        "command": f"python -m {program()} " + " ".join(Path(a).name if "/" in a else a for a in sys.argv[1:]),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def program() -> str:
    """The package that was run: benchmarks or engines."""
    return Path(sys.argv[0]).parent.name or "benchmarks"


def cpu_model() -> str:
    """The processor's name and the number formats it computes networks in."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    flags = next((line for line in lines if line.startswith("flags")), "")
    return name + "".join(f", {flag}" for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if f" {flag}" in flags)


def commit() -> str:
    """The short hash, with a plus where the tree has changes."""

    def git(*args: str) -> str:
        return subprocess.run(["git", *args], capture_output=True, text=True, check=False).stdout.strip()

    dirty = git("status", "--porcelain", "--", "vidcolor", "engines/*.py", "benchmarks/*.py")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + ("+" if dirty else "")


def save(name: str, result: dict, folder: Path = RESULTS) -> Path:
    """Write NAME.json into `folder`, with the facts of this run."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"facts": facts(), **result}, indent=1) + "\n")
    return path
