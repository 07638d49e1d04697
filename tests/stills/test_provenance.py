"""Who has coloured a still, how, and that it shows what its source does."""

import dataclasses
import hashlib
import io
import json

import numpy as np
import pytest
from PIL import Image

from tests.sidecars import read_sidecar
from tests.stills.inputs import exif, jpeg_with, png_with, tiff
from vidcolor.errors import OutputError
from vidcolor.provenance import credit
from vidcolor.stills import image as still_image
from vidcolor.stills.exif import tree
from vidcolor.stills.read import read_still
from vidcolor.video.framemd5 import framemd5


@pytest.fixture
def said(colorizer):
    return credit(colorizer.model.identity)


def color(colorizer, source, target, **changes):
    return colorizer.file(source, target, dataclasses.replace(colorizer.options, overwrite=True, **changes))


def software(path):
    """What a still says in the place where its format has that."""
    image = Image.open(path)
    if image.format == "JPEG":
        return image.info.get("comment", b"").decode()
    return image.text.get("Software", "") if image.format == "PNG" else image.getexif().get(305, "")


def source_with(path, kind, photo, text):
    """A still that says `text` in the place where its format has that."""
    if kind == ".jpg":
        return jpeg_with(path, photo, *[(0xFE, text.encode())] * bool(text))
    if kind == ".png":
        return png_with(path, photo, **({"tEXt": b"Software\0" + text.encode()} if text else {}))
    tags = {305: ("s", text.encode() + b"\0")} if text else {}
    if kind == ".tif":
        return tiff(path, (photo, tags))
    Image.fromarray(photo).convert("RGB").save(path, "WEBP", exif=b"Exif\0\0" + exif(tags) if tags else b"")
    return path


@pytest.mark.parametrize("kind", [".jpg", ".png", ".tif", ".webp"])
@pytest.mark.parametrize("text", ["", "Scanner 7"])
def test_a_still_says_who_has_coloured_it(colorizer, tmp_path, photo, said, kind, text):
    source, target = source_with(tmp_path / f"in{kind}", kind, photo[::4, ::4], text), tmp_path / f"out{kind}"
    assert color(colorizer, source, target).warnings == []
    assert software(target) == (f"{text}; {said}" if text else said)
    color(colorizer, target, tmp_path / f"again{kind}")
    assert software(tmp_path / f"again{kind}") == software(target), "it is said once"
    color(colorizer, source, target, tag=False)
    assert software(target) == text


def test_the_credit_drives_nothing_out(colorizer, tmp_path, photo, said):
    """A comment that leaves no room for it, and makers' notes that must not be moved."""
    long = jpeg_with(tmp_path / "long.jpg", photo[::4, ::4], (0xFE, b"x" * 65530))
    assert color(colorizer, long, tmp_path / "out.jpg").warnings == []
    assert Image.open(tmp_path / "out.jpg").info["comment"] == b"x" * 65530
    at = len(exif({34665: ("I", 0)}))
    notes = exif({34665: ("I", at)}) + directory_of_notes(at)
    camera = jpeg_with(tmp_path / "camera.jpg", photo[::4, ::4], (0xE1, b"Exif\0\0" + notes))
    assert color(colorizer, camera, tmp_path / "out.webp").warnings == []
    kept = read_still(tmp_path / "out.webp").page().metadata.exif
    assert [c.tag for e in tree(kept) for c in e.children] == [37500]


def directory_of_notes(at):
    from tests.stills.inputs import directory

    return directory("<", {37500: ("u", b"maker's")}, at)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".webp", ".bmp"])
@pytest.mark.parametrize("compare", [False, True])
def test_a_sidecar_says_how_a_still_was_made(colorizer, tmp_path, photo, suffix, compare):
    source, target = png_with(tmp_path / "in.png", photo), tmp_path / f"out{suffix}"
    summary = color(colorizer, source, target, sidecar="json", compare=compare)
    found = read_sidecar(tmp_path / f"out{suffix}.json")
    assert found["source"]["fixity"]["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert found["target"]["fixity"]["sha256"] == hashlib.sha256(target.read_bytes()).hexdigest()
    assert found["model"]["sha256"] == colorizer.model.metadata["sha256"]
    assert found["recipe"]["options"]["compare"] is compare
    (page,) = found["pages"]
    signal = photo.astype("<u2") * 257
    assert page["luma"]["source"]["sha256"] == hashlib.sha256(signal.tobytes()).hexdigest()
    assert page["luma"]["psnr"] > (45 if suffix in (".png", ".tif", ".bmp") else 35)
    assert (page["width"], page["height"], page["depth"]) == (640, 480, 8)
    assert found["notes"] == summary.notes
    assert summary.notes[0].startswith("verified: 1 picture, luma as in the source at ")
    before = (tmp_path / f"out{suffix}.json").read_bytes()
    color(colorizer, source, target, sidecar="json", compare=compare)
    assert (tmp_path / f"out{suffix}.json").read_bytes() == before


def test_every_page_is_in_it(colorizer, tmp_path, fine):
    source = tiff(tmp_path / "in.tif", (fine, {}), (fine[::-1], {274: ("H", 6)}))
    color(colorizer, source, tmp_path / "out.tif", sidecar="json")
    pages = read_sidecar(tmp_path / "out.tif.json")["pages"]
    assert [(p["width"], p["height"], p["depth"]) for p in pages] == [(320, 240, 16), (240, 320, 16)]
    assert all(p["luma"]["equal"] for p in pages), "16 bits hold the luma exactly"


def test_checksums_as_ffmpeg_has_them(colorizer, tmp_path, photo):
    color(colorizer, png_with(tmp_path / "in.png", photo), tmp_path / "out.png", framemd5="auto")
    found = (tmp_path / "out.png.framemd5").read_bytes()
    assert found == framemd5(tmp_path / "out.png")
    assert b"#dimensions 0: 640x480\n" in found


def test_a_still_that_shows_something_else_gets_no_name(colorizer, tmp_path, photo, monkeypatch):
    source = png_with(tmp_path / "in.png", photo)
    colored = still_image.colored
    monkeypatch.setattr(still_image, "colored", lambda *args: np.ascontiguousarray(colored(*args)[:, ::-1]))
    for changes in ({"verify": True}, {"sidecar": "json"}):
        with pytest.raises(OutputError, match=r"out\.png: page 1 does not show what the source's does"):
            color(colorizer, source, tmp_path / "out.png", **changes)
    assert [p.name for p in tmp_path.iterdir()] == ["in.png"]


def test_a_pipe_as_source_has_a_name_alone(colorizer, tmp_path, photo):
    source = png_with(tmp_path / "in.png", photo)
    with open(source, "rb", buffering=0) as file:
        stream = io.BytesIO(file.read())
    options = dataclasses.replace(colorizer.options, sidecar="json")
    still_image.colorize_still(stream, tmp_path / "out.png", colorizer.backend, options)
    assert json.loads((tmp_path / "out.png.json").read_text())["source"] == {"original_name": "standard input"}
    read_sidecar(tmp_path / "out.png.json")
