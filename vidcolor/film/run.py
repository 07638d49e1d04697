"""A film from end to end: probe, plan, colour segment by segment, assemble."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from vidcolor.atomic import AtomicFile, is_special
from vidcolor.backends import Backend
from vidcolor.companions import Companions
from vidcolor.conditions.conditioner import Conditioner
from vidcolor.errors import Cancelled, InputError, OutputError
from vidcolor.film.assemble import assemble
from vidcolor.film.delivery import Finished, Met, faults, losses
from vidcolor.film.hooks import Hooks
from vidcolor.film.outside import with_stills
from vidcolor.film.plan import FilmPlan, Segment, frames_done
from vidcolor.film.recipe import Recipe, SourceFacts, wish_of
from vidcolor.film.record import Made
from vidcolor.film.rules import Rules
from vidcolor.film.segmenter import Closed, Segmenter, digest_of
from vidcolor.film.source import Numbered, frames_from, frames_of, packets_of, pictures_of
from vidcolor.film.space import Room, while_coloring
from vidcolor.film.survey import References
from vidcolor.film.verify import verify
from vidcolor.film.work import Note, clear, folder_of, forget, locked, open_plan, tidy
from vidcolor.film.writer import SegmentWriter
from vidcolor.frames.channel import Channel
from vidcolor.frames.colorizer import FrameColorizer
from vidcolor.frames.host import FrameMemory, HostFrames
from vidcolor.frames.item import Colored
from vidcolor.frames.memory import find_card, proxy_size, queue_size
from vidcolor.frames.network import Network
from vidcolor.frames.runner import Runner
from vidcolor.frames.summary import Summary
from vidcolor.frames.workers import Crew, OneCvThread
from vidcolor.models.files import ModelIdentity
from vidcolor.options import ColorizeOptions
from vidcolor.provenance import credit, credited
from vidcolor.shots.cutlist import ShotList, read_shots
from vidcolor.shots.report import ShotReport
from vidcolor.temporal.clock import Clock
from vidcolor.video.address import mask
from vidcolor.video.encoder import for_films, video_settings
from vidcolor.video.muxer import Muxer, default_codec
from vidcolor.video.reader import Reader
from vidcolor.video.target import check_target


def colorize_film(
    source: str | Path, target: Path, backend: Backend, options: ColorizeOptions, *,
    hooks: Hooks | None = None, rules: Rules | None = None, model: ModelIdentity | None = None,
) -> Summary:  # fmt: skip
    """Colour one film; `target` appears when it is complete, and not at all otherwise.

    What is done stays in the work folder when the work is interrupted, and the same call goes on from there.
    `model` is the network's.

    Raises:
        InputError: the source cannot be read.
        OutputError: the target cannot be written, or the work folder belongs to another film or other options.
        Cancelled: `cancel` was set.
    """
    began = time.perf_counter()
    with Film(str(source), Path(target), backend, options, hooks or Hooks(), rules or Rules(),
              model or ModelIdentity()) as film:  # fmt: skip
        summary = film.run()
    summary.seconds = time.perf_counter() - began
    return summary


class Film:
    """One film being coloured; see `colorize_film`."""

    def __init__(
        self, source: str, target: Path, backend: Backend, options: ColorizeOptions, hooks: Hooks, rules: Rules,
        model: ModelIdentity,
    ) -> None:  # fmt: skip
        self.source, self.target, self.backend, self.options = source, target, backend, options
        self.hooks, self.rules, self.model = hooks, rules, model
        self.summary = Summary(mask(source), str(target), backend=backend.name)
        self.codec = options.codec or default_codec(target)
        self.given: ShotList | None = read_shots(options.shots) if options.shots else None
        self.kinds = dict(self.given.kinds) if self.given else None  # how shots begin, where it is known beforehand
        self.shots = ShotReport(options.save_shots)
        self.card = find_card(backend, self.summary.notes)
        self.clocks = Clock(), Clock(), Clock()
        self.stack = ExitStack()
        self.folder = folder_of(target, options.work)
        self.wish = wish_of(options, backend, model.sha256, rules)
        self.met: Met | None = None  # by who has read all of the source
        self.resumed = ""

    def __enter__(self) -> Film:
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def open_source(self, *, frames: bool, packets: bool) -> Reader:
        """The source, from `start` to `end`."""
        options = self.options
        return Reader(self.source, start=options.start, end=options.end, frames=frames, packets=packets)

    def open_reader(self) -> Reader:
        """The film's frames, on the card where there is one."""
        accel = self.card.hwaccel if self.card else None
        return Reader(self.source, start=self.options.start, end=self.options.end, hwaccel=accel, packets=False)

    def run(self) -> Summary:
        if is_special(Path(self.source)):
            raise InputError(
                f"{self.source}: is a pipe, and a film is read twice; save it first, or colour it alone by the command"
            )
        reader = self.open_reader()
        self.stack.callback(lambda: self.reader.close())
        self.reader, self.info, self.facts = reader, reader.info, SourceFacts.of(self.source)
        if self.is_made():
            if not self.options.save_shots:
                return self.tidied()
            self.options = replace(self.options, overwrite=True)  # what is there is this run's own
        else:
            tidy(self.folder, self.target)
        check_target(self.target, overwrite=self.options.overwrite, source=self.source)
        self.shots.check(self.source, given=self.options.shots, overwrite=self.options.overwrite)
        self.beside = Companions(self.target, self.options)
        settings = video_settings(self.info, self.options, self.codec)
        if self.card:
            settings = self.card.settings(reader, settings, self.options, self.codec)
        self.settings = for_films(settings)
        self.stack.enter_context(locked(self.folder))
        self.note = Note.begin(self.folder, self.target)
        self.open_muxer(reader).abandon()  # what the target refuses is known before any work is done
        plan = self.color()
        self.summary.warnings += losses(plan.segments)
        muxer = self.put_together(plan)
        self.tell(muxer)
        clear(self.folder)
        return self.summary

    def is_made(self) -> bool:
        """Whether an earlier run of this film was stopped when its target was complete."""
        note = None if self.options.restart else Note.read(self.folder)
        made = note.made if note else None
        return made is not None and made.answers(self.facts, self.wish) and made.is_at(self.target)

    def tidied(self) -> Summary:
        """The film was made before: what is left in the work folder goes."""
        with locked(self.folder):
            self.summary.frames, self.summary.earlier = frames_done(self.folder), True
            clear(self.folder)
        return self.summary

    def open_muxer(self, reader: Reader) -> Muxer:
        """The target, with the other streams of `reader`."""
        info = replace(self.info, tags=credited(self.info.tags, credit(self.model))) if self.options.tag else self.info
        return Muxer(
            self.target, info, self.settings, codec=self.codec, others=reader.others, covers=self.reader.covers,
            file=AtomicFile(self.target, overwrite=self.options.overwrite, token=self.note.token),
        )  # fmt: skip

    def color(self) -> FilmPlan:
        """All segments that are not done yet."""
        memory = self.memory()
        if self.options.restart:
            forget(self.folder)
        if self.options.references_by is not None:
            self.options, said = with_stills(self.options, self.source, self.folder, self.kinds, self.check_cancel)
            self.summary.notes += said
        plan, segment = open_plan(self.folder, self.facts, self.info, self.recipe(memory))
        self.recall(plan)
        if plan.complete:
            return plan
        known = self.known(memory)
        network = Network(self.backend, memory.size, known, strength=self.options.strength if known else 1.0)
        options = replace(self.options, strength=1.0) if known else self.options  # what is known keeps its colour
        anchors = known.frames if known else ()
        colorizer = FrameColorizer(memory, network, options, anchors=anchors, clocks=self.clocks)
        frames = self.frames(plan, segment, memory)
        FilmRun(self, plan, segment, colorizer, network).run(frames)
        return plan

    def known(self, memory: FrameMemory) -> Conditioner | None:
        """What references say of the film's colour; reads it once."""
        if not self.options.references:
            return None
        found = References(self.options, self.kinds, memory, self.check_cancel).of(self.open_reader, self.folder)
        self.kinds = found.shots
        self.summary.notes += found.notes
        self.summary.warnings += found.warnings
        return Conditioner(found)

    def memory(self) -> FrameMemory:
        host = HostFrames(self.info.encoding, proxy_size(self.info, self.options), self.settings, self.options.compare)
        return self.card.frames(host, self.info.frames) if self.card else host

    def recipe(self, memory: FrameMemory) -> Recipe:
        where = "host" if isinstance(memory, HostFrames) else "card"
        return Recipe.of(self.options, self.settings, self.backend, where, self.rules, self.model.sha256)

    def recall(self, plan: FilmPlan) -> None:
        """What was done before counts as done."""
        self.summary.frames = self.summary.resumed = plan.frames
        if plan.segments:
            self.resumed = f"{plan.frames} frames were done already; going on from there"
            self.summary.notes.append(self.resumed)
        starts = []
        for done in plan.segments:
            self.summary.shots += len(done.shots)
            self.summary.predicted += done.predicted
            starts += [(frame, kind, None if time == "None" else Fraction(time)) for frame, kind, time in done.shots]
        self.shots.recall(starts, plan.frames)

    def frames(self, plan: FilmPlan, segment: Segment | None, memory: FrameMemory) -> Iterator[Numbered]:
        """The source's frames with their numbers, from the segment to go on with."""
        if segment is None:
            return enumerate(frames_of(self.reader))
        self.reader.close()
        self.reader, frames = frames_from(
            self.open_reader, segment.start, lambda frame: digest_of(memory.prepare(frame).luma), exact=plan.exact
        )
        return frames

    @property
    def exact(self) -> bool:
        """Whether a reader finds any frame by its time stamp, as far as is known by now."""
        return not (self.reader.damaged or self.reader.retimed or self.reader.timeline.active)

    def put_together(self, plan: FilmPlan) -> Muxer:
        """The target out of all segments and the source's other streams, which are read now."""
        paths = [plan.path_of(segment) for segment in plan.segments]
        with self.open_source(frames=False, packets=True) as passing:
            muxer = self.open_muxer(passing)
            others = packets_of(passing) if passing.others else ()
            try:
                with Room(self.target, muxer.file.partial, paths) as room, self.beside:
                    self.clocks[2].time(
                        "mux", lambda: assemble(muxer, paths, others, check=self.check_cancel, passes=room.passes)
                    )
                    muxer.finish(lambda file: self.complete(file, muxer, plan.recipe))
            except BaseException:
                muxer.abandon()
                raise
        return muxer

    def complete(self, file: Path, muxer: Muxer, recipe: Recipe) -> None:
        """The target is whole in `file`: what is asked for of it, and the note that it is made."""
        self.deliver(file, muxer, recipe)
        replace(self.note, made=Made.of(self.facts, self.wish, file)).write(self.folder)
        if self.hooks.made is not None:
            self.hooks.made(file)

    def deliver(self, file: Path, muxer: Muxer, recipe: Recipe) -> None:
        """What is asked for of the finished file, before it gets its name."""
        options, summary = self.options, self.summary
        self.beside.put_framemd5(file)
        if not (options.verify or options.sidecar):
            return
        copied = {index: stream.index for index, stream in muxer.copied.items()}
        self.met = found = verify(self.open_source, file, self.target, self.settings, copied)
        summary.notes.append(str(found))
        if options.sidecar:
            warnings = [*summary.warnings, *muxer.warnings]
            warnings += faults(self.info, summary.frames, found, trims=self.reader.trims)
            notes = [note for note in summary.notes if note != self.resumed]
            finished = Finished(
                file, self.target, self.source, muxer.format, recipe, self.model, found, copied, warnings, notes
            )
            self.beside.put_sidecar(finished.sidecar())

    def check_cancel(self) -> None:
        cancel = self.hooks.cancel
        if cancel is not None and cancel.is_set():
            raise Cancelled(f"{self.summary.source}: stopped; nothing was written")

    def report(self) -> None:
        """Called in the main thread after each frame."""
        self.check_cancel()
        if self.hooks.progress is not None:
            self.summary.busy = {k: v for c in self.clocks for k, v in list(c.busy.items())}
            self.hooks.progress(self.summary, self.info.frames)

    def tell(self, muxer: Muxer) -> None:
        """What the summary has to say when all is done."""
        summary, reader = self.summary, self.reader
        summary.busy = {k: v for c in self.clocks for k, v in c.busy.items()}
        if self.hooks.progress is not None:
            self.hooks.progress(summary, summary.frames)
        if self.card:
            self.card.report(reader)
        met = self.met or reader
        summary.warnings += [*muxer.warnings, *faults(self.info, summary.frames, met, trims=reader.trims)]
        summary.damaged = met.damaged
        if wanted := self.shots.wanted:
            self.shots.draw(pictures_of(self.target, wanted))
        summary.warnings += self.shots.write(self.source, self.info.rate)
        if self.given and not reader.trims and self.given.starts[-1] >= summary.frames:
            summary.warnings.append(
                f"{self.options.shots}: has shots behind the film's {summary.frames} frames; is it this film's?"
            )


class FilmRun:
    """The threads of a film; see frames.runner."""

    def __init__(
        self, film: Film, plan: FilmPlan, segment: Segment | None, colorizer: FrameColorizer, network: Network
    ) -> None:
        self.film, self.network = film, network
        self.crew, size = Crew(), queue_size(film.info)
        decoded, colored = (Channel(self.crew.stop, size) for _ in range(2))
        make = Segmenter.given(film.kinds) if film.kinds is not None else None
        self.segmenter = Segmenter(colorizer, segment, film.rules, make=make, predicted=lambda: network.predicted)
        self.runner = Runner(colorizer, self.segmenter, self.crew, decoded, colored)
        self.earlier = film.summary.predicted
        self.writer = SegmentWriter(
            plan, film.settings, colorizer, film.hooks.watch, lambda: film.exact, lambda: film.reader.left_out,
            colored.check,
        )  # fmt: skip

    def run(self, frames: Iterator[Numbered]) -> None:
        def work() -> None:
            self.runner.start_reader(frames)
            self.runner.start_writer(self.writer.write)
            self.runner.color(self.passed)

        with OneCvThread():
            self.crew.guard(work)
            self.crew.join()
            self.writer.abandon()
        try:
            self.crew.raise_first()
        except OutputError as error:
            begun = self.writer.file.packets if self.writer.file else None
            others = bool(self.film.reader.others)
            raise while_coloring(error, self.writer.plan, begun, self.film.target, others=others) from error

    def passed(self, item: Colored | Closed) -> None:
        """Count what goes to the writer."""
        summary = self.film.summary
        summary.predicted = self.earlier + self.network.predicted
        if isinstance(item, Colored):
            summary.shots += bool(item.kind)
            summary.frames += 1
            self.film.shots.add(item.kind, item.proxy, item.ab, item.time)
        self.film.report()
