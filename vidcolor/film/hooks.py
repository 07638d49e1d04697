"""Who looks on while a film is coloured."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vidcolor.film.writer import Watch
from vidcolor.frames.summary import Progress


@dataclass(frozen=True)
class Hooks:
    """Who looks on: `progress` in the calling thread, `watch` in the writer's, with every coloured frame before it is
    encoded, which it must not change or keep; `cancel` stops the work when it is set; `made` is called with the target
    when that is whole, before it gets its name."""

    progress: Progress | None = None
    cancel: threading.Event | None = None
    watch: Watch | None = None
    made: Callable[[Path], None] | None = None
