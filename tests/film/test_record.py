"""What was made is not made twice, and nothing is taken for made that was not."""

import json
import os
import shutil
from dataclasses import replace

import pytest
from PIL import Image

from tests.film.test_work import Cut, crash
from vidcolor import ColorizeOptions, atomic
from vidcolor.cli.main import main
from vidcolor.errors import OutputError, VidcolorError
from vidcolor.film import run as film_run
from vidcolor.film.names import RECORDS
from vidcolor.film.recipe import SourceFacts
from vidcolor.film.record import Made, Records

OPTIONS = ColorizeOptions(size=64, preset="ultrafast")


@pytest.fixture(params=["still", "film"])
def job(request, tmp_path, short_film):
    """A source, and where it goes."""
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    if request.param == "still":
        Image.linear_gradient("L").save(tmp_path / "in" / "a.png")
        return tmp_path / "in" / "a.png", tmp_path / "out" / "a.png"
    shutil.copy(short_film, tmp_path / "in" / "a.mp4")
    return tmp_path / "in" / "a.mp4", tmp_path / "out" / "a.mp4"


def made(colorizer, job, options=OPTIONS) -> bool:
    """Whether the job had to be done."""
    colorizer.records.clear()  # as in another process
    return not colorizer.file(*job, options, recorded=True).earlier


def test_it_is_made_once(colorizer, job):
    source, target = job
    assert made(colorizer, job)
    first = target.stat()
    for options in (OPTIONS, replace(OPTIONS, overwrite=True)):
        assert not made(colorizer, job, options)
    assert target.stat() == first
    assert sorted(path.name for path in target.parent.iterdir()) == [RECORDS, target.name]
    source.parent.rename(source.parent.with_name("moved"))  # a disk that is mounted elsewhere
    assert not made(colorizer, (source.parent.with_name("moved") / source.name, target))


@pytest.mark.parametrize("what", ["time", "byte", "option", "target", "restart", "no record"])
def test_what_may_be_another_is_refused_as_before(colorizer, job, what):
    source, target = job
    options = OPTIONS
    assert made(colorizer, job)
    if what == "time":
        os.utime(source, (1, 1))
    elif what == "byte":
        facts, data = source.stat(), bytearray(source.read_bytes())
        data[-1] ^= 1
        source.write_bytes(data)
        os.utime(source, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    elif what == "option":
        options = replace(OPTIONS, strength=0.5)
    elif what == "target":
        target.write_bytes(target.read_bytes()[:-1] + b"x")
    elif what == "restart":
        options = replace(OPTIONS, restart=True)
    else:
        (target.parent / RECORDS).unlink()
    before = target.read_bytes()
    with pytest.raises(OutputError, match="exists already; add -y to replace it"):
        made(colorizer, job, options)
    assert target.read_bytes() == before
    if what != "byte":  # which may have damaged the source
        assert made(colorizer, job, replace(options, overwrite=True))
        assert not made(colorizer, job, replace(options, restart=False))


def test_a_crash_before_or_after_it_gets_its_name(colorizer, job, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(atomic, "put", crash)
        with pytest.raises(Cut):
            made(colorizer, job)
    assert made(colorizer, job)
    assert not made(colorizer, job)


def test_a_crash_before_the_work_folder_goes(colorizer, short_film, tmp_path, monkeypatch):
    target = tmp_path / "a.mp4"
    with monkeypatch.context() as patch:
        patch.setattr(film_run, "clear", crash)
        with pytest.raises(Cut):
            made(colorizer, (short_film, target))
    assert sorted(path.name for path in tmp_path.iterdir()) == [RECORDS, "a.mp4", "a.mp4.vidcolor"]
    assert not made(colorizer, (short_film, target))
    assert sorted(path.name for path in tmp_path.iterdir()) == [RECORDS, "a.mp4"]


def test_lines_that_say_nothing(tmp_path):
    (tmp_path / "source").write_bytes(b"film")
    (tmp_path / "target").write_bytes(b"coloured")
    facts = SourceFacts.of(str(tmp_path / "source"))
    done = Made.of(facts, "wish", tmp_path / "target")
    writer, reader = Records(tmp_path), Records(tmp_path)
    assert not reader.find(tmp_path / "target", facts, "wish")
    for torn in (b'{"target": "tar', b'{"target": "target", "made": {"new": 1}}\n', b"\0\0\0", b"[]\n"):
        with open(tmp_path / RECORDS, "ab") as file:
            file.write(torn)
        assert not reader.find(tmp_path / "target", facts, "other wish")
    writer.add(tmp_path / "target", done)
    for records in (reader, Records(tmp_path)):
        assert records.find(tmp_path / "target", facts, "wish")
        assert not records.find(tmp_path / "other", facts, "wish")
    writer.add(tmp_path / "target", replace(done, wish="later wish"))
    assert not reader.find(tmp_path / "target", facts, "wish")
    assert not Made.of(SourceFacts.of("http://host/film"), "w", tmp_path / "target").answers(
        SourceFacts.of("http://host/film"), "w"
    )


def test_an_address_keeps_its_secrets():
    facts = SourceFacts.of("http://user:secret@host:8000/film.mp4?token=secret")
    assert facts.name == "http://host/film.mp4"
    assert facts != SourceFacts.of("http://user:secret@host:8000/film.mp4?token=other")


def test_a_batch_goes_on(tmp_path, short_film, capsys):
    """What is done is passed over, what was changed is told, and what is missing is made."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.png", "b.png", "c.png"):
        Image.linear_gradient("L").save(folder / name)
    shutil.copy(short_film, folder / "d.mp4")
    command = [str(folder), "-o", str(tmp_path / "out"), "--size", "64"]
    assert main([*command, "-q"]) == 0
    (tmp_path / "out" / "b.png").unlink()
    os.utime(folder / "c.png", (1, 1))
    assert main([*command, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [(file["target"][-5:], file["earlier"]) for file in told["files"]] == [
        ("a.png", True), ("b.png", False), ("d.mp4", True),
    ]  # fmt: skip
    (failed,) = told["failed"]
    assert "c.png: exists already; add -y to replace it" in failed["error"]
    assert main([*command, "-y"]) == 0
    said = capsys.readouterr().err
    assert "4 done (3 of them before), 0 failed" in said
    assert f"{tmp_path / 'out' / 'a.png'}: was made before" in said


def test_what_cannot_be_read_has_no_record(colorizer, tmp_path, monkeypatch):
    """The line that tells of it is that of a single file."""
    for source, options in (
        (tmp_path / "gone.mp4", OPTIONS),
        (tmp_path / "a.mp4", replace(OPTIONS, shots=tmp_path / "gone.json")),
        ("http://user:secret@localhost:9/a.mp4", OPTIONS),
    ):
        (tmp_path / "a.mp4").write_bytes(b"x")
        with pytest.raises(VidcolorError):
            colorizer.file(source, tmp_path / "out.mp4", options, recorded=True)
    assert not (tmp_path / RECORDS).exists()
