"""A program of the user's colours the stills of a film; what it does wrong is one line, what it has done stays."""

import os
import struct
import sys
import threading
import time
from pathlib import Path

import av
import numpy as np
import pytest

from tests.commands import vidcolor
from tests.film.test_stills import scene, write
from vidcolor.cli.main import main
from vidcolor.errors import Cancelled, OptionError, OutputError
from vidcolor.film import run as film_run
from vidcolor.film.hooks import Hooks
from vidcolor.film.jobs import unfinished
from vidcolor.film.run import colorize_film
from vidcolor.film.work import folder_of
from vidcolor.options import ColorizeOptions

PAINT = """
import os, sys, time
from pathlib import Path
import numpy as np
from PIL import Image
here = Path(__file__).parent
given, wanted = Path(sys.argv[1]), Path(sys.argv[2])
calls = here / "calls.txt"
calls.write_text((calls.read_text() if calls.exists() else "") + given.name + "\\n")
mode = (here / "mode.txt").read_text()
grey = np.asarray(Image.open(given).convert("L")).astype(float)
side = np.where(np.arange(grey.shape[1]) < grey.shape[1] // 2, 30.0, -30.0)
rgb = np.dstack([grey + side, grey - side / 3, grey - side])
if mode == "fail" and len(calls.read_text().split()) > 1:
    print("loading", file=sys.stderr)
    sys.exit("CUDA error: out of memory")
if mode == "hang":
    (here / "pid.txt").write_text(str(os.getpid()))
    time.sleep(60)
if mode == "other":
    rgb = np.random.default_rng(1).uniform(0, 255, rgb.shape)
if mode == "shape":
    rgb = rgb.transpose(1, 0, 2)
if mode == "grey":
    rgb = np.dstack([grey, grey, grey])
picture = Image.fromarray(rgb.clip(0, 255).astype(np.uint8))
if mode == "half":
    picture = picture.resize((picture.width // 2, picture.height // 2))
if mode == "clear":
    picture.putalpha(0)
if mode == "text":
    wanted.write_text("no picture")
elif mode != "nothing":
    picture.save(wanted)
"""


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    """Two shots that stand still, of 12 frames each."""
    return write(tmp_path_factory.mktemp("film") / "film.mkv", [scene(1)] * 12 + [scene(2)] * 12)


@pytest.fixture
def painter(tmp_path):
    """Sets what the program does, and gives the command."""
    folder = tmp_path / "a folder"
    folder.mkdir()
    (folder / "paint.py").write_text(PAINT)

    def set_mode(mode: str) -> str:
        (folder / "mode.txt").write_text(mode)
        return f"'{sys.executable}' '{folder / 'paint.py'}' {{input}} {{output}}"

    set_mode.calls = lambda: (folder / "calls.txt").read_text().split()  # type: ignore[attr-defined]
    set_mode.folder = folder  # type: ignore[attr-defined]
    return set_mode


def color(film, target, colorizer, command, hooks=None, **changes):
    options = ColorizeOptions(codec="ffv1", size=96, references_by=command, **changes)
    return colorize_film(film, target, colorizer.backend, options, hooks=hooks)


def chroma(path: Path) -> np.ndarray:
    """The mean Cr of the left and the right half of each frame, less 128."""
    with av.open(str(path)) as container:
        planes = [frame.to_ndarray(format="yuv444p")[2].astype(float) - 128 for frame in container.decode(video=0)]
    return np.array([[plane[:, :80].mean(), plane[:, -80:].mean()] for plane in planes])


def test_stills_are_coloured_and_carried_through_their_shots(film, colorizer, painter, tmp_path):
    summary = color(film, tmp_path / "out.mkv", colorizer, painter("half"), verify=True)
    assert len(painter.calls()) == 2
    assert summary.notes[0].startswith("2 stills coloured by")
    found = chroma(tmp_path / "out.mkv")
    assert len(found) == 24
    assert found[:, 0].min() > 8  # red on the left, green on the right
    assert found[:, 1].max() < -8
    assert not folder_of(tmp_path / "out.mkv").exists()


def test_a_turned_film_is_given_and_taken_as_it_is_shown(colorizer, painter, tmp_path):
    film = write(tmp_path / "film.mp4", [scene(1)] * 6, codec="libx264")
    one, quarter = ((0x10000, 0, 0, 0, 0x10000), (0, 0x10000, 0, -0x10000, 0))
    before, after = (struct.pack(">9i", *matrix, 0, 0, 0, 0x40000000) for matrix in (one, quarter))
    data = film.read_bytes()
    assert data.count(before) == 2  # of the film, and of its track
    place = data.rindex(before)
    film.write_bytes(data[:place] + after + data[place + len(before) :])
    summary = color(film, tmp_path / "out.mkv", colorizer, painter("paint"))
    assert [note for note in summary.notes if "used at frame" in note]
    with av.open(str(tmp_path / "out.mkv")) as container:
        frame = next(container.decode(video=0))
        shown = np.rot90(frame.to_ndarray(format="yuv444p")[2].astype(float) - 128, frame.rotation // 90)
    assert shown.shape == (192, 128)
    assert shown[:, :50].mean() > 8
    assert shown[:, -50:].mean() < -8


def test_what_is_coloured_is_not_coloured_again(film, colorizer, painter, tmp_path):
    target = tmp_path / "out.mkv"
    with pytest.raises(OutputError, match=r"failed with exit status 1: CUDA error: out of memory"):
        color(film, target, colorizer, painter("fail"))
    assert not target.exists()
    (job,) = unfinished(tmp_path)
    assert job.size > 10_000
    first, failed = painter.calls()
    color(film, target, colorizer, painter("paint"))
    assert painter.calls() == [first, failed, failed]
    color(film, tmp_path / "whole.mkv", colorizer, painter("paint"))
    assert target.read_bytes() == (tmp_path / "whole.mkv").read_bytes()
    assert not folder_of(target).exists()


def test_another_command_or_restart_colours_anew(film, colorizer, painter, tmp_path):
    for command, changes in (
        (painter("fail") + " more", {}),
        (painter("fail"), {}),
        (painter("fail"), {"restart": True}),
    ):
        (painter.folder / "calls.txt").unlink(missing_ok=True)
        with pytest.raises(OutputError, match="out of memory"):
            color(film, tmp_path / "out.mkv", colorizer, command, **changes)
        assert len(painter.calls()) == 2
    assert not (tmp_path / "out.mkv").exists()


def test_a_film_that_was_begun_with_another_command_is_refused_before_that_is_run(
    film, colorizer, painter, tmp_path, monkeypatch
):
    command = painter("paint")
    with monkeypatch.context() as patch:
        patch.setattr(film_run, "assemble", lambda *_, **__: (_ for _ in ()).throw(OSError("power cut")))
        with pytest.raises(OSError, match="power cut"):
            color(film, tmp_path / "out.mkv", colorizer, command)
    with pytest.raises(OutputError, match=r"references_by was .* --restart"):
        color(film, tmp_path / "out.mkv", colorizer, command + " more")
    assert len(painter.calls()) == 2
    color(film, tmp_path / "out.mkv", colorizer, command)
    assert len(painter.calls()) == 2
    assert not folder_of(tmp_path / "out.mkv").exists()


@pytest.mark.parametrize(
    ("mode", "fault"),
    [("nothing", "wrote nothing"), ("text", "no picture"), ("grey", "a grey picture"), ("clear", "shows nothing"),
     ("other", "another picture"), ("shape", "another shape, 128 x 192 for 192 x 128")],
)  # fmt: skip
def test_what_is_of_no_use_is_refused(film, colorizer, painter, tmp_path, mode, fault):
    with pytest.raises(OutputError, match=fault) as told:
        color(film, tmp_path / "out.mkv", colorizer, painter(mode))
    assert "ref_0000" in str(told.value)
    assert not (tmp_path / "out.mkv").exists()
    assert not folder_of(tmp_path / "out.mkv").exists()  # nothing is done that could be kept


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_program_that_hangs_is_ended(film, colorizer, painter, tmp_path):
    with pytest.raises(OutputError, match=r"was not done after 1 s .*--references-timeout"):
        color(film, tmp_path / "out.mkv", colorizer, painter("hang"), references_timeout=1.0)
    assert not alive(int((painter.folder / "pid.txt").read_text()))


def test_it_can_be_stopped_while_the_program_runs(film, colorizer, painter, tmp_path):
    cancel, command = threading.Event(), painter("hang")

    def stop():
        while not (painter.folder / "pid.txt").exists():
            time.sleep(0.05)
        cancel.set()

    thread = threading.Thread(target=stop)
    thread.start()
    with pytest.raises(Cancelled):
        color(film, tmp_path / "out.mkv", colorizer, command, hooks=Hooks(cancel=cancel))
    thread.join()
    assert not alive(int((painter.folder / "pid.txt").read_text()))
    assert not (tmp_path / "out.mkv").exists()


@pytest.mark.parametrize(
    ("command", "fault"),
    [("paint {input}", "lacks {output}"), ("paint {input} {out}", "{out} is not known"), ("", "lacks {input}"),
     ("paint '{input} {output}", "cannot be split")],
)  # fmt: skip
def test_a_command_that_cannot_be_is_refused(command, fault):
    with pytest.raises(OptionError) as told:
        ColorizeOptions(references_by=command)
    assert fault in str(told.value)


def test_what_cannot_be_is_one_line(film, painter, tmp_path, capsys):
    command = painter("paint")
    for arguments, fault in (
        (["--references-by", "no-such-program {input} {output}"], "no-such-program is no program"),
        (["--references-by", command, "--start", "1"], "leave start out"),
        (["--references-by", command, "--reference", str(film)], "both given"),
        (["--references-by", command, "--preview"], "references are for films"),
        (["--references-by", command, "--references-timeout", "0"], "out of range"),
    ):
        assert main([str(film), "-o", str(tmp_path / "out.mkv"), "-q", *arguments]) != 0
        said = capsys.readouterr().err
        assert fault in said, arguments
        assert len(said.splitlines()) == 1
    assert not (tmp_path / "out.mkv").exists()


def test_the_command_fails_in_one_line_and_the_program_stays_quiet(film, painter, tmp_path):
    done = vidcolor(film, "-o", tmp_path / "out.mkv", "-q", "--references-by", painter("fail"))
    assert done.returncode == 1
    assert "CUDA error: out of memory; what is coloured is kept for the next run" in done.stderr
    assert len(done.stderr.splitlines()) == 1
