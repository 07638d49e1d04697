"""Cut lists as files: written as JSON; a bare list of frame numbers and PySceneDetect's CSV can be read as well.

    {"format": "vidcolor shots 1", "source": "film.mp4", "rate": "24000/1001",
     "shots": [{"start": 0, "end": 61, "start_time": 0.0, "kind": "first"}, ...]}

Frames count from 0 in the order in which they are shown; `end` is the first frame after the shot, null for
the last shot of a film of unknown length. `rate` is in frames a second, null where it is not constant. `start_time` is
in seconds, or null. `kind` says how the shot begins: "first", "cut" or "dissolve".
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from vidcolor import stored
from vidcolor.atomic import write_whole
from vidcolor.errors import OptionError

FORMAT = "vidcolor shots 1"
KINDS = ("first", "cut", "dissolve")
KEYS = ("format", "source", "rate", "shots")  # of the file


@dataclass(frozen=True)
class Shot:
    """A run of frames; the fields are those of the file."""

    start: int
    end: int | None = None
    start_time: float | None = None
    kind: str = "cut"


@dataclass(frozen=True)
class ShotList:
    shots: tuple[Shot, ...]
    source: str = ""
    rate: Fraction | None = None

    @property
    def starts(self) -> list[int]:
        return [s.start for s in self.shots]

    @property
    def kinds(self) -> dict[int, str]:
        """How each shot begins, by its first frame."""
        return {s.start: s.kind for s in self.shots}

    @classmethod
    def of_starts(
        cls, starts: Iterable[tuple[int, str]], frames: int | None, *, source: str = "", rate: Fraction | None = None
    ) -> ShotList:
        """From (first frame, kind) of each shot in order, and the film's number of frames."""
        given = list(starts)
        ends = [*(frame for frame, _ in given[1:]), frames]
        shots = (
            Shot(frame, end, round(float(frame / rate), 6) if rate else None, kind)
            for (frame, kind), end in zip(given, ends, strict=True)
        )
        return cls(tuple(shots), source, rate)


def write_shots(path: Path, shots: ShotList, *, overwrite: bool = True) -> None:
    """Write the list as JSON, in one step, so that `path` is never half a list.

    Raises:
        OutputError: the folder does not exist, cannot be written to, or is full; or `path` exists without `overwrite`.
    """
    content = {
        "format": FORMAT,
        "source": shots.source,
        "rate": str(shots.rate) if shots.rate else None,
        "shots": [asdict(s) for s in shots.shots],
    }
    write_whole(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode(), overwrite=overwrite)


def read_shots(path: Path) -> ShotList:
    """The cut list in `path`, checked: shots follow each other from frame 0, without gaps.

    Raises:
        OptionError: the file cannot be read or is not a valid cut list; the message says what is wrong with it.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise OptionError(f"{path}: cannot be read ({reason}); name a cut list in JSON or CSV") from error
    try:
        shots = _parse_json(text) if text.lstrip()[:1] in ("{", "[") else _parse_csv(text)
        _check(shots)
    except _Fault as fault:
        raise OptionError(f"{path}: {fault}") from None
    return shots


class _Fault(Exception):
    """What is wrong with a list, and the remedy."""


def _parse_json(text: str) -> ShotList:
    try:
        content = stored.parse(text)
    except ValueError as error:
        raise _Fault(f"is damaged JSON ({error}); write it again") from None
    if isinstance(content, list):
        starts = [_whole(x, f"number {i + 1} of the list") for i, x in enumerate(content)]
        return _of_frames(starts)
    if content.get("format") != FORMAT:
        raise _Fault(f'has format {content.get("format")!r}; only "{FORMAT}" and bare lists of frames can be read')
    _check_keys(content, KEYS, "")
    if not isinstance(content.get("shots"), list):
        raise _Fault('has no list "shots"; write one with an object for each shot')
    return ShotList(
        tuple(_shot(x, i + 1) for i, x in enumerate(content["shots"])),
        str(content.get("source") or ""),
        _rate(content.get("rate")),
    )


def _of_frames(starts: list[int]) -> ShotList:
    """A bare list: the first shot may be left out."""
    starts = starts if starts[:1] == [0] else [0, *starts]
    return ShotList.of_starts([(s, "cut" if s else "first") for s in starts], None)


def _shot(content: Any, number: int) -> Shot:
    if not isinstance(content, dict):
        raise _Fault(f'shot {number} is not an object; write {{"start": 0, "end": 61}}')
    where = f"of shot {number}"
    _check_keys(content, tuple(f.name for f in fields(Shot)), f" {where}")
    end, time = content.get("end"), content.get("start_time")
    if time is not None and (isinstance(time, bool) or not isinstance(time, (int, float)) or not 0 <= time < 1e9):
        raise _Fault(f'"start_time" {where} is {time!r}; give seconds from 0 or null')
    kind = content.get("kind", "cut" if number > 1 else "first")
    if kind not in KINDS:
        raise _Fault(f'"kind" {where} is {kind!r}; give one of {", ".join(KINDS)}')
    start = _whole(content.get("start"), f'"start" {where}')
    return Shot(start, None if end is None else _whole(end, f'"end" {where}'), time, kind)


def _check_keys(content: dict[str, Any], known: tuple[str, ...], where: str) -> None:
    """Refuse a key that is not known: it would have no effect, and the user would not notice."""
    for key in content:
        if key not in known:
            near = get_close_matches(key, known, n=1)
            remedy = f'did you mean "{near[0]}"?' if near else f"use {', '.join(known)}"
            raise _Fault(f'"{key}"{where} is not known; {remedy}')


def _whole(value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _Fault(f"{what} is {value!r}; give a frame number from 0")
    return value


def _rate(value: Any) -> Fraction | None:
    if value is None:
        return None
    try:
        rate = stored.fraction(value)
    except ValueError:
        rate = Fraction(0)
    if rate <= 0:
        raise _Fault(f'"rate" is {value!r}; give frames a second such as "24000/1001", or null')
    return rate


def _parse_csv(text: str) -> ShotList:
    """PySceneDetect's scene list: maybe a line of time codes, a header, then a scene a line; frames count from 1."""
    try:
        lines = list(csv.reader(io.StringIO(text)))
    except csv.Error as error:
        raise _Fault(f"is damaged CSV ({error}); write it again") from None
    head = next((i for i, line in enumerate(lines) if "Start Frame" in line and "End Frame" in line), None)
    if head is None:
        raise _Fault('is neither JSON nor a scene list in CSV; its header must have "Start Frame" and "End Frame"')
    start, end = lines[head].index("Start Frame"), lines[head].index("End Frame")
    time = lines[head].index("Start Time (seconds)") if "Start Time (seconds)" in lines[head] else None
    shots = []
    for number, line in enumerate((x for x in lines[head + 1 :] if x), 1):
        try:
            seconds = None if time is None else float(line[time])
            shots.append(Shot(int(line[start]) - 1, int(line[end]), seconds, "cut" if number > 1 else "first"))
        except (ValueError, IndexError):
            raise _Fault(f"scene {number} has no whole numbers for its frames; write the list again") from None
    return ShotList(tuple(shots))


def _check(shots: ShotList) -> None:
    if not shots.shots:
        raise _Fault("names no shots; leave the option out, and they are found")
    if shots.shots[0].start != 0:
        raise _Fault(f"the first shot starts at frame {shots.shots[0].start}; it must start at 0")
    for number, shot in enumerate(shots.shots, 1):
        if shot.end is not None and shot.end <= shot.start:
            raise _Fault(f"shot {number} ends at frame {shot.end}, not after its start {shot.start}; put them in order")
    for number, (one, other) in enumerate(pairwise(shots.shots), 2):
        if other.start != one.end:
            raise _Fault(
                f"shot {number} starts at frame {other.start}, the one before ends at {one.end}; make them meet"
            )
