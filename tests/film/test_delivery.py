"""What lies beside a film, and what its metadata says: all of it true, and none of it without the film."""

import dataclasses
import hashlib
import json
import os

import av
import pytest

from tests.conftest import SAMPLE
from tests.sidecars import read_sidecar
from vidcolor import __version__
from vidcolor.atomic import AtomicFile
from vidcolor.companions import Companions
from vidcolor.errors import OptionError, OutputError
from vidcolor.film.run import colorize_film
from vidcolor.models.files import ModelIdentity
from vidcolor.options import ColorizeOptions
from vidcolor.provenance import FORMAT
from vidcolor.video.framemd5 import framemd5

MODEL = ModelIdentity("small", "ab" * 32)
OPTIONS = ColorizeOptions(size=64, preset="ultrafast", sidecar="json", framemd5="auto")
CREDIT = f"coloured by vidcolor {__version__}, model small"


def color(colorizer, source, target, **changes):
    options = dataclasses.replace(OPTIONS, **changes)
    return colorize_film(source, target, colorizer.backend, options, model=MODEL)


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("lossless", [True, False])
def test_a_sidecar_says_how_a_film_was_made(colorizer, tmp_path, lossless):
    target = tmp_path / "out.mkv"
    changes = {"codec": "ffv1", "preset": None} if lossless else {}
    summary = color(colorizer, SAMPLE, target, end=1.0, **changes)
    assert names(tmp_path) == ["out.mkv", "out.mkv.framemd5", "out.mkv.json"]
    found = read_sidecar(tmp_path / "out.mkv.json")
    assert found["creating_application"] == {"name": "vidcolor", "version": __version__}
    assert found["model"] == {"name": "small", "sha256": MODEL.sha256}
    assert found["source"]["original_name"] == SAMPLE.name
    assert found["source"]["size"] == SAMPLE.stat().st_size
    assert found["source"]["fixity"]["sha256"] == sha256(SAMPLE)
    assert found["target"]["fixity"]["sha256"] == sha256(target)
    assert found["video"]["encoder"] == ("ffv1" if lossless else "libx264")
    assert found["recipe"]["versions"]["libavcodec"]
    assert found["recipe"]["options"]["end"] == 1.0
    luma = found["video"]["luma"]
    assert found["video"]["frames"] == summary.frames == 30
    assert luma["equal"] is lossless
    assert (luma["source"] == luma["target"]) is lossless
    assert luma["psnr"] is None if lossless else 20 < luma["psnr"] < 80
    (sound,) = found["streams"]
    assert sound["packets"] > 20
    assert found["warnings"] == summary.warnings
    assert found["notes"] == summary.notes
    assert (tmp_path / "out.mkv.framemd5").read_bytes() == framemd5(target)


def test_the_digest_of_luma_is_that_of_the_samples(colorizer, short_film, tmp_path):
    from tests.films import read

    color(colorizer, short_film, tmp_path / "out.mkv", codec="ffv1", preset=None)
    luma = b"".join(plane.tobytes() for plane in read(short_film).luma)
    found = read_sidecar(tmp_path / "out.mkv.json")["video"]["luma"]
    assert found["source"]["sha256"] == found["target"]["sha256"] == hashlib.sha256(luma).hexdigest()


def test_the_files_are_there_before_the_film_has_its_name(colorizer, short_film, tmp_path, monkeypatch):
    seen, commit = [], AtomicFile.commit

    def spy(self):
        seen.append((self.target.name, [n for n in names(tmp_path) if n.startswith("out")]))
        commit(self)

    monkeypatch.setattr(AtomicFile, "commit", spy)
    color(colorizer, short_film, tmp_path / "out.mp4")
    assert seen[-1] == ("out.mp4", ["out.mp4.framemd5", "out.mp4.json", "out.mp4.vidcolor"])


def test_no_file_stays_without_its_film(colorizer, short_film, tmp_path, monkeypatch):
    """The target appears while the film is coloured: nothing is replaced, and nothing lies beside it."""
    put = Companions.put

    def late(self, path, data):
        put(self, path, data)
        (tmp_path / "out.mp4").write_bytes(b"another's")

    monkeypatch.setattr(Companions, "put", late)
    with pytest.raises(OutputError, match="exists already"):
        color(colorizer, short_film, tmp_path / "out.mp4")
    assert (tmp_path / "out.mp4").read_bytes() == b"another's"
    assert [n for n in names(tmp_path) if n.endswith((".json", ".framemd5"))] == []


def test_what_a_crash_has_left_is_replaced_and_nothing_else(colorizer, short_film, tmp_path):
    beside, target = tmp_path / "out.mp4.json", tmp_path / "out.mp4"
    beside.write_text('{"mine": 1}')
    with pytest.raises(OutputError, match=r"out\.mp4\.json: exists already; add -y"):
        color(colorizer, short_film, target)
    assert names(tmp_path) == ["out.mp4.json"]
    beside.write_text(json.dumps({"format": FORMAT}))
    (tmp_path / "out.mp4.framemd5").write_text("#format: frame checksums\n")
    color(colorizer, short_film, target)
    assert read_sidecar(beside)["target"]["fixity"]["sha256"] == sha256(target)
    before = beside.read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        color(colorizer, short_film, target)
    assert beside.read_bytes() == before
    color(colorizer, short_film, target, overwrite=True)
    assert beside.read_bytes() == before, "it holds something of the run"


def test_the_checksums_go_where_they_are_wanted(colorizer, short_film, tmp_path):
    color(colorizer, short_film, tmp_path / "out.mp4", framemd5=tmp_path / "sums.txt", sidecar=None)
    assert names(tmp_path) == ["out.mp4", "sums.txt"]
    for path in (tmp_path / "other.mp4", tmp_path / "other.mp4.json"):
        with pytest.raises(OptionError, match="named for two things"):
            color(colorizer, short_film, tmp_path / "other.mp4", framemd5=path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_nothing_lies_beside_a_pipe(colorizer, short_film, tmp_path):
    os.mkfifo(tmp_path / "out.mkv")
    with pytest.raises(OptionError, match=r"out\.mkv: is a pipe, and nothing lies beside one"):
        color(colorizer, short_film, tmp_path / "out.mkv")


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
@pytest.mark.parametrize("said", ["", "Reel two; damp"])
def test_a_film_says_who_has_coloured_it(colorizer, short_film, tmp_path, suffix, said):
    source = tmp_path / "source.mkv"
    with av.open(str(short_film)) as inp, av.open(str(source), "w") as out:
        copy = out.add_stream_from_template(inp.streams.video[0], opaque=True)
        out.metadata.update({"title": "A film", "comment": said} if said else {"title": "A film"})
        for packet in inp.demux(video=0):
            if packet.dts is not None:
                packet.stream = copy
                out.mux(packet)
    target = tmp_path / f"out{suffix}"
    color(colorizer, source, target, sidecar=None, framemd5=None, preset=None, end=0.2)
    assert tags(target) == {"title": "A film", "comment": f"{said}; {CREDIT}" if said else CREDIT}
    color(colorizer, target, tmp_path / f"again{suffix}", sidecar=None, framemd5=None, preset=None)
    assert tags(tmp_path / f"again{suffix}") == tags(target), "it is said once"
    color(colorizer, source, target, sidecar=None, framemd5=None, preset=None, end=0.2, tag=False, overwrite=True)
    assert tags(target) == ({"title": "A film", "comment": said} if said else {"title": "A film"})


def tags(path):
    with av.open(str(path)) as film:
        return {k.lower(): v for k, v in film.metadata.items() if k.lower() in ("title", "comment")}
