"""Reads a film before it is coloured with references: its shots, where each reference belongs, and the motion."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import defaultdict, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from vidcolor.conditions.carry import View, grey_of
from vidcolor.conditions.reference import Reference, read_references
from vidcolor.conditions.registration import Placed, place
from vidcolor.conditions.search import Index, Outcome
from vidcolor.conditions.store import Survey
from vidcolor.conditions.track import Tracker
from vidcolor.film.names import REFERENCES
from vidcolor.film.source import frames_of
from vidcolor.frames.channel import Channel
from vidcolor.frames.host import FrameMemory
from vidcolor.frames.workers import Crew, OneCvThread, Stopped
from vidcolor.options import ColorizeOptions
from vidcolor.shots.detector import GivenShots, ShotDetector, Shots
from vidcolor.video.reader import Reader

AHEAD = 32  # luma proxies that may wait

Frames = Iterable[tuple[int, np.ndarray]]  # numbers and L* (h, w) of a film's luma proxies, in order
Assigned = dict[int, list[Reference]]  # by the number of the frame that they are looked for at


def key_of(references: list[Reference], parts: dict[str, object]) -> str:
    """A digest of the references and of everything else that a survey depends on."""
    given = [[r.name, r.number, r.neutral, r.digest] for r in references]
    return hashlib.sha256(json.dumps([given, parts], sort_keys=True).encode()).hexdigest()


class References:
    """The references of one film, and where they are looked for.

    `kinds` says how shots begin, where that is known; `check` raises where the work is to stop.

    Raises:
        InputError: a reference cannot be read, or none can be used.
    """

    def __init__(
        self, options: ColorizeOptions, kinds: dict[int, str] | None, memory: FrameMemory, check: Callable[[], None]
    ) -> None:
        self.references, self.warnings = read_references(options.references)
        self.kinds, self.memory, self.check = kinds, memory, check
        parts = {"size": [memory.size.width, memory.size.height], "shots": sorted((kinds or {}).items()),
                 "end": options.end}  # fmt: skip
        self.key = key_of(self.references, parts)

    def of(self, open_reader: Callable[[], Reader], folder: Path) -> Survey:
        """The survey of a film; the one in the work folder `folder` where an earlier run has made it.

        The film is read a second time where a picture is not at the frame that its name gives, or its name gives none.

        Raises:
            OutputError: the folder cannot be written.
        """
        if found := Survey.read(folder / REFERENCES, self.key):
            return found
        named = {r: r.number for r in self.references if r.number is not None}
        index = Index()
        reading = self.read(open_reader, folder, named, index)
        outcomes = index.outcomes(self.references, reading.placed)
        where = {o.reference: o.number for o in outcomes if o.number is not None}
        if where != {r: n for r, n in named.items() if r.name in reading.placed}:
            reading = self.read(open_reader, folder, where, None)
        return reading.finish(outcomes, self.warnings)

    def read(
        self, open_reader: Callable[[], Reader], folder: Path, where: dict[Reference, int], index: Index | None
    ) -> Surveyor:
        """One reading, with each reference at the frame that `where` gives."""
        assigned: Assigned = defaultdict(list)
        for reference, number in where.items():
            assigned[number].append(reference)
        surveyor = Surveyor(folder / REFERENCES, self.key, assigned, self.shots(), index)
        surveyor.turn = self.memory.size.turn
        with open_reader() as reader, OneCvThread(), closing(ahead(self.proxies(reader))) as frames:
            surveyor.read(frames)
        return surveyor

    def proxies(self, reader: Reader) -> Frames:
        for number, frame in enumerate(frames_of(reader)):
            self.check()
            yield number, self.memory.prepare(frame).lightness

    def shots(self) -> Shots:
        return ShotDetector() if self.kinds is None else GivenShots(self.kinds)


class Surveyor:
    """One reading of a film."""

    def __init__(self, folder: Path, key: str, assigned: Assigned, shots: Shots, index: Index | None) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        self.survey = Survey(folder, key)
        self.assigned, self.shots, self.index = assigned, shots, index
        self.tracker = Tracker()
        self.placed: dict[str, Placed] = {}  # by name of the reference
        self.turn = 0  # quarter turns counterclockwise by which the film is shown, and references with it
        self.waiting: deque[tuple[int, np.ndarray]] = deque()  # frames of which it is not known if a shot begins there

    def read(self, frames: Frames) -> Surveyor:
        for number, lightness in frames:
            self.waiting.append((number, lightness))
            if self.index is not None:
                self.index.push(number, turned(lightness, self.turn))
            for decided in self.shots.push(lightness):
                self.pass_on(decided.kind)
        for decided in self.shots.finish():
            self.pass_on(decided.kind)
        for track in self.tracker.finish():
            self.survey.add_track(track)
        return self

    def pass_on(self, kind: str) -> None:
        """It is known of the frame that waits first whether a shot begins with it."""
        number, lightness = self.waiting.popleft()
        if kind:
            self.survey.shots[number] = kind
        placed = list(self.place(number, lightness))
        if placed:
            self.survey.add_view(view(number, lightness, placed))
        for track in self.tracker.push(number, lightness, begins=bool(kind), reference=bool(placed)):
            self.survey.add_track(track)

    def place(self, number: int, lightness: np.ndarray) -> Iterator[Placed]:
        for reference in self.assigned.get(number, ()):
            if found := place(reference, turned(lightness, self.turn), number=number):
                self.placed[reference.name] = found
                ab, confidence = turned(found.ab, -self.turn), turned(found.confidence, -self.turn)
                yield replace(found, ab=ab, confidence=confidence)

    def finish(self, outcomes: list[Outcome], warnings: list[str]) -> Survey:
        self.survey.warnings += warnings
        for outcome in outcomes:
            told = outcome if outcome.reference.name in self.placed else replace(outcome, number=None)
            (self.survey.notes if told.kind in ("used", "found") else self.survey.warnings).append(str(told))
        self.survey.finish()
        return self.survey


def turned(planes: np.ndarray, turn: int) -> np.ndarray:
    """`planes` ``(h, w)`` or ``(h, w, n)`` after quarter turns counterclockwise."""
    found: np.ndarray = np.ascontiguousarray(np.rot90(planes, turn))
    return found


def view(number: int, lightness: np.ndarray, placed: list[Placed]) -> View:
    """All references of one frame; where several state a colour, the more confident one counts."""
    order = np.argmax([p.confidence for p in placed], 0)
    confidence = np.max([p.confidence for p in placed], 0)
    ab = np.take_along_axis(np.stack([p.ab for p in placed]), order[None, ..., None], 0)[0]
    return View(number, grey_of(lightness), ab, confidence)


def ahead(frames: Frames) -> Generator[tuple[int, np.ndarray], None, None]:
    """`frames`, read in a thread of their own, which is over when the generator is closed."""
    crew = Crew()
    channel = Channel(crew.stop, AHEAD)

    def read() -> None:
        for item in frames:
            channel.put(item)
        channel.put(Channel.END)

    crew.start("survey", read)
    try:
        with suppress(Stopped):
            yield from channel
    finally:
        crew.stop.set()
        crew.join()
    crew.raise_first()
