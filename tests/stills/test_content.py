"""A still is a still by its content, whatever its name says."""

import io
import os
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.conftest import SAMPLE
from tests.films import read
from tests.stills.inputs import tiff
from vidcolor.errors import InputError
from vidcolor.stills.content import format_of, is_still
from vidcolor.stills.formats import ending_for
from vidcolor.stills.heif import PACKAGES
from vidcolor.stills.read import read_still

KINDS = ("JPEG", "PNG", "TIFF", "WEBP", "BMP", "PPM", "JPEG2000", "AVIF", "GIF", "QOI")
ENDINGS = (".jfif", ".JPG_original", ".dat", "", ".mp4", ".mkv", ".jpg", ".png")


def encoded(picture, kind, **extra) -> bytes:
    out = io.BytesIO()
    image = Image.fromarray(picture)
    image.convert("RGB" if kind in ("QOI", "AVIF") else image.mode).save(out, kind, **extra)
    return out.getvalue()


@pytest.mark.parametrize("kind", KINDS)
def test_stills_of_any_name(colorizer, tmp_path, photo, kind):
    data = encoded(photo[:96, :128], kind)
    for i, ending in enumerate(ENDINGS):
        source = tmp_path / f"scan {i}{ending}"
        source.write_bytes(data)
        assert is_still(source)
    colorizer.file(source, tmp_path / "out.tif")
    assert Image.open(tmp_path / "out.tif").size == (128, 96)


@pytest.mark.parametrize("name", ["film.jpg", "film.png", "film", "film.mkv"])
def test_films_of_any_name(tmp_path, short_film, name):
    (tmp_path / name).write_bytes(short_film.read_bytes())
    assert not is_still(tmp_path / name)


def test_a_film_that_is_called_a_photograph(colorizer, tmp_path, short_film):
    (tmp_path / "film.jpg").write_bytes(short_film.read_bytes())
    assert colorizer.file(tmp_path / "film.jpg", tmp_path / "out.mkv").frames == 12
    assert len(read(tmp_path / "out.mkv").frames) == 12


@pytest.mark.parametrize(("kind", "name"), [("GIF", "in.jpeg"), ("PNG", "in.png")])
def test_animations_are_films_unless_a_still_is_wanted(colorizer, tmp_path, photo, kind, name):
    more = [Image.fromarray(np.roll(photo[:96, :128], 9 * i)) for i in (1, 2, 3)]
    (tmp_path / name).write_bytes(encoded(photo[:96, :128], kind, save_all=True, append_images=more))
    assert not is_still(tmp_path / name)
    assert not is_still(tmp_path / name, "out.mkv")
    assert is_still(tmp_path / name, "out.png")
    assert colorizer.file(tmp_path / name, tmp_path / "out.mkv").frames == 4


def test_first_bytes():
    assert format_of(b"BMW is a car") == ""
    assert format_of(b"P5 480 360 255 ") == "PPM"
    assert format_of(b"\0\0\0\x20ftypisom") == "film"
    assert format_of(b"\0\0\0\x1cftypavif\0\0\0\0mif1avif") == "AVIF"
    assert format_of(b"\0\0\0\x18ftypmif1\0\0\0\0avif") == "AVIF"
    assert format_of(b"\0\0\0\x18ftypheic\0\0\0\0mif1") == "HEIF"
    assert format_of((b"\x47" + bytes(187)) * 2) == "film"
    assert format_of(b"") == ""
    assert format_of(SAMPLE.read_bytes()[:512]) == "film"


def test_the_ending_of_a_result():
    given = {
        (".jfif", "JPEG"): ".jfif", (".mp4", "JPEG"): ".jpg", (".jpg", "PNG"): ".png", (".jp2", "JPEG2000"): ".png",
        ("", "TIFF"): ".tif", (".tiff", ""): ".tiff", (".heic", "HEIF"): ".png",
    }  # fmt: skip
    assert {k: ending_for(*k) for k in given} == given


def test_motion_jpeg_is_a_film(tmp_path, photo):
    (tmp_path / "camera.mjpeg").write_bytes(encoded(photo, "JPEG") * 3)
    assert not is_still(tmp_path / "camera.mjpeg")


def test_addresses_and_missing_files_go_by_their_names(tmp_path):
    assert is_still("http://server/picture.jpg")
    assert not is_still("http://server/picture.jpg", "out.mkv")  # a camera that sends one after the other
    assert not is_still("rtsp://camera/picture.jpg")
    assert is_still(tmp_path / "gone.heic")
    assert not is_still(tmp_path / "gone.mp4")
    assert is_still("-", "out.png")
    assert not is_still("-", "out.mkv")
    assert not is_still("-")


def heic(picture) -> bytes:
    heif = pytest.importorskip("pillow_heif")
    out = io.BytesIO()
    heif.from_pillow(Image.fromarray(picture)).save(out, quality=100, chroma=444)
    return out.getvalue()


def tiled(picture, side: int) -> bytes:
    """A HEIC as telephones write it: a grid of tiles, each coded alone (ISO/IEC 23008-12, 6.6.2.3)."""
    rows, columns = (n // side for n in picture.shape)
    tiles = [heic(np.ascontiguousarray(picture[y * side :][:side, x * side :][:, :side]))
             for y in range(rows) for x in range(columns)]  # fmt: skip
    config = box_in(tiles[0], b"hvcC")
    coded = [box_in(tile, b"mdat")[8:] for tile in tiles]
    count = len(tiles)
    height, width = picture.shape
    grid = b"\0\0" + bytes((rows - 1, columns - 1)) + width.to_bytes(2, "big") + height.to_bytes(2, "big")
    hidden = {b"hvc1": b"\1", b"grid": b"\0"}
    items = b"".join(full(b"infe", b"\2\0\0" + hidden[kind] + i.to_bytes(2, "big") + b"\0\0" + kind + b"\0")
                     for i, kind in [*((i + 1, b"hvc1") for i in range(count)), (count + 1, b"grid")])  # fmt: skip
    uses = full(b"dimg", (count + 1).to_bytes(2, "big") + count.to_bytes(2, "big")
                + b"".join((i + 1).to_bytes(2, "big") for i in range(count)))  # fmt: skip
    extents = [full(b"ispe", bytes(4) + w.to_bytes(4, "big") + h.to_bytes(4, "big"))
               for w, h in ((side, side), (width, height))]  # fmt: skip
    ties = b"".join((i + 1).to_bytes(2, "big") + b"\2\x81\2" for i in range(count))
    ties += (count + 1).to_bytes(2, "big") + b"\1\3"
    properties = full(b"iprp", full(b"ipco", config + extents[0] + extents[1])
                      + full(b"ipma", bytes(4) + (count + 1).to_bytes(4, "big") + ties))  # fmt: skip

    def meta(start: int) -> bytes:
        places, at = b"", start
        for i, data in enumerate([*coded, grid]):
            places += (i + 1).to_bytes(2, "big") + b"\0\0\0\1" + at.to_bytes(4, "big") + len(data).to_bytes(4, "big")
            at += len(data)
        iloc = full(b"iloc", bytes(4) + b"\x44\0" + (count + 1).to_bytes(2, "big") + places)
        parts = [
            full(b"hdlr", bytes(8) + b"pict" + bytes(13)), full(b"pitm", bytes(4) + (count + 1).to_bytes(2, "big")),
            iloc, full(b"iinf", bytes(4) + (count + 1).to_bytes(2, "big") + items), full(b"iref", bytes(4) + uses),
            properties,
        ]  # fmt: skip
        return full(b"ftyp", b"heic" + bytes(4) + b"mif1heic") + full(b"meta", bytes(4) + b"".join(parts))

    return meta(len(meta(0)) + 8) + full(b"mdat", b"".join(coded) + grid)


def full(kind: bytes, content: bytes) -> bytes:
    return (len(content) + 8).to_bytes(4, "big") + kind + content


def box_in(data: bytes, kind: bytes) -> bytes:
    at = data.index(kind) - 4
    return data[at : at + int.from_bytes(data[at : at + 4], "big")]


def test_heic(colorizer, tmp_path, photo):
    (tmp_path / "in.heic").write_bytes(heic(photo))
    assert is_still(tmp_path / "in.heic")
    colorizer.file(tmp_path / "in.heic", tmp_path / "out.png")
    assert Image.open(tmp_path / "out.png").size == (640, 480)
    assert np.abs(read_still(tmp_path / "in.heic").page().signal / 257.0 - photo).mean() < 1.5


def test_heic_in_tiles(tmp_path, photo):
    """All of it, and not the first tile."""
    picture = np.ascontiguousarray(photo[:256, :512])
    (tmp_path / "in.heic").write_bytes(tiled(picture, 128))
    still = read_still(tmp_path / "in.heic")
    assert still.left_out == []
    assert still.page().signal.shape == (256, 512)
    assert np.abs(still.page().signal / 257.0 - picture).mean() < 1.5


def test_heic_without_a_package_is_refused(tmp_path, photo, monkeypatch):
    (tmp_path / "in.jpg").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1" + bytes(99))
    assert is_still(tmp_path / "in.jpg")
    for package in PACKAGES:
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match="pip install pi-heif"):
        read_still(tmp_path / "in.jpg")


def test_tiff_in_both_orders_and_big(tmp_path, photo):
    for order in "<>":
        assert is_still(tiff(tmp_path / "a.bin", (photo, {}), order=order))
    big = b"II+\0\x08\0\0\0" + bytes(56)
    (tmp_path / "b").write_bytes(big)
    assert is_still(tmp_path / "b")


def test_a_pipe_is_what_its_target_is(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert is_still(tmp_path / "pipe", "out.png")
    assert not is_still(tmp_path / "pipe", "out.mkv")
    assert not is_still(tmp_path / "pipe")


def test_opencv_writes_what_we_take_for_its_kind(photo):
    for ending, kind in {".pgm": "PPM", ".pfm": "PPM", ".jp2": "JPEG2000", ".tiff": "TIFF", ".webp": "WEBP"}.items():
        ok, data = cv2.imencode(ending, photo.astype(np.float32) / 255 if ending == ".pfm" else photo)
        assert ok
        assert format_of(data.tobytes()[:512]) == kind
