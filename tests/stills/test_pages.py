"""Files of several pictures: all pages where the target holds them, else one line that counts the rest."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.stills.inputs import jpeg_with, tiff
from vidcolor.errors import InputError
from vidcolor.stills.read import read_still

FILM = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(2000)


def luma(pixels):
    return pixels.astype(float) @ [0.2126, 0.7152, 0.0722]


@pytest.mark.parametrize("deep", [False, True])
def test_all_pages_of_a_tiff(colorizer, tmp_path, photo, fine, deep):
    first = fine if deep else photo
    pages = [first, np.ascontiguousarray(first[:, ::-1]), np.ascontiguousarray(first[:150, :200])]
    named = [{270: ("s", f"page {i}\0".encode()), 274: ("H", 1 + 2 * (i == 1))} for i in range(3)]
    source = tiff(tmp_path / "in.tif", *zip(pages, named, strict=True))
    summary = colorizer.file(source, tmp_path / "out.tif")
    assert (summary.frames, summary.warnings) == (3, [])
    _, found = cv2.imreadmulti(str(tmp_path / "out.tif"), flags=cv2.IMREAD_UNCHANGED)
    pages[1] = pages[1][::-1, ::-1]
    for i, (out, page) in enumerate(zip(found, pages, strict=True)):
        assert out.dtype == page.dtype
        assert np.abs(luma(out[..., ::-1]) - page).max() < (4 if deep else 1)
        image = Image.open(tmp_path / "out.tif")
        image.seek(i)
        assert image.tag_v2[270] == f"page {i}"
    for suffix in (".png", ".jpg"):
        warnings = colorizer.file(source, tmp_path / f"out{suffix}").warnings
        assert warnings[0] == f"left out: 2 more pages, for {suffix} holds one and .tif all"


@pytest.mark.parametrize("said", [False, True])
@pytest.mark.parametrize("where", ["first", "last"])
def test_a_thumbnail_is_no_page(colorizer, tmp_path, photo, said, where):
    small = cv2.resize(photo, (128, 96), interpolation=cv2.INTER_AREA)
    pages = [(small, {254: ("I", 1)} if said else {}), (photo, {})]
    source = tiff(tmp_path / "in.tif", *(pages if where == "first" else pages[::-1]))
    summary = colorizer.file(source, tmp_path / "out.png")
    assert (summary.frames, summary.warnings) == (1, [])
    assert np.abs(luma(np.asarray(Image.open(tmp_path / "out.png"))) - photo).max() < 1


def test_a_small_page_of_its_own_is_one(colorizer, tmp_path, photo):
    """Of the same shape as another, but another picture."""
    small = cv2.resize(np.ascontiguousarray(photo[::-1]), (128, 96), interpolation=cv2.INTER_AREA)
    source = tiff(tmp_path / "in.tif", (small, {}), (photo, {}))
    assert colorizer.file(source, tmp_path / "out.tif").frames == 2


def test_masks_are_no_pages(tmp_path, photo):
    mask = tiff(tmp_path / "in.tif", (photo, {}), (photo, {254: ("I", 4), 262: ("H", 4)}))
    assert read_still(mask).count == 1


def test_a_film_in_a_photograph(colorizer, tmp_path, photo):
    xmp = b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta GCamera:MotionPhoto="1" GCamera:MicroVideo="1"/>'
    source = jpeg_with(tmp_path / "in.MP.jpg", photo, (0xE1, xmp), behind=FILM)
    assert colorizer.file(source, tmp_path / "out.jpg").warnings == ["left out: the film in the photograph"]
    out = (tmp_path / "out.jpg").read_bytes()
    assert FILM[:12] not in out
    assert b'MotionPhoto="0" GCamera:MicroVideo="0"' in out


def test_a_jpeg_of_several_pictures(colorizer, tmp_path, photo):
    others = [Image.fromarray(photo[::2, ::2]), Image.fromarray(photo[::4, ::4])]
    Image.fromarray(photo).save(tmp_path / "in.jpg", "MPO", save_all=True, append_images=others)
    assert colorizer.file(tmp_path / "in.jpg", tmp_path / "out.jpg").warnings == ["left out: 2 more pictures"]
    assert Image.open(tmp_path / "out.jpg").format == "JPEG"


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP"])
def test_an_animation_into_a_still(colorizer, tmp_path, photo, kind):
    frames = [Image.fromarray(np.roll(photo, 9 * i)) for i in range(4)]
    source = tmp_path / f"in.{kind.lower()}"
    frames[0].save(
        source, kind, save_all=True, append_images=frames[1:], **({"lossless": True} if kind == "WEBP" else {})
    )
    assert colorizer.file(source, tmp_path / "out.png").warnings == ["left out: 3 more frames"]
    assert np.abs(luma(np.asarray(Image.open(tmp_path / "out.png"))) - photo).max() < 2


def test_a_cameras_raw_file_is_no_scan(tmp_path, photo):
    """Its preview would be read, and coloured for the picture."""
    with pytest.raises(InputError, match="raw data"):
        read_still(tiff(tmp_path / "in.dng", (photo, {50706: ("B", (1, 4, 0, 0))})))
    with pytest.raises(InputError, match="raw data"):
        read_still(tiff(tmp_path / "in.tif", (photo, {}), (photo, {262: ("H", 32803)})))


def test_pages_that_lead_in_a_circle(tmp_path, photo):
    path = tiff(tmp_path / "in.tif", (photo, {}), (photo, {}))
    data = bytearray(path.read_bytes())
    first = int.from_bytes(data[4:8], "little")
    second = int.from_bytes(data[first + 122 : first + 126], "little")
    data[second + 122 : second + 126] = first.to_bytes(4, "little")
    assert read_still(io.BytesIO(bytes(data))).count == 2
