"""A film as a plan of segments, on the disk: what has been done, and from where to go on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from vidcolor import stored
from vidcolor.atomic import sync_folder, write_whole
from vidcolor.errors import OutputError
from vidcolor.film.names import PLAN, SEGMENTS
from vidcolor.film.recipe import Recipe, SourceFacts
from vidcolor.video.info import FilmInfo

FORMAT = 1


@dataclass(frozen=True)
class Mark:
    """A place in the source that a reader can be put at."""

    frame: int
    pts: int  # of that frame, in ticks of FilmInfo.time_base
    digest: str  # of its luma proxy, so that a frame decoded after a seek can be told from another one


@dataclass(frozen=True)
class Segment:
    """Frames `first` to `last` of a film, coloured and encoded on their own."""

    number: int
    first: int
    last: int | None  # None: not known yet; the rules say where it ends
    kind: str  # how a shot begins with the first frame; empty where a long shot is cut
    start: Mark  # of the first frame that must be read: `lead_in` frames before `first`
    lead_in: int = 0
    shots: tuple[tuple[int, str, str], ...] = ()  # frame, kind and time (seconds, a fraction) of those that begin in it
    predicted: int = 0  # frames that the network saw
    digest: str = ""  # of its packet file; empty until it is done
    left_out: tuple[int, ...] = ()  # time stamps of the packets on which a decoder has crashed

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Segment:
        """Raises TypeError, KeyError or ValueError where it is something else."""
        if not isinstance(values, dict):
            raise TypeError(f"{values!r:.80} is no segment")
        shots = tuple((frame, kind, time) for frame, kind, time in values["shots"])
        left_out = tuple(values.get("left_out", ()))
        start = stored.made(Mark, values["start"])
        return stored.made(cls, {**values, "start": start, "shots": shots, "left_out": left_out})


@dataclass
class FilmPlan:
    """What is to be done with a film, and which segments of it are done.

    On the disk it is a folder: `plan.jsonl`, to which lines are only added, and a packet file for each segment. A
    segment counts when its file is complete and its line is written, in this order.
    """

    folder: Path
    source: SourceFacts
    info: FilmInfo
    recipe: Recipe
    segments: list[Segment] = field(default_factory=list)
    exact: bool = True  # a reader finds its place by time stamps; False: it must read from the start
    complete: bool = False  # the last frame of the film is in the last segment

    @property
    def frames(self) -> int:
        """Frames that are done."""
        last = self.segments[-1].last if self.segments else -1
        assert last is not None
        return last + 1

    def path_of(self, segment: Segment) -> Path:
        """The packet file of `segment`."""
        return self.path(segment.number)

    def path(self, number: int) -> Path:
        """The packet file of the segment of that number."""
        return self.folder / SEGMENTS / f"{number:06d}.packets"

    def create(self) -> None:
        """Make the folder and write the first line.

        Raises:
            OutputError: it cannot be written.
        """
        try:
            (self.folder / SEGMENTS).mkdir(parents=True, exist_ok=True)
            (self.folder / PLAN).unlink(missing_ok=True)
            self.append({"format": FORMAT, "source": self.source.to_dict(), "info": self.info.to_dict(),
                         "recipe": self.recipe.to_dict()})  # fmt: skip
        except OSError as error:
            raise OutputError(f"{self.folder}: cannot be written ({error.strerror}); choose another folder") from error

    def add(self, segment: Segment, *, next_start: Segment | None, exact: bool) -> None:
        """Note that `segment` is done; `next_start` is the one after it, None at the film's end."""
        self.segments.append(segment)
        self.exact, self.complete = exact, next_start is None
        after = next_start.to_dict() if next_start else None
        self.append({"segment": segment.to_dict(), "next": after, "exact": exact})

    def append(self, line: dict[str, Any]) -> None:
        path = self.folder / PLAN
        with open(path, "ab") as file:
            file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        sync_folder(self.folder)


def read_plan(folder: Path) -> tuple[FilmPlan, Segment | None] | None:
    """The plan in `folder` and the segment to go on with (None: all are done); None where there is no plan.

    A last line that was cut off is left out: what it told of is done again.

    Raises:
        ValueError: the plan was written by another version, or is none.
    """
    lines = list(_lines(folder / PLAN))
    if not lines:
        return None
    try:
        head = lines[0]
        if head["format"] != FORMAT:
            raise ValueError(f"format {head['format']}")
        plan = FilmPlan(
            folder, SourceFacts.from_dict(head["source"]), FilmInfo.from_dict(head["info"]),
            Recipe.from_dict(head["recipe"]),
        )  # fmt: skip
        coming: Segment | None = None
        for line in lines[1:]:
            plan.segments.append(Segment.from_dict(line["segment"]))
            coming = Segment.from_dict(line["next"]) if line["next"] else None
            plan.exact, plan.complete = line["exact"], coming is None
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{folder / PLAN}: not a plan of this version ({error})") from error
    return plan, coming


def plan_of(folder: Path) -> FilmPlan | None:
    """The plan in `folder`; None where there is none that this version can read."""
    try:
        found = read_plan(folder)
    except (ValueError, OSError):
        return None
    return found[0] if found else None


def frames_done(folder: Path) -> int:
    """How many frames the plan in `folder` has done; 0 where there is none."""
    plan = plan_of(folder)
    return plan.frames if plan else 0


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return
    for line in text.split(b"\n")[:-1]:  # what stands behind the last line feed was cut off
        try:
            yield stored.parse(line)
        except ValueError:
            return


def keep_lines(folder: Path, count: int) -> None:
    """Keep the first `count` lines of the plan; what stands behind them, or was cut off, goes in one step.

    Else the next line would be added to one that was cut off, and be lost with it.

    Raises:
        OutputError: the plan cannot be written.
    """
    text = (folder / PLAN).read_bytes()
    kept = b"".join(text.splitlines(keepends=True)[:count])
    if kept != text:
        write_whole(folder / PLAN, kept, overwrite=True)


def first_segment(mark: Mark) -> Segment:
    """The segment that a film begins with."""
    return Segment(0, 0, None, "first", mark)


def following(segment: Segment, kind: str, start: Mark, lead_in: int) -> Segment:
    """The segment after `segment`."""
    assert segment.last is not None
    return Segment(segment.number + 1, segment.last + 1, None, kind, start, lead_in)


def closed(segment: Segment, last: int, shots: list[tuple[int, str, str]], predicted: int, digest: str) -> Segment:
    """`segment` with what is known when it is done."""
    return replace(segment, last=last, shots=tuple(shots), predicted=predicted, digest=digest)
