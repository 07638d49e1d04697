"""Shots through the whole program: cut lists in and out, sheets, and that a film is coloured shot by shot."""

import dataclasses
import json
import shutil
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from tests.conftest import SAMPLE, SHARED
from tests.films import read
from vidcolor.api import Colorizer
from vidcolor.cli.main import main
from vidcolor.errors import OptionError, OutputError
from vidcolor.film.hooks import Hooks
from vidcolor.film.run import colorize_film
from vidcolor.options import ColorizeOptions

PIECES = (0, 23, 40)  # first frames of the shots of `spliced`
LENGTH = 61


@pytest.fixture(scope="module")
def spliced(tmp_path_factory):
    """Three shots made of the sample, lossless: as it is, upside down, and a detail."""
    target = tmp_path_factory.mktemp("spliced") / "spliced.mp4"
    with av.open(str(SAMPLE)) as inp, av.open(str(target), "w") as out:
        video = inp.streams.video[0]
        copy = out.add_stream("libx264", rate=24, options={"qp": "0", "preset": "ultrafast"})
        copy.width, copy.height, copy.pix_fmt = video.width, video.height, "yuv420p"
        for i, frame in zip(range(LENGTH), inp.decode(video), strict=False):
            luma = frame.to_ndarray(format="gray")
            if PIECES[1] <= i < PIECES[2]:
                luma = luma[::-1]
            elif i >= PIECES[2]:
                half = luma[luma.shape[0] // 2 :, luma.shape[1] // 2 :]
                luma = np.repeat(np.repeat(half, 2, 0), 2, 1)[: luma.shape[0], : luma.shape[1]]
            made = av.VideoFrame.from_ndarray(np.ascontiguousarray(luma), "gray").reformat(format="yuv420p")
            made.pts, made.time_base = i, Fraction(1, 24)
            out.mux(copy.encode(made))
        out.mux(copy.encode(None))
    return target


def color(colorizer, source, target, **changes):
    options = dataclasses.replace(colorizer.options, codec="ffv1", overwrite=True, **changes)
    return colorize_film(source, target, colorizer.backend, options)


def planes(path):
    return [[bytes(p) for p in frame.planes] for frame in read(path).frames]


def pieces(colorizer, film, starts, rate, tmp_path):
    """The planes of the film's shots coloured one by one."""
    found = []
    for start, end in zip(starts, [*starts[1:], None], strict=True):
        times = {"start": float((start - Fraction(1, 2)) / rate) if start else None,
                 "end": float((end - Fraction(1, 2)) / rate) if end else None}  # fmt: skip
        color(colorizer, film, tmp_path / "piece.mkv", **times)
        found += planes(tmp_path / "piece.mkv")
    return found


def test_a_film_cut_at_its_shots_gets_the_same_chroma(colorizer, spliced, tmp_path):
    summary = color(colorizer, spliced, tmp_path / "whole.mkv")
    assert summary.shots == len(PIECES)
    assert pieces(colorizer, spliced, PIECES, Fraction(24), tmp_path) == planes(tmp_path / "whole.mkv")


@pytest.mark.skipif(not SHARED.exists(), reason="the clips are not here")
@pytest.mark.parametrize(("clip", "starts"), [("street_cut", (0, 61)), ("film_faces_cuts", (0, 62, 98))])
def test_a_clip_cut_at_its_shots_gets_the_same_chroma(colorizer, grey, tmp_path, clip, starts):
    film = grey(SHARED / "video" / f"{clip}.mp4")
    with av.open(str(film)) as container:
        rate = container.streams.video[0].average_rate
    assert color(colorizer, film, tmp_path / "whole.mkv").shots == len(starts)
    assert pieces(colorizer, film, starts, rate, tmp_path) == planes(tmp_path / "whole.mkv")


def test_shots_are_written_and_the_list_gives_the_same_film(colorizer, spliced, tmp_path):
    out, listed, sheet, pages = (tmp_path / n for n in ("out.mkv", "shots.json", "sheet.png", "sheet.pdf"))
    color(colorizer, spliced, out, save_shots=(listed, sheet, pages))
    content = json.loads(listed.read_text())
    assert [(s["start"], s["end"]) for s in content["shots"]] == [(0, 23), (23, 40), (40, LENGTH)]
    assert (content["source"], content["rate"]) == (spliced.name, "24")
    picture = np.asarray(Image.open(sheet)).astype(int)
    assert (picture.max(-1) - picture.min(-1) > 12).any()  # in colour
    assert pages.read_bytes().startswith(b"%PDF")
    found = planes(out)
    color(colorizer, spliced, out, shots=listed)
    assert planes(out) == found


def test_a_given_list_is_gone_by(colorizer, spliced, tmp_path):
    (tmp_path / "cuts.json").write_text("[0, 30]")
    summary = color(colorizer, spliced, tmp_path / "out.mkv", shots=tmp_path / "cuts.json")
    assert summary.shots == 2
    assert not summary.warnings
    (tmp_path / "cuts.json").write_text("[0, 30, 900]")
    summary = color(colorizer, spliced, tmp_path / "out.mkv", shots=tmp_path / "cuts.json")
    assert "behind the film's 61 frames" in summary.warnings[0]


def test_what_cannot_be_done_is_said_before_any_work(colorizer, spliced, tmp_path):
    with pytest.raises(OptionError, match=r"sheet.gif: cannot hold shots; end its name in"):
        ColorizeOptions(save_shots=(tmp_path / "sheet.gif",))
    with pytest.raises(OptionError, match="leave start out"):
        ColorizeOptions(shots=tmp_path / "cuts.json", start=3.0)
    (tmp_path / "there.json").write_text("mine")
    options = dataclasses.replace(colorizer.options, save_shots=(tmp_path / "there.json",))
    with pytest.raises(OutputError, match="exists already"):
        colorize_film(spliced, tmp_path / "out.mkv", colorizer.backend, options)
    assert (tmp_path / "there.json").read_text() == "mine"
    assert not (tmp_path / "out.mkv").exists()
    with pytest.raises(OptionError, match=r"nowhere.json: cannot be read"):
        color(colorizer, spliced, tmp_path / "out.mkv", shots=tmp_path / "nowhere.json")


def test_the_command_line_takes_shots_of_one_film_only(spliced, tmp_path, capsys):
    cuts = str(tmp_path / "cuts.json")
    assert main([str(spliced), str(SAMPLE), "-o", str(tmp_path), "--shots", cuts]) == 2
    assert "shots are those of one film" in capsys.readouterr().err
    assert main([str(spliced), "-o", str(tmp_path / "a.mkv"), "--shots", cuts, "-q"]) == 1
    assert f"{cuts}: cannot be read" in capsys.readouterr().err


def test_times_are_the_films_own_where_its_rate_varies(colorizer, tmp_path):
    """Twenty frames 40 ms apart, then a cut and frames 300 ms apart."""
    film, rng = tmp_path / "vfr.mkv", np.random.default_rng(0)
    pictures = [rng.integers(16, 235, (6, 8)).astype(np.uint8).repeat(16, 0).repeat(16, 1) for _ in range(2)]
    with av.open(str(film), "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "gray"
        stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        for i in range(30):
            frame = av.VideoFrame.from_ndarray(pictures[i >= 20], "gray")
            frame.pts, frame.time_base = 40 * min(i, 19) + 300 * max(0, i - 19), Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    color(colorizer, film, tmp_path / "out.mkv", save_shots=(tmp_path / "shots.json",))
    content = json.loads((tmp_path / "shots.json").read_text())
    assert content["rate"] is None
    assert [(s["start"], s["start_time"]) for s in content["shots"]] == [(0, 0.0), (20, pytest.approx(1.06))]


def test_pages_and_the_given_list_are_not_overwritten(colorizer, spliced, tmp_path):
    page, cuts = tmp_path / "sheet-1.png", tmp_path / "cuts.json"
    page.write_text("mine")
    cuts.write_text("[0, 30]")
    options = dataclasses.replace(colorizer.options, save_shots=(tmp_path / "sheet.png",))
    with pytest.raises(OutputError, match="may be in the way of a page"):
        colorize_film(spliced, tmp_path / "out.mkv", colorizer.backend, options)
    with pytest.raises(OutputError, match="is the cut list that is read"):
        color(colorizer, spliced, tmp_path / "out.mkv", shots=cuts, save_shots=(cuts,))
    assert (page.read_text(), cuts.read_text()) == ("mine", "[0, 30]")


def test_a_list_that_cannot_be_written_does_not_lose_the_film(colorizer, spliced, tmp_path):
    """Its folder goes while the film is coloured."""
    out, folder = tmp_path / "out.mkv", tmp_path / "lists"
    folder.mkdir()

    def progress(summary, total):
        shutil.rmtree(folder, ignore_errors=True)

    options = dataclasses.replace(colorizer.options, save_shots=(folder / "shots.json",), end=0.5)
    summary = colorize_film(spliced, out, colorizer.backend, options, hooks=Hooks(progress=progress))
    assert out.exists()
    assert "its folder does not exist" in summary.warnings[0]


def test_stills_have_no_shots(tmp_path):
    options = ColorizeOptions(backend="openvino", shots=tmp_path / "cuts.json")
    with Colorizer(options) as asked, pytest.raises(OptionError, match="is a still and has no shots"):
        asked.file(tmp_path / "photo.png", tmp_path / "out.png")
