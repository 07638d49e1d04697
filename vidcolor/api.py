"""The library's face: `colorize` for files, `Colorizer` for pictures and frames in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from vidcolor.backends import make_backend
from vidcolor.color.proxy import ProxySize, crop_grid, network_input
from vidcolor.errors import OptionError
from vidcolor.film.pipeline import colorize_film
from vidcolor.frames.summary import Progress, Summary
from vidcolor.models.files import open_model
from vidcolor.options import ColorizeOptions
from vidcolor.stills.image import color_picture, colorize_still, is_still, picture_preview
from vidcolor.temporal.stabilizer import Stabilizer


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
    """A loaded model with its options; use it for many files or pictures, and `close` it (or use `with`).

    Raises:
        BackendError: the wanted backend is missing or cannot run here.
        ModelError: the model file cannot be used.
    """

    def __init__(self, options: ColorizeOptions | None = None) -> None:
        self.options = options or ColorizeOptions()
        self.model = open_model(self.options.model)
        self.backend, self.why = make_backend(self.options.backend, self.model)

    def __enter__(self) -> Colorizer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.backend.close()

    def file(
        self,
        source: str | Path,
        target: str | Path,
        *,
        progress: Progress | None = None,
        cancel: threading.Event | None = None,
    ) -> Summary:
        """Colour one film or still; a film can be stopped from another thread by `cancel`."""
        if is_still(source):
            if self.options.shots or self.options.save_shots:
                raise OptionError(f"{source}: is a still and has no shots; leave shots and save_shots out")
            return colorize_still(Path(source), Path(target), self.backend, self.options)
        return colorize_film(source, Path(target), self.backend, self.options, progress=progress, cancel=cancel)

    def image(self, picture: np.ndarray) -> np.ndarray:
        """A picture ``(h, w)`` or ``(h, w, 3)`` in sRGB, uint8, uint16 or float in 0..1, to RGB ``(h, w, 3)``.

        The type stays, and so does the luma of every pixel, up to rounding.

        Raises:
            ValueError: the array has another shape or type.
        """
        return next(self._frames([picture], replace(self.options, smoother="none", every=None, batch=1)))

    def frames(self, pictures: Iterable[np.ndarray], *, smoothing: float | None = None) -> Iterator[np.ndarray]:
        """Consecutive frames of one size, as `image` takes and gives them, steadied in time.

        `smoothing` overrides that of the options. One frame comes out for each that goes in, without delay.
        """
        options = self.options if smoothing is None else replace(self.options, smoothing=smoothing)
        yield from self._frames(pictures, replace(options, batch=1))  # so that no frame waits for others

    def _frames(self, pictures: Iterable[np.ndarray], options: ColorizeOptions) -> Iterator[np.ndarray]:
        size: ProxySize | None = None

        def predict(lightness: list[np.ndarray]) -> np.ndarray:
            assert size is not None
            return crop_grid(self.backend.predict(network_input(lightness, size)), size, self.backend.stride)

        stabilizer = Stabilizer(predict, options, live=True)
        for picture in pictures:
            signal, small = picture_preview(picture, self.options.size)
            size = ProxySize(small.lightness.shape[1], small.lightness.shape[0])
            (colour,) = stabilizer.push(small)
            yield color_picture(signal, small, colour.ab * np.float32(self.options.strength), picture.dtype)
