"""The three threads of a film, with parts that only count."""

from __future__ import annotations

import threading
from types import SimpleNamespace

from vidcolor.frames import runner
from vidcolor.frames.channel import Channel
from vidcolor.frames.item import Prepared
from vidcolor.frames.workers import Crew
from vidcolor.temporal.clock import Clock


def test_opencv_makes_its_tables_while_the_network_is_compiled(monkeypatch):
    """In the writer's thread, before there is anything to write; the first prediction waits for it here."""
    made, written = threading.Event(), []

    def make_tables():
        assert threading.current_thread().name == "write"
        assert not written
        made.set()

    def push(item):
        assert made.wait(60)
        return [item]

    monkeypatch.setattr(runner, "prepare_lab", make_tables)
    colorizer = SimpleNamespace(
        clocks=(Clock(), Clock(), Clock()), prepare=lambda number, frame: Prepared(number, frame, proxy=None)
    )
    crew = Crew()
    stage = SimpleNamespace(push=push, finish=list)
    threads = runner.Runner(colorizer, stage, crew, Channel(crew.stop, 2), Channel(crew.stop, 2))
    threads.start_reader(enumerate("abc"))
    threads.start_writer(lambda item: written.append(item.frame))
    crew.guard(lambda: threads.color(lambda item: None))
    crew.join()
    crew.raise_first()
    assert written == ["a", "b", "c"]
