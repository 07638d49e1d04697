"""Stills: files through the same colour maths as films, each page in its own depth."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
import PIL

from vidcolor.atomic import AtomicFile
from vidcolor.backends import Backend
from vidcolor.color.proxy import ProxySize, crop_grid, make_proxy, network_input
from vidcolor.companions import Companions
from vidcolor.errors import OutputError
from vidcolor.frames.summary import Summary
from vidcolor.models.files import ModelIdentity
from vidcolor.options import ColorizeOptions, ColorOptions
from vidcolor.pictures.profiles import srgb
from vidcolor.pictures.source import name_of
from vidcolor.provenance import credit, sidecar, versions
from vidcolor.stills.arrays import ENCODING, narrow, picture_preview
from vidcolor.stills.color import color_picture
from vidcolor.stills.content import is_still
from vidcolor.stills.encode import write_picture
from vidcolor.stills.formats import ALPHA, DEEP, LONGEST, PAGES, WRITES
from vidcolor.stills.metadata import Metadata
from vidcolor.stills.read import Page, Still, read_still
from vidcolor.stills.tiff_file import TiffWriter
from vidcolor.stills.verify import verify
from vidcolor.video.target import check_target

__all__ = ["color_picture", "colorize_still", "is_still", "picture_preview"]


def colorize_still(
    source: Path | BinaryIO, target: Path, backend: Backend, options: ColorizeOptions, *,
    model: ModelIdentity | None = None, made: Callable[[Path], None] | None = None,
) -> Summary:  # fmt: skip
    """Colour one still: a file, a pipe, or a stream that is read to its end; ``Path("-")`` is standard input.

    All pages of a TIFF go into a TIFF. What the target cannot hold is named in the summary's warnings. `model` is the
    network's; `made` is called with the target when that is whole, before it gets its name.

    Raises:
        InputError: the source cannot be read.
        OutputError: the target cannot be written.
    """
    began, model = time.perf_counter(), model or ModelIdentity()
    format = format_for(target)
    name = name_of(source)
    check_target(target, overwrite=options.overwrite, source=str(source) if isinstance(source, Path) else None)
    beside = Companions(target, options)
    still = read_still(source)
    summary = Summary(name, str(target), shots=1, backend=backend.name)
    warn_of_rest(still, target, summary)
    with beside, AtomicFile(target, overwrite=options.overwrite) as partial:
        with open(partial, "wb") as file:
            writer = TiffWriter(file) if format in PAGES else None
            for page in pages_for(still, format):
                metadata = page.metadata.for_copy(turned=page.turned, resized=options.compare)
                signed = metadata.credited(credit(model), format) if options.tag else metadata
                pixels = colored(page, target, format, backend, options)
                lost = []
                if writer is not None:
                    writer.add(pixels, signed, srgb())
                else:
                    lost = write_picture(file, pixels, format, signed)
                warn_of_losses(page, metadata, lost, target, options, summary)
                summary.frames += 1
        beside.put_framemd5(partial)
        if options.verify or options.sidecar:
            pages = verify(still, summary.frames, partial, target)
            summary.notes.append(str(pages))
            told = {"pages": pages.facts(), "warnings": summary.warnings, "notes": summary.notes}
            beside.put_sidecar(sidecar(name, partial, target, model, recipe_of(options, backend, model), told))
        if made is not None:
            made(partial)
    summary.seconds = time.perf_counter() - began
    return summary


def recipe_of(options: ColorizeOptions, backend: Backend, model: ModelIdentity) -> dict[str, Any]:
    """All that the samples of a coloured still depend on."""
    names = [f.name for f in fields(ColorOptions) if f.name not in ("backend", "model")]
    chosen = {name: getattr(options, name) for name in (*names, "compare")}
    known = versions() | {"pillow": PIL.__version__, "opencv": cv2.__version__}
    return {"options": chosen, "model": model.sha256, "backend": backend.description, "versions": known}


def format_for(target: Path) -> str:
    """Pillow's name of the format that `target` ends in."""
    suffix = target.suffix.lower()
    if suffix not in WRITES:
        raise OutputError(f"{target}: cannot write {suffix or 'a name without ending'}; use {', '.join(WRITES)}")
    return WRITES[suffix]


def pages_for(still: Still, format: str) -> Iterator[Page]:
    """The pages that go into a file of this format."""
    for number in range(still.count if format in PAGES else 1):
        yield still.page(number)


def colored(page: Page, target: Path, format: str, backend: Backend, options: ColorizeOptions) -> np.ndarray:
    """A page as RGB or RGBA, uint16 where source and target have so many bits, else uint8."""
    signal = page.signal
    check_sides(target, format, signal.shape[1] * (2 if options.compare else 1), signal.shape[0])
    size = ProxySize.fit(signal.shape[1], signal.shape[0], options.size)
    small = make_proxy(signal, size, ENCODING)
    predicted = backend.predict(network_input([small.lightness], size))
    ab = crop_grid(predicted, size, backend.stride)[0] * np.float32(options.strength)
    deep = page.depth == 16 and format in DEEP
    rgb = color_picture(signal, small, ab, np.dtype(np.uint16 if deep else np.uint8))
    if options.compare:
        grey = np.repeat((signal if deep else narrow(signal))[..., None], 3, 2)
        return np.hstack((grey, rgb))
    if page.alpha is not None and format in ALPHA:
        return np.dstack((rgb, page.alpha if deep else narrow(page.alpha)))
    return rgb


def check_sides(target: Path, format: str, width: int, height: int) -> None:
    """Refuse a picture that is too large for its format, before it is coloured."""
    longest = LONGEST.get(format)
    if longest and max(width, height) > longest:
        raise OutputError(
            f"{target}: holds {longest} pixels a side at most, and {width} x {height} are needed; use .png or .tif"
        )


def warn_of_rest(still: Still, target: Path, summary: Summary) -> None:
    """Count in one line what of the file is not coloured."""
    rest = list(still.left_out)
    if still.count > 1 and WRITES[target.suffix.lower()] not in PAGES:
        pages = f"{still.count - 1} more page{'s' if still.count > 2 else ''}"
        rest.append(f"{pages}, for {target.suffix} holds one and .tif all")
    if rest:
        summary.warnings.append(f"left out: {' and '.join(rest)}")


def warn_of_losses(
    page: Page, metadata: Metadata, lost: list[str], target: Path, options: ColorizeOptions, summary: Summary
) -> None:
    """Name what of a page the target cannot hold; pages that lose the same are named once."""
    suffix = target.suffix.lower()
    format, found = WRITES[suffix], []
    if page.alpha is not None and format not in ALPHA:
        found.append(f"transparency dropped: {suffix} cannot hold it")
    elif page.alpha is not None and options.compare:
        found.append("transparency dropped: two pictures side by side have none")
    if page.depth == 16 and format not in DEEP:
        found.append(f"16 bits reduced to 8: {suffix} cannot hold them")
    if page.faults:
        found.append(
            f"damaged in {page.faults} place{'s' if page.faults > 1 else ''}, coloured as far as it is readable"
        )
    if page.reduced:
        found.append(f"{page.reduced} bits reduced to 8: samples of this kind are read so")
    if without := metadata.beyond(format) + lost:
        found.append(f"left out, for {suffix} cannot hold it: {', '.join(without)}")
    if metadata.bad:
        found.append(f"{metadata.bad} damaged EXIF tag{'s' if metadata.bad > 1 else ''} left out")
    summary.warnings += [line for line in found if line not in summary.warnings]
