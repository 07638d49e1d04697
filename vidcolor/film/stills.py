"""Writes the frames of a film that are worth colouring: pictures, a contact sheet, and a list for programs."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from PIL import Image

from vidcolor.atomic import is_special, write_whole
from vidcolor.color.encoding import Encoding
from vidcolor.color.proxy import ProxySize, make_proxy
from vidcolor.conditions.suggest import ShotStills, Suggester, most
from vidcolor.errors import InputError, OutputError
from vidcolor.film.recipe import SourceFacts
from vidcolor.film.source import frames_of
from vidcolor.film.survey import ahead
from vidcolor.frames.memory import proxy_size
from vidcolor.frames.workers import OneCvThread
from vidcolor.options import ColorOptions
from vidcolor.shots.cutlist import Shot, ShotList
from vidcolor.shots.detector import GivenShots, ShotDetector, Shots
from vidcolor.shots.sheet import sheet_of, write_sheet
from vidcolor.video.formats import plane
from vidcolor.video.info import FilmInfo
from vidcolor.video.reader import Reader

FORMAT = "vidcolor references 1"
CONTENTS, SHEET = "refs.json", "sheet.pdf"
WIDTH = 400  # pixels of a picture on the sheet
COVER = 0.9  # share of each shot's pixels

EVERY = 10.0  # seconds between notes

log = logging.getLogger("vidcolor")
OpenReader = Callable[[], Reader]


@dataclass(frozen=True)
class Written:
    """The stills of a film, in a folder.

    Attributes:
        contents: of `CONTENTS` there.
        warnings: for the user, one line each.
    """

    folder: Path
    contents: dict[str, Any]
    warnings: list[str]

    @property
    def files(self) -> list[Path]:
        return [self.folder / still["file"] for still in self.contents["stills"]]


def write_stills(
    source: str, open_reader: OpenReader, folder: Path, *, cover: float = COVER, count: int | None = None,
    kinds: dict[int, str] | None = None, check: Callable[[], None] = lambda: None,
) -> Written:  # fmt: skip
    """Write the frames of `source` worth colouring into `folder`, at most `count` of them; the film is read twice.

    `kinds` says how shots begin, where that is known; `check` raises where the work is to stop. `CONTENTS` is written
    last: where it is, all is there.

    Raises:
        InputError: the film cannot be read, or has no frame that can be coloured.
        OutputError: the folder cannot be written.
    """
    if is_special(Path(source)):
        raise InputError(f"{source}: is a pipe, and a film is read twice; save it first")
    facts = SourceFacts.of(source)
    with open_reader() as reader:
        info = reader.info
        shots = suggested(reader, cover, kinds, check)
    if count is not None:
        shots = most(shots, count)
    numbers = sorted(still.number for shot in shots for still in shot.stills)
    if not numbers:
        raise InputError(f"{source}: has no frame that can be coloured, all are blank or mixed; give another film")
    made_folder(folder)
    (folder / CONTENTS).unlink(missing_ok=True)
    digests, thumbnails = {}, []
    for number, grey in pictures(open_reader, numbers, check):
        data = png(grey)
        write_whole(folder / name_of(number), data, overwrite=True)
        digests[number] = hashlib.sha256(data).hexdigest()
        thumbnails.append(thumbnail(grey))
    if missing := [number for number in numbers if number not in digests]:
        raise InputError(f"{source}: frame {missing[0]} is gone at the second reading; was the film changed?")
    rate = info.rate
    write_sheet(folder / SHEET, drawn(source, thumbnails, numbers, shots, rate))
    stills = listed(shots, digests, rate)
    contents = {
        "format": FORMAT, "film": facts.name, "digest": facts.digest, "rate": str(rate) if rate else None,
        "cover": cover, "covered": whole(shots), "stills": stills, "shots": [described(shot) for shot in shots],
    }  # fmt: skip
    text = json.dumps(contents, indent=1, ensure_ascii=False) + "\n"
    write_whole(folder / CONTENTS, text.encode(), overwrite=True)
    return Written(folder, contents, warnings_of(shots, cover, count))


def suggested(
    reader: Reader, cover: float, kinds: dict[int, str] | None, check: Callable[[], None]
) -> list[ShotStills]:  # fmt: skip
    """One reading: the stills of each shot."""
    size = proxy_size(reader.info, ColorOptions())
    shots: Shots = ShotDetector() if kinds is None else GivenShots(kinds)
    suggester = Suggester(float(reader.info.rate) if reader.info.rate else None, cover)
    waiting: deque[tuple[int, np.ndarray]] = deque()  # frames of which it is not known if a shot begins there
    found: list[ShotStills] = []
    with OneCvThread(), closing(ahead(proxies(reader, size, check))) as frames:
        for number, lightness in frames:
            waiting.append((number, lightness))
            for decided in shots.push(lightness):
                found += suggester.push(*waiting.popleft(), decided.kind)
        for decided in shots.finish():
            found += suggester.push(*waiting.popleft(), decided.kind)
        found += suggester.finish()
    return found


def proxies(reader: Reader, size: ProxySize, check: Callable[[], None]) -> Iterator[tuple[int, np.ndarray]]:
    spoke = time.monotonic()
    for number, frame in enumerate(frames_of(reader)):
        check()
        if time.monotonic() - spoke >= EVERY:
            spoke = time.monotonic()
            of = f" of {reader.info.frames}" if reader.info.frames else ""
            log.info("%s: %d%s frames looked through", reader.path, number, of)
        yield number, make_proxy(plane(frame, 0), size, reader.info.encoding).lightness


def pictures(
    open_reader: OpenReader, numbers: list[int], check: Callable[[], None]
) -> Iterator[tuple[int, np.ndarray]]:  # fmt: skip
    """The frames `numbers` (rising) as they are shown, ``(h, w)`` uint8 grey."""
    wanted = set(numbers)
    with open_reader() as reader:
        for number, frame in enumerate(frames_of(reader)):
            check()
            if number in wanted:
                yield number, shown(frame, reader.info)
            if number >= numbers[-1]:
                return


def shown(frame: av.VideoFrame, info: FilmInfo) -> np.ndarray:
    """A frame's luma as sRGB grey ``(h, w)`` uint8: full range, square pixels, upright."""
    codes, greys = plane(frame, 0), table(info.encoding)
    grey: np.ndarray = cv2.LUT(codes, greys) if codes.dtype == np.uint8 else greys.take(codes, mode="clip")
    aspect = float(info.aspect or 1)
    if aspect != 1:
        size = max(1, round(grey.shape[1] * aspect)), grey.shape[0]
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA if aspect < 1 else cv2.INTER_CUBIC)
    upright: np.ndarray = np.ascontiguousarray(np.rot90(grey, info.turn))
    return upright


def table(encoding: Encoding) -> np.ndarray:
    """The grey of every luma code value, uint8."""
    codes = np.arange(2**encoding.depth, dtype=np.float64)
    signal = ((codes - encoding.luma_offset) / encoding.luma_scale).clip(0.0, 1.0)
    greys: np.ndarray = np.rint(signal * 255).astype(np.uint8)
    return greys


def png(grey: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(grey).save(out, "PNG", compress_level=4)
    return out.getvalue()


def thumbnail(grey: np.ndarray) -> np.ndarray:
    """A picture for the sheet, RGB."""
    height = max(1, round(grey.shape[0] * WIDTH / grey.shape[1]))
    return cv2.cvtColor(cv2.resize(grey, (WIDTH, height), interpolation=cv2.INTER_AREA), cv2.COLOR_GRAY2RGB)


def drawn(
    source: str, thumbnails: list[np.ndarray], numbers: list[int], shots: list[ShotStills], rate: Fraction | None
) -> list[bytes]:
    """The pages of the contact sheet."""
    places = {still.number: at for at, shot in enumerate(shots, 1) for still in shot.stills}
    as_shots = ShotList(tuple(Shot(number) for number in numbers), Path(source).name, rate)
    captions = [(f"shot {places[number]}", name_of(number)) for number in numbers]
    about = f"{len(numbers)} still{'s' * (len(numbers) != 1)} of {len(shots)} shot{'s' * (len(shots) != 1)}"
    return sheet_of(thumbnails, as_shots, captions, about, form="PNG")


def listed(shots: list[ShotStills], digests: dict[int, str], rate: Fraction | None) -> list[dict[str, Any]]:
    """The stills as JSON values, the most useful of the film first."""
    frames = sum(shot.last - shot.first + 1 for shot in shots)
    stills = [
        {
            "file": name_of(still.number), "frame": still.number, "shot": at,
            "time": round(float(still.number / rate), 3) if rate else None,
            "covers": round(still.gain, 4),
            "of_film": round(still.gain * (shot.last - shot.first + 1) / frames, 6), "sha256": digests[still.number],
        }
        for at, shot in enumerate(shots, 1) for still in shot.stills
    ]  # fmt: skip
    return sorted(stills, key=lambda still: (-still["of_film"], still["frame"]))


def described(shot: ShotStills) -> dict[str, Any]:
    """A shot as JSON values."""
    numbers = [still.number for still in shot.stills]
    return {"start": shot.first, "end": shot.last + 1, "covered": round(shot.covered, 4), "stills": numbers}


def whole(shots: list[ShotStills]) -> float:
    """Share of the film's pixels that the stills cover."""
    frames = [shot.last - shot.first + 1 for shot in shots]
    return round(sum(shot.covered * n for shot, n in zip(shots, frames, strict=True)) / sum(frames), 4)


def warnings_of(shots: list[ShotStills], cover: float, count: int | None) -> list[str]:
    """What the stills do not do; said once for all shots."""
    numbered = list(enumerate(shots, 1))
    without = [f"{at} (frames {shot.first} to {shot.last})" for at, shot in numbered if not shot.stills]
    less = [str(at) for at, shot in numbered if shot.stills and shot.covered < cover]
    found = []
    if without and count is None:
        found.append(f"no still of shot {some(without)}: all frames are blank, faded or mixed; left to the network")
    elif without:
        found.append(f"no still of {len(without)} of {len(shots)} shots; raise --most for more")
    if less:
        found.append(
            f"less than {cover:.0%} is covered in shot {some(less)}; there is too much motion, or --most is low"
        )
    return found


def some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def name_of(number: int) -> str:
    """The file of a frame; `reference.number_of` reads it back."""
    return f"ref_{number:06d}.png"


def made_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made, {error.strerror}; choose another folder") from error
