"""`vidcolor jobs`: what is unfinished below a folder, and its removal."""

import json
import os
import pty
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tests.commands import vidcolor
from tests.film.test_segments import color, make_film
from tests.film.test_work import broken
from vidcolor.film.owner import LOCK, Owner
from vidcolor.film.work import Note, folder_of, locked


@pytest.fixture(scope="module")
def begun(tmp_path_factory, colorizer):
    """A film that was stopped when 40 of its 100 frames were done."""
    folder = tmp_path_factory.mktemp("begun")
    film = make_film(folder / "film.mkv", {20, 40, 60, 80}, 100, sound=False)
    with pytest.MonkeyPatch.context() as patch:
        assert broken(film, folder / "out.mkv", colorizer, patch, 2) == 2
    return folder


@pytest.fixture
def tree(begun, tmp_path):
    """That film in a folder, and an empty work folder, one that is held elsewhere, and a user's own."""
    place = tmp_path / "a [b]" / "out.mkv.vidcolor"
    shutil.copytree(folder_of(begun / "out.mkv"), place)
    with locked(place):
        Note.begin(place, place.parent / "out.mkv")
    away = tmp_path / "c" / "away.mkv.vidcolor"
    away.mkdir(parents=True)
    with locked(away):
        Note.begin(away, tmp_path / "c" / "away.mkv")
        (away / "segments").mkdir()
        (away / "segments" / "000000.packets").write_bytes(b"x" * 1000)
    (away / LOCK).write_text(json.dumps(asdict(replace(Owner.this(), host="attic", boot="b"))))
    (tmp_path / "mine.vidcolor").mkdir()
    (tmp_path / "mine.vidcolor" / "notes.txt").write_text("x")
    return tmp_path


def test_what_is_unfinished_is_listed(tree, begun):
    told = json.loads(vidcolor("jobs", "--json", tree).stdout)
    one, two = told["jobs"]
    assert (one["target"], one["source"]) == (str(tree / "a [b]" / "out.mkv"), str(begun / "film.mkv"))
    assert (one["frames"], one["of"], one["owner"]) == (40, 100, None)
    assert one["bytes"] > 1000
    assert (two["target"], two["frames"], two["owner"]["host"]) == (str(tree / "c" / "away.mkv"), 0, "attic")
    text = vidcolor("jobs", tree).stdout
    for shown in (f"a [b]/out.mkv: 40 of 100 frames of {begun / 'film.mkv'}, 0.", "on attic since 20"):
        assert shown in text
    assert "mine" not in text
    assert [j["target"] for j in json.loads(vidcolor("jobs", "--json", Path(one["folder"])).stdout)["jobs"]] == [
        one["target"]
    ]


def test_clean_removes_what_nobody_holds(tree):
    refused = vidcolor("jobs", "clean", tree, stdin=subprocess.DEVNULL)
    assert refused.returncode == 2
    assert "1 unfinished film, 0." in refused.stderr
    assert "add -y" in refused.stderr
    assert (tree / "a [b]" / "out.mkv.vidcolor").exists()
    done = vidcolor("jobs", "clean", "-y", tree)
    assert done.returncode == 0
    assert done.stdout.startswith(f"1 unfinished film removed in {tree} and below, 0.")
    assert "kept, process" in done.stderr
    assert sorted(p.name for p in tree.rglob("*.vidcolor")) == ["away.mkv.vidcolor", "mine.vidcolor"]
    assert list((tree / "a [b]").iterdir()) == []
    assert "0 unfinished films removed" in vidcolor("jobs", "clean", tree).stdout


@pytest.mark.parametrize(("answer", "status"), [("y", 0), ("n", 1), ("", 1)])
def test_clean_asks(tree, answer, status):
    leader, terminal = pty.openpty()
    command = [sys.executable, "-m", "vidcolor", "jobs", "clean", "--json", str(tree)]
    process = subprocess.Popen(command, stdin=terminal, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    os.write(leader, answer.encode() + b"\n")
    out, err = process.communicate(timeout=30)
    os.close(leader)
    os.close(terminal)
    assert process.returncode == status
    assert "Remove what was done of 1 unfinished film, 0." in err
    assert (tree / "a [b]" / "out.mkv.vidcolor").exists() == (status == 1)
    if status == 0:
        told = json.loads(out)
        assert [len(told["removed"]), len(told["kept"])] == [1, 1]
        assert told["freed"] == told["removed"][0]["bytes"]


def test_nothing_and_nowhere(tmp_path):
    assert vidcolor("jobs", tmp_path).stdout == f"nothing unfinished in {tmp_path} and below\n"
    assert json.loads(vidcolor("jobs", "--json", tmp_path).stdout)["jobs"] == []
    gone = vidcolor("jobs", tmp_path / "gone")
    assert (gone.returncode, gone.stdout) == (2, "")
    assert "no such file or directory; name another folder" in gone.stderr
    assert vidcolor("jobs", "a", "b").returncode == 2


def test_what_is_listed_goes_on(begun, colorizer):
    assert "40 of 100 frames" in vidcolor("jobs", begun).stdout
    assert "40 frames were done already; going on from there" in color(
        begun / "film.mkv", begun / "out.mkv", colorizer
    ).notes  # fmt: skip
    assert sorted(path.name for path in begun.iterdir()) == ["film.mkv", "out.mkv"]
