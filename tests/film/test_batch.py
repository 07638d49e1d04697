"""Which files of a folder are taken, where they go, and what is said of the rest."""

import os

import numpy as np
import pytest
from PIL import Image

from vidcolor.errors import OptionError
from vidcolor.film.batch import Job, plan_batch


@pytest.fixture
def reel(tmp_path):
    """A folder, and a function that puts stills and empty files into it."""
    folder = tmp_path / "reel"

    def put(*names, content=b""):
        for name in names:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return folder

    return put


def plan(sources, output) -> list[Job]:
    return plan_batch(sources, output).jobs


def names(jobs, root):
    return [os.path.relpath(job.source, root) for job in jobs]


def still(path, kind="PNG", size=(40, 30)):
    Image.fromarray(np.full(size[::-1], 90, np.uint8)).save(path, kind)


def test_hidden_folders_and_those_of_systems_are_no_photographs(reel):
    folder = reel("a.jpg", "deep/b.jpg", ".trash/c.jpg", ".d.jpg", "._a.jpg", "@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg",
                  "#recycle/e.jpg", "__MACOSX/f.jpg", "deep/.git/g.jpg")  # fmt: skip
    batch = plan_batch([str(folder)], None)
    assert names(batch.jobs, folder) == ["a.jpg", "deep/b.jpg"]
    assert batch.notes == []
    assert names(plan([str(folder / ".trash")], None), folder) == [".trash/c.jpg"]  # named, it is meant


def test_work_folders_are_passed_over_and_a_users_own_is_not(reel):
    folder = reel("a.mp4", "a-color.mp4.vidcolor/plan.jsonl", "a-color.mp4.vidcolor/segments/000000.packets",
                  ".vidcolor.jsonl", "my.vidcolor/b.jpg")  # fmt: skip
    batch = plan_batch([str(folder)], None)
    assert names(batch.jobs, folder) == ["a.mp4", "my.vidcolor/b.jpg"]
    assert batch.notes == []


def test_what_is_passed_over_is_said_once(reel, tmp_path):
    folder = reel("a.jpg", "notes.txt", "more.txt", "a.srt", "raw.nef", "README")
    (folder / "linked").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe.png")
    assert plan_batch([str(folder)], None).notes == [
        f"{folder}: 5 files of unknown kind skipped: .txt (2), no ending (1), .nef (1), .srt (1)",
        f"{folder}: 1 linked folder skipped: linked; name them to colour what is in them",
        f"{folder}: 1 pipe or device skipped: pipe.png",
    ]


def test_folders_that_cannot_be_read(reel, monkeypatch):
    folder, scandir = reel("a.jpg", "closed/b.jpg"), os.scandir

    def refuse(path):
        if os.path.basename(path) in closed:
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    closed = {"closed"}
    monkeypatch.setattr(os, "scandir", refuse)
    batch = plan_batch([str(folder)], None)
    assert names(batch.jobs, folder) == ["a.jpg"]
    assert batch.notes == [f"{folder}: 1 folder that cannot be read skipped: closed"]
    closed = {"reel"}
    with pytest.raises(OptionError, match="cannot be read, permission denied"):
        plan([str(folder)], None)


def test_results_are_not_coloured_again(reel):
    folder = reel("a.jpg", "b.mp4", "sky-color.jpg")
    wanted = ["a.jpg", "b.mp4", "sky-color.jpg"]
    out = [str(folder / "out"), f"{folder}/../reel/out/"]
    for output in (None, out[0]):
        jobs = plan([str(folder)], output)
        assert names(jobs, folder) == wanted
        for job in jobs:
            job.target.parent.mkdir(exist_ok=True)
            job.target.write_bytes(b"done")
    for output in out:
        batch = plan_batch([str(folder)], output)
        assert names(batch.jobs, folder) == wanted
        assert batch.notes == [
            f"{folder}: 3 results of an earlier run skipped: a-color.jpg, b-color.mp4, sky-color-color.jpg"
        ]


def test_a_folder_may_be_called_like_a_still(reel, tmp_path):
    folder = reel("scans.tif/a.jpg", "b.jpg")
    assert names(plan([str(folder)], None), folder) == ["b.jpg", "scans.tif/a.jpg"]
    assert names(plan([str(folder / "scans.tif")], str(tmp_path / "out")), folder) == ["scans.tif/a.jpg"]


def test_targets_go_by_content(tmp_path, short_film):
    for name, kind in {
        "photo.mp4": "JPEG",
        "scan": "TIFF",
        "in.jpg": "PNG",
        "x.jfif": "JPEG",
        "1. Take": "PNG",
    }.items():
        still(tmp_path / name, kind)
    (tmp_path / "film.jpg").write_bytes(short_film.read_bytes())
    more = [Image.fromarray(np.full((30, 40), i, np.uint8)) for i in (1, 2)]
    Image.new("L", (40, 30)).save(tmp_path / "gif.jpeg", "GIF", save_all=True, append_images=more)
    made = {n: plan([str(tmp_path / n)], None)[0].target.name for n in os.listdir(tmp_path)}
    assert made == {
        "photo.mp4": "photo-color.jpg", "scan": "scan-color.tif", "in.jpg": "in-color.png", "x.jfif": "x-color.jfif",
        "film.jpg": "film-color.mkv", "gif.jpeg": "gif-color.mkv", "1. Take": "1. Take-color.png",
    }  # fmt: skip
    assert {os.path.basename(j.source) for j in plan([str(tmp_path)], "out/")} == set(made) - {"1. Take"}


def test_names_that_look_like_addresses(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("Film: part 2.mp4", "12:30.mkv", "concat:other.mp4"):
        (tmp_path / name).touch()
        assert plan([name], None)[0].target.name == name.replace(".m", "-color.m")
    (tmp_path / "http:" / "host").mkdir(parents=True)
    (tmp_path / "http:" / "host" / "a.jpg").touch()
    assert [j.source for j in plan(["http://host"], "out/")] == ["http:/host/a.jpg"]


@pytest.mark.parametrize("length", [240, 250, 255])
def test_long_names_fit(tmp_path, length):
    name = "ä" * ((length - 4) // 2) + "x" * (length % 2) + ".jp2"
    beside = plan([str(tmp_path / name)], None)[0].target.name
    below = plan([str(tmp_path / name)], "out/")[0].target.name
    for made in (beside, below):
        assert len(os.fsencode(made)) <= 255
        (tmp_path / made).touch()
    assert beside.endswith("-color.png")


def test_two_that_would_become_one(reel):
    folder = reel("a.png", "a.jp2", "b.avi", "b.mkv")
    made = {os.path.basename(j.source): j.target.name for j in plan([str(folder)], "out")}
    assert made == {"a.png": "a.png", "a.jp2": "a.jp2.png", "b.avi": "b.avi.mkv", "b.mkv": "b.mkv"}
    beside = {os.path.basename(j.source): j.target.name for j in plan([str(folder)], None)}
    assert beside["a.jp2"] == "a.jp2-color.png"
    with pytest.raises(OptionError, match="would both become"):
        plan(["one/a.mp4", "two/a.mp4"], "out/")


def test_a_newline_in_a_name_makes_no_line_in_a_note(reel):
    folder = reel("a.jpg", "b.x\ny")
    assert all("\n" not in note for note in plan_batch([str(folder)], None).notes)


def test_an_existing_file_without_ending_is_a_target(tmp_path):
    (tmp_path / "out").touch()
    assert plan(["a.jpg"], str(tmp_path / "out"))[0].target == tmp_path / "out"
    assert plan(["a.jpg"], "/dev/null")[0].target.name == "null"
