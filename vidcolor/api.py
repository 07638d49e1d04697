"""The library's face: `colorize` for files, `Colorizer` for pictures and frames in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from vidcolor.atomic import is_special
from vidcolor.backends import make_backend
from vidcolor.errors import OptionError
from vidcolor.film.hooks import Hooks
from vidcolor.film.recipe import SourceFacts, wish_of
from vidcolor.film.record import Record, Records
from vidcolor.film.rules import Rules
from vidcolor.film.run import colorize_film
from vidcolor.film.work import folder_of, tidy
from vidcolor.frames.colorizer import FrameColorizer
from vidcolor.frames.network import Network
from vidcolor.frames.summary import Progress, Summary
from vidcolor.models.files import open_model
from vidcolor.options import ColorizeOptions, ColorOptions
from vidcolor.stills.frames import ArrayFrame, ArrayFrames
from vidcolor.stills.image import colorize_still, is_still
from vidcolor.stills.web import fetch
from vidcolor.video.target import is_address

__all__ = ["Colorizer", "Summary", "colorize"]


def colorize(
    source: str | Path, target: str | Path, options: ColorizeOptions | None = None, *, progress: Progress | None = None
) -> Summary:
    """Colour one film or still into `target`, whose ending chooses the format.

    Raises:
        vidcolor.errors.VidcolorError: one line with file, fault and remedy; `target` is not touched then.
    """
    with Colorizer(options) as colorizer:
        return colorizer.file(source, target, progress=progress)


class Colorizer:
    """A loaded model; use it for many files or pictures, and `close` it (or use `with`).

    `options` chooses backend and model, and holds for every call that does not bring its own.

    Raises:
        BackendError: the wanted backend is missing or cannot run here.
        ModelError: the model file cannot be used.
    """

    def __init__(self, options: ColorizeOptions | None = None) -> None:
        self.options = options or ColorizeOptions()
        self.model = open_model(self.options.model)
        self.backend, self.why = make_backend(self.options.backend, self.model)
        self.records: dict[Path, Records] = {}  # by the folder of their targets

    def __enter__(self) -> Colorizer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the model; nothing can be coloured any more."""
        self.backend.close()

    def file(
        self,
        source: str | Path,
        target: str | Path,
        options: ColorizeOptions | None = None,
        *,
        progress: Progress | None = None,
        cancel: threading.Event | None = None,
        recorded: bool = False,
    ) -> Summary:
        """Colour one film or still; a film can be stopped from another thread by `cancel`.

        With `recorded` it is one of a batch: a hidden file in the target's folder says of which sources and how targets
        were made, and one that was made of this source in this way is passed over.
        """
        options, target = options or self.options, Path(target)
        made = None
        if recorded and (record := self.record(source, target, options)):
            if record.stands:
                tidy(folder_of(target, options.work), target)
                return Summary(str(source), str(target), backend=self.backend.name, earlier=True)
            made = record.write
        if is_still(source, target):
            if options.shots or options.save_shots:
                raise OptionError(f"{source}: is a still and has no shots; leave shots and save_shots out")
            if options.references or options.references_by is not None:
                raise OptionError(f"{source}: is a still, and references are for films; leave them out")
            still = fetch(str(source)) if is_address(str(source)) else Path(source)
            return colorize_still(still, target, self.backend, options, model=self.model.identity, made=made)
        hooks = Hooks(progress, cancel, made=made)
        return colorize_film(source, target, self.backend, options, hooks=hooks, model=self.model.identity)

    def record(self, source: str | Path, target: Path, options: ColorizeOptions) -> Record | None:
        """The record of a job; None where its source is no file that can be read, or its target is none."""
        try:
            wish = wish_of(options, self.backend, self.model.identity.sha256, Rules())
            facts = SourceFacts.of(str(source))
        except OSError:
            return None
        if facts.size < 0 or is_special(target):
            return None
        records = self.records.setdefault(target.parent, Records(target.parent))
        return Record(records, target, facts, wish, again=options.restart)

    def image(self, picture: np.ndarray, options: ColorOptions | None = None) -> np.ndarray:
        """A picture ``(h, w)`` or ``(h, w, 3)`` in sRGB, uint8, uint16 or float in 0..1, to RGB ``(h, w, 3)``.

        The type stays, and so does the luma of every pixel, up to rounding.

        Raises:
            ValueError: the array has another shape or type.
        """
        (done,) = self.frames([picture], options)  # the first frame of a shot is as predicted
        return done

    def frames(
        self, pictures: Iterable[np.ndarray], options: ColorOptions | None = None, *, smoothing: float | None = None
    ) -> Iterator[np.ndarray]:
        """Consecutive frames of one size, as `image` takes and gives them, steadied in time.

        `smoothing` overrides that of the options. One frame comes out for each that goes in, without delay.
        """
        options = options or self.options
        if smoothing is not None:
            options = replace(options, smoothing=smoothing)
        memory = ArrayFrames(options.size)
        colorizer = FrameColorizer(memory, lambda n, x: Network(self.backend, memory.size)(n, x), options, live=True)
        for number, picture in enumerate(pictures):
            for item in colorizer.push(colorizer.prepare(number, ArrayFrame(picture))):
                yield from colorizer.merge(item)
