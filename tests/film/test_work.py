"""Work folders: their names, what a crash leaves in them, and what is removed."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.film.test_segments import OPTIONS, color, make_film
from vidcolor import atomic
from vidcolor.atomic import partial_path
from vidcolor.errors import OutputError
from vidcolor.film import run as film_run
from vidcolor.film.jobs import unfinished
from vidcolor.film.plan import FilmPlan, read_plan
from vidcolor.film.work import Note, clear, folder_of, locked, tidy


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Five segments: shots that begin at 20, 40, 60 and 80."""
    return make_film(tmp_path_factory.mktemp("film") / "film.mkv", {20, 40, 60, 80}, 100, sound=False)


@pytest.fixture(scope="module")
def whole(film, colorizer, tmp_path_factory):
    """The bytes of an undisturbed run."""
    target = tmp_path_factory.mktemp("whole") / "out.mkv"
    color(film, target, colorizer)
    return target.read_bytes()


def broken(film, target, colorizer, monkeypatch, after: int, *, options=OPTIONS) -> int:
    """A run that breaks when the plan has `after` segments; how many a reader of the plan sees."""
    add = FilmPlan.add

    def fail(self, *args, **named):
        add(self, *args, **named)
        if len(self.segments) == after:
            raise OSError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(FilmPlan, "add", fail)
        with pytest.raises(OSError, match="power cut"):
            color(film, target, colorizer, options=options)
    return len(read_plan(folder_of(target, options.work))[0].segments)


def test_a_cut_off_line_is_not_lengthened(film, colorizer, tmp_path, monkeypatch):
    """Else what is done behind it would be lost by the next interruption."""
    target = tmp_path / "out.mkv"
    assert broken(film, target, colorizer, monkeypatch, 3) == 3
    plan = folder_of(target) / "plan.jsonl"
    plan.write_bytes(plan.read_bytes()[:-20])
    assert broken(film, target, colorizer, monkeypatch, 4) == 4


def test_a_damaged_segment_does_not_cost_those_before_it(film, colorizer, tmp_path, monkeypatch):
    """The plan loses its last lines in one step: a crash meanwhile costs nothing."""
    target = tmp_path / "out.mkv"
    assert broken(film, target, colorizer, monkeypatch, 4) == 4
    (folder_of(target) / "segments" / "000002.packets").write_bytes(b"")

    def refuse(*_):
        raise OSError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        with pytest.raises(OSError, match="power cut"):
            color(film, target, colorizer)
    assert [s.number for s in read_plan(folder_of(target))[0].segments] == [0, 1, 2, 3]
    assert "40 frames were done already; going on from there" in color(film, target, colorizer).notes


def test_a_folder_for_work_elsewhere(film, whole, colorizer, tmp_path, monkeypatch):
    target, options = tmp_path / "out.mkv", replace(OPTIONS, work=tmp_path / "new" / "work")
    broken(film, target, colorizer, monkeypatch, 2, options=options)
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
    (job,) = unfinished(tmp_path)
    assert (job.target, job.source, job.done, job.frames) == (str(target), str(film), 40, 100)
    (tmp_path / "other").mkdir()
    other = color(film, tmp_path / "other" / "out.mkv", colorizer, options=options)
    assert other.notes == []
    summary = color(film, target, colorizer, options=options)
    assert "40 frames were done already; going on from there" in summary.notes
    assert target.read_bytes() == whole
    assert list(options.work.iterdir()) == []


class Cut(Exception):
    """A crash."""


def crash(*_, **__):
    raise Cut


def crashed(film, target, colorizer, monkeypatch, place, name, **changes):
    """A run that ends where it calls `name` of `place`, and leaves all that lies there then."""
    with monkeypatch.context() as patch:
        patch.setattr(place, name, crash)
        with pytest.raises(Cut):
            color(film, target, colorizer, **changes)
    assert folder_of(target).exists()


def test_a_film_that_has_its_name_is_done(film, whole, colorizer, tmp_path, monkeypatch):
    """A crash when only the work folder is left to be removed: the same command is content, and removes it."""
    target = tmp_path / "out.mkv"
    crashed(film, target, colorizer, monkeypatch, film_run, "clear")
    (folder_of(target) / "segments" / "000002.packets").unlink()
    target.touch()
    summary = color(film, target, colorizer)
    assert (summary.earlier, summary.frames) == (True, 100)
    assert target.read_bytes() == whole
    assert list(tmp_path.iterdir()) == [target]
    with pytest.raises(OutputError, match="exists already; add -y"):
        color(film, target, colorizer)


def test_a_film_that_is_whole_and_has_no_name_yet(film, whole, colorizer, tmp_path, monkeypatch):
    target = tmp_path / "out.mkv"
    crashed(film, target, colorizer, monkeypatch, atomic, "put")
    assert not target.exists()
    summary = color(film, target, colorizer)
    assert not summary.earlier
    assert target.read_bytes() == whole
    assert list(tmp_path.iterdir()) == [target]


def test_a_stranger_at_its_name_is_not_taken_for_it(film, whole, colorizer, tmp_path, monkeypatch):
    """Nor is it where something else is asked for."""
    target = tmp_path / "out.mkv"
    crashed(film, target, colorizer, monkeypatch, film_run, "clear")
    target.write_bytes(whole[:-1] + b"x")
    for options in (OPTIONS, replace(OPTIONS, restart=True)):
        with pytest.raises(OutputError, match="exists already; add -y"):
            color(film, target, colorizer, options=options)
    target.write_bytes(whole)
    for options in (replace(OPTIONS, crf=40.0), replace(OPTIONS, restart=True)):
        with pytest.raises(OutputError, match="exists already; add -y"):
            color(film, target, colorizer, options=options)


def test_what_lies_beside_the_film_is_written_too(film, whole, colorizer, tmp_path, monkeypatch):
    """A crash between the film's name and that of its cut list."""
    target, options = tmp_path / "out.mkv", replace(OPTIONS, sidecar="json", save_shots=(tmp_path / "shots.json",))
    crashed(film, target, colorizer, monkeypatch, film_run.Film, "tell", options=options)
    color(film, target, colorizer, options=options)
    assert target.read_bytes() == whole
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.mkv", "out.mkv.json", "shots.json"]


@pytest.mark.parametrize("length", [240, 246, 247, 255])
def test_the_folder_of_a_long_name(tmp_path, length):
    targets = [tmp_path / ("a" * (length - 5) + f"{n}.mkv") for n in range(2)]
    folders = [folder_of(target) for target in targets]
    assert len({*folders}) == 2
    for folder in folders:
        with locked(folder):
            assert folder.is_dir()
    assert folders == [folder_of(target) for target in targets]


def test_targets_of_one_name_do_not_meet_in_a_folder_for_work(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").symlink_to("a")
    work = tmp_path / "work"
    one, two = (folder_of(tmp_path / name / "out.mkv", work) for name in ("a", "c"))
    assert one.parent == two.parent == work
    assert one.name.startswith("out.mkv-")
    assert one != two
    assert folder_of(tmp_path / "b" / "out.mkv", work) == one
    monkeypatch.chdir(tmp_path / "a")
    assert folder_of(Path("out.mkv"), work) == one


def test_what_is_not_ours_stays(tmp_path):
    folder, target = tmp_path / "out.mkv.vidcolor", tmp_path / "out.mkv"
    with locked(folder):
        note = Note.begin(folder, target)
        for path in (folder / "mine.txt", folder / "plan.jsonl", partial_path(target, note.token), target):
            path.write_text("x")
        (folder / "segments").mkdir()
        for name in ("000000.packets", "000001.packets.part", "mine.packet"):
            (folder / "segments" / name).write_text("x")
        clear(folder)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"out.mkv", "out.mkv.vidcolor/mine.txt", "out.mkv.vidcolor/segments/mine.packet"}


@pytest.mark.parametrize("left", [(), ("guard",), ("lock", "guard")])
def test_the_last_that_a_crash_can_leave_goes(tmp_path, left):
    folder = tmp_path / "out.mkv.vidcolor"
    folder.mkdir()
    for name in left:
        (folder / name).write_text("")
    tidy(folder, tmp_path / "out.mkv")
    assert not folder.exists()


def test_what_is_begun_is_not_tidied(tmp_path):
    for name in ("plan.jsonl", "job.json", "mine.txt"):
        folder = tmp_path / f"{name}.vidcolor"
        folder.mkdir()
        (folder / name).write_text(json.dumps({"target": str(tmp_path / "out.mkv"), "token": "01234567", "made": None}))
        tidy(folder, tmp_path / "out.mkv")
        assert [path.name for path in folder.iterdir()] == [name]


def test_a_temporary_file_that_a_crash_has_left_goes(tmp_path):
    folder, target = tmp_path / "out.mkv.vidcolor", tmp_path / "out.mkv"
    with locked(folder):
        note = Note.begin(folder, target)
        left = partial_path(target, note.token)
        left.write_text("half a film")
        assert Note.begin(folder, target).token == note.token
        assert not left.exists()
