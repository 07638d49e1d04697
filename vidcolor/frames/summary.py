"""What became of one file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

THREADS = {  # the stages of each of the pipeline's threads
    "reader": ("decode", "resize"),
    "main": ("network", "smoothing"),
    "writer": ("merge", "encode", "mux"),
}


@dataclass
class Summary:
    """Figures of a finished or running job; `busy` is the seconds each stage worked, waiting not counted."""

    source: str
    target: str
    frames: int = 0
    resumed: int = 0  # frames of these that an earlier run had done
    shots: int = 0
    predicted: int = 0  # frames that the network saw
    damaged: int = 0  # frames or packets that could not be decoded cleanly
    dropped: int = 0  # frames of a live source for which there was no time
    reconnected: int = 0  # how often a live source or target came back
    earlier: bool = False  # an earlier run had made it, and nothing was left to do
    seconds: float = 0.0
    backend: str = ""
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # with a card in use: which steps ran elsewhere, and why
    busy: dict[str, float] = field(default_factory=dict)

    @property
    def fps(self) -> float:
        """Frames a second, from start to end, without those of an earlier run."""
        return (self.frames - self.resumed) / self.seconds if self.seconds else 0.0

    @property
    def bottleneck(self) -> str:
        """The longest stage of the busiest thread; empty before there is any."""
        loads = {name: sum(self.busy.get(s, 0.0) for s in stages) for name, stages in THREADS.items()}
        slowest = max(loads, key=lambda name: loads[name])
        return max(THREADS[slowest], key=lambda s: self.busy.get(s, 0.0)) if loads[slowest] else ""


Progress = Callable[[Summary, int], None]  # called now and then with the frames expected (0: unknown)
