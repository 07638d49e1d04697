"""Work folders: their names, what a crash leaves in them, and what is removed."""

import os
from pathlib import Path

import pytest

from tests.film.test_segments import color, make_film
from vidcolor.atomic import partial_path
from vidcolor.film.plan import FilmPlan, read_plan
from vidcolor.film.work import Note, clear, folder_of, locked


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Five segments: shots that begin at 20, 40, 60 and 80."""
    return make_film(tmp_path_factory.mktemp("film") / "film.mkv", {20, 40, 60, 80}, 100, sound=False)


def broken(film, target, colorizer, monkeypatch, after: int) -> int:
    """A run that breaks when the plan has `after` segments; how many a reader of the plan sees."""
    add = FilmPlan.add

    def fail(self, *args, **named):
        add(self, *args, **named)
        if len(self.segments) == after:
            raise OSError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(FilmPlan, "add", fail)
        with pytest.raises(OSError, match="power cut"):
            color(film, target, colorizer)
    return len(read_plan(folder_of(target))[0].segments)


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


def test_a_temporary_file_that_a_crash_has_left_goes(tmp_path):
    folder, target = tmp_path / "out.mkv.vidcolor", tmp_path / "out.mkv"
    with locked(folder):
        note = Note.begin(folder, target)
        left = partial_path(target, note.token)
        left.write_text("half a film")
        assert Note.begin(folder, target).token == note.token
        assert not left.exists()
