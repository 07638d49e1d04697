"""A run's folder: one user at a time; options, statistics, samples, plots, checkpoints written whole or not at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout
from PIL import Image

from vidcolor.atomic import AtomicFile
from vidcolor.errors import OutputError

SPARE = 2.2  # checkpoints that must fit on the disk before the run starts: the old one and the new


class RunFolder:
    """The folder `path`, locked until it is closed.

    Raises:
        ValueError: another process has it, or it holds a run of another configuration.
        OSError: it cannot be written to.
    """

    def __init__(self, path: Path, options: dict[str, Any]) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._board: Any = None
        self._lock = FileLock(path / "lock", timeout=0)
        try:
            self._lock.acquire()
        except Timeout:
            raise ValueError(
                f"{path}: another process trains into this folder; wait for it or choose another"
            ) from None
        try:
            self._check_options(options)
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *_: object) -> None:
        if self._board is not None:
            self._board.close()
        self._lock.release()

    def _check_options(self, options: dict[str, Any]) -> None:
        options = json.loads(json.dumps(options))  # tuples become lists
        file = self.path / "options.json"
        if file.exists() and self.checkpoint.exists():
            there = json.loads(file.read_text())
            if changed := _differences(there, options):
                told = ", ".join(f"{k} {a!r} there, {b!r} asked for" for k, (a, b) in sorted(changed.items())[:4])
                raise ValueError(f"{self.path}: holds a run of another configuration ({told}); choose another folder")
        file.write_text(json.dumps(options, indent=2) + "\n")

    @property
    def checkpoint(self) -> Path:
        return self.path / "last.pt"

    def check_space(self, needed: int) -> None:
        """Raise ValueError when checkpoints of `needed` bytes cannot be written here, before any work is done."""
        free = shutil.disk_usage(self.path).free
        if free < SPARE * needed:
            raise ValueError(
                f"{self.path}: {free / 1e6:.0f} MB are free and checkpoints need {SPARE * needed / 1e6:.0f} MB; "
                "free some space or choose another folder"
            )

    def save(self, state: dict[str, Any]) -> None:
        save_checkpoint(self.checkpoint, state)

    def load(self) -> dict[str, Any] | None:
        return load_checkpoint(self.checkpoint)

    def forget_after(self, step: int) -> None:
        """Drop statistics later than `step`: the run goes on from there and writes them again."""
        file = self.path / "stats.jsonl"
        if file.exists():
            rows = [line for line in file.read_text().splitlines() if json.loads(line)["step"] <= step]
            file.write_text("".join(row + "\n" for row in rows))

    def log(self, row: dict[str, float]) -> None:
        """A line of stats.jsonl, and its numbers for TensorBoard."""
        with open(self.path / "stats.jsonl", "a") as file:
            file.write(json.dumps(row) + "\n")
        for name, value in row.items():
            if name != "step":
                self.board.add_scalar(name, value, row["step"])

    def sample(self, step: int, sheet: np.ndarray) -> None:
        """A sheet of samples, uint8 RGB ``(h, w, 3)``, as samples/STEP.jpg and for TensorBoard."""
        (self.path / "samples").mkdir(exist_ok=True)
        Image.fromarray(sheet).save(self.path / "samples" / f"{step:06}.jpg", quality=88)
        self.board.add_image("samples", sheet, step, dataformats="HWC")

    @property
    def board(self):
        """TensorBoard's writer, made when first needed."""
        if self._board is None:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(self.path / "tensorboard"))
        return self._board

    def plot(self) -> None:
        """Every curve of stats.jsonl into plots.png."""
        file = self.path / "stats.jsonl"
        if file.exists():
            plot_curves([json.loads(line) for line in file.read_text().splitlines()], self.path / "plots.png")


def _differences(a: dict, b: dict, prefix: str = "") -> dict[str, tuple[Any, Any]]:
    found: dict[str, tuple[Any, Any]] = {}
    for key in {*a, *b}:
        x, y = a.get(key), b.get(key)
        if isinstance(x, dict) and isinstance(y, dict):
            found |= _differences(x, y, f"{prefix}{key}.")
        elif x != y:
            found[prefix + key] = x, y
    return found


def plot_curves(rows: list[dict[str, float]], out: Path) -> None:
    """One small plot for each number in `rows`, over steps."""
    from matplotlib.figure import Figure

    names = [n for n in dict.fromkeys(n for row in rows for n in row) if n not in ("step", "seconds")]
    columns = 4
    lines = max(1, -(-len(names) // columns))
    figure = Figure(figsize=(4 * columns, 2.6 * lines), layout="constrained")
    for i, name in enumerate(names):
        axes = figure.add_subplot(lines, columns, i + 1)
        points = [(row["step"], row[name]) for row in rows if row.get(name) is not None]
        axes.plot(*zip(*points, strict=True), marker="." if len(points) < 60 else "", linewidth=1)
        axes.set_title(name, fontsize=9)
        axes.tick_params(labelsize=7)
        axes.grid(alpha=0.3)
    with AtomicFile(out, overwrite=True) as partial:
        figure.savefig(partial, format="png", dpi=70)


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write `state` (tensors, numbers, strings and containers of them) to `path` in one step.

    Raises:
        OutputError: the disk is full or cannot be written to; what stood at `path` still does.
    """
    with AtomicFile(path, overwrite=True) as partial:
        try:
            torch.save(state, partial)
        except RuntimeError as error:  # how torch tells of a full disk
            raise OutputError(
                f"{path}: cannot be written ({error}); free some room, the last good checkpoint is untouched"
            ) from error


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """The checkpoint at `path`, or None where there is none yet; tensors and plain values only, no code is run.

    Raises:
        ValueError: it is not a checkpoint of ours.
    """
    if not path.exists():
        return None
    try:
        return torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # torch raises RuntimeError, UnpicklingError, EOFError ... for what is no checkpoint
        raise ValueError(f"{path}: not a checkpoint of this trainer ({str(error).splitlines()[0]})") from error
