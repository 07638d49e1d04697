"""What a still tells beside its pixels arrives, in 8 and 16 bits, and what cannot is named."""

import struct
import warnings
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.stills.inputs import directory, exif, jpeg_with, png_with, tiff
from vidcolor.pictures.profiles import srgb
from vidcolor.provenance import credit
from vidcolor.stills.exif import cleaned, tree
from vidcolor.stills.metadata import SOFTWARE
from vidcolor.stills.read import read_still

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF/></x:xmpmeta>'
IPTC = b"\x1c\x02x\x00\x08A picnic"
PHOTOSHOP = (
    b"Photoshop 3.0\0" + b"8BIM\x03\xed\0\0\0\0\0\4abcd" + b"8BIM\4\4\0\0" + struct.pack(">I", 13) + IPTC + b"\0"
)
TAGS = {270: ("s", b"A picnic\0"), 315: ("s", b"A. Person\0"), 33432: ("s", b"Archive\0")}
RESOLUTION = {282: ("R", (6000000, 10000)), 283: ("R", (3000000, 10000)), 296: ("H", 2)}


def full_jpeg(path, photo):
    block = exif(TAGS | RESOLUTION | {274: ("H", 6)}, ">")
    xmp = XMP.replace(b"<rdf:RDF", b'<rdf:RDF tiff:Orientation="6"')
    return jpeg_with(
        path, photo,
        (0xE1, b"Exif\0\0" + block), (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp), (0xED, PHOTOSHOP),
        (0xFE, b"scan 17"), dpi=(600, 300),
    )  # fmt: skip


def full_tiff(path, pixels):
    tags = TAGS | RESOLUTION | {700: ("B", tuple(XMP)), 33723: ("u", IPTC), 274: ("H", 6)}
    return tiff(path, (pixels, tags))


def told(path):
    return read_still(path).page().metadata


@pytest.mark.parametrize("target", [".jpg", ".png", ".tif", ".webp", ".bmp"])
@pytest.mark.parametrize("kind", ["jpg", "8.tif", "16.tif"])
def test_all_that_the_target_can_hold(colorizer, tmp_path, photo, fine, kind, target):
    source, out = tmp_path / f"in.{kind}", tmp_path / f"out{target}"
    if kind == "jpg":
        full_jpeg(source, photo)
    else:
        full_tiff(source, photo if kind == "8.tif" else fine)
    summary = colorizer.file(source, out)
    found = told(out)
    missing = {".jpg": "", ".png": "IPTC", ".tif": "", ".webp": "IPTC", ".bmp": "EXIF, XMP, IPTC"}[target]
    if kind == "jpg" and target not in (".jpg", ".png"):
        missing += ", comment" if missing else "comment"
    expected = [f"left out, for {target} cannot hold it: {missing}"] if missing else []
    assert [w for w in summary.warnings if "16 bits" not in w] == expected
    if target != ".webp":
        assert np.allclose(found.dpi, (300, 600), rtol=1e-3)  # turned with the picture
    if target != ".bmp":
        texts = {e.tag: e.data.rstrip(b"\0") for e in tree(found.exif)}
        assert (texts[270], texts[315], texts[33432]) == (b"A picnic", b"A. Person", b"Archive")
        assert found.orientation == 1
        assert b"xmpmeta" in found.xmp
        assert b'Orientation="6"' not in found.xmp
    if target in (".jpg", ".tif"):
        assert found.iptc == IPTC
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = Image.open(out)
        image.load()
    assert image.size == ((480, 640) if kind != "16.tif" else (240, 320))
    if target != ".bmp":
        assert image.info["icc_profile"] == srgb()


def test_what_others_read(colorizer, tmp_path, fine):
    """Pillow finds in our 16-bit TIFF and PNG what we think we wrote."""
    full_tiff(tmp_path / "in.tif", fine)
    for suffix in (".tif", ".png"):
        colorizer.file(tmp_path / "in.tif", tmp_path / f"out{suffix}")
        image = Image.open(tmp_path / f"out{suffix}")
        assert image.getexif()[270] == "A picnic"
        assert np.allclose(image.info["dpi"], (300, 600), rtol=1e-3)
        assert image.info["xmp"] == XMP
        pixels = cv2.imread(str(tmp_path / f"out{suffix}"), cv2.IMREAD_UNCHANGED)
        assert pixels.dtype == np.uint16
        assert np.abs(pixels[..., ::-1] @ [0.2126, 0.7152, 0.0722] - np.rot90(fine, -1)).max() < 4


def test_texts_of_a_png(colorizer, tmp_path, photo):
    packed = b"Story\0\0" + zlib.compress(b"long ago " * 99)
    long = b"Author\0\0\0de\0Autor\0" + "Käthe Ω".encode()
    source = png_with(tmp_path / "in.png", photo, tEXt=b"Title\0Grandmother, 1931", zTXt=packed, iTXt=long,
                      pHYs=struct.pack(">IIB", 23622, 23622, 1))  # fmt: skip
    assert colorizer.file(source, tmp_path / "out.png").warnings == []
    image = Image.open(tmp_path / "out.png")
    texts = {"Title": "Grandmother, 1931", "Story": "long ago " * 99, "Author": "Käthe Ω"}
    assert image.text == texts | {"Software": credit(colorizer.model.identity)}
    assert round(image.info["dpi"][0]) == 600
    for suffix in (".jpg", ".tif", ".webp", ".bmp"):
        lines = colorizer.file(source, tmp_path / f"out{suffix}").warnings
        assert lines == [f"left out, for {suffix} cannot hold it: text"]


def test_profiles_that_imagemagick_keeps_as_text(colorizer, tmp_path, photo):
    block = b"Exif\0\0" + exif(TAGS | {274: ("H", 3)})
    text = b"Raw profile type exif\0\nexif\n%8d\n%s\n" % (len(block), block.hex().encode())
    source = png_with(tmp_path / "in.png", photo, tEXt=text)
    assert colorizer.file(source, tmp_path / "out.png").warnings == []
    image = Image.open(tmp_path / "out.png")
    assert list(image.text) == ["Software"]
    assert image.getexif()[270] == "A picnic"
    np.testing.assert_array_equal(told(tmp_path / "out.png").orientation, 1)
    np.testing.assert_array_equal(read_still(source).page().signal[::-1, ::-1], photo.astype(np.uint16) * 257)


WRONG = {
    271: ("H", 7), 306: ("B", (1, 2, 3, 4, 5)), 282: ("R", (300, 1, 300, 1)), 36867: ("s", b"1938:05:01 10:00:00\0"),
    37378: ("s", b"f/8\0"), 33434: ("s", b"1/60 s\0"), 40961: ("R", (1, 0)),
}  # fmt: skip


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_exif_tags_of_a_wrong_type_are_left_out(colorizer, tmp_path, photo, order, suffix, capfd):
    source = jpeg_with(tmp_path / "in.jpg", photo, (0xE1, b"Exif\0\0" + exif(TAGS | WRONG, order)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        summary = colorizer.file(source, tmp_path / f"out{suffix}")
    assert summary.warnings == ["6 damaged EXIF tags left out"]
    tags = [e.tag for e in tree(told(tmp_path / f"out{suffix}").exif)]
    assert [tag for tag in tags if tag != SOFTWARE] == [270, 315, 33432, 36867]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("tag", [34853, 34665, 270])
def test_exif_pointers_beyond_the_end(colorizer, tmp_path, photo, tag, capfd):
    block = bytearray(exif({315: ("s", b"A. Person\0"), tag: ("s", b"123456\0") if tag == 270 else ("I", 60000)}))
    if tag == 270:
        at = block.index(struct.pack("<HHI", 270, 2, 7))
        struct.pack_into("<I", block, at + 8, 60000)
    source = jpeg_with(tmp_path / "in.jpg", photo, (0xE1, b"Exif\0\0" + bytes(block)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert colorizer.file(source, tmp_path / "out.jpg").warnings == ["1 damaged EXIF tag left out"]
    assert Image.open(tmp_path / "out.jpg").getexif() == {315: "A. Person"}
    assert capfd.readouterr() == ("", "")


def test_makers_notes_stay_where_their_addresses_point():
    """Cleaning moves no value: what holds addresses into the block stays true."""
    inner = {37500: ("u", b"maker's note with addresses"), 33434: ("s", b"wrong")}
    head = exif({34665: ("I", 0), 274: ("H", 6)})
    at = len(head)
    block = exif({34665: ("I", at), 274: ("H", 6)}) + directory("<", inner, at)
    out, bad = cleaned(block)
    assert (len(out), bad) == (len(block), 1)
    assert out.index(b"maker's note") == block.index(b"maker's note")
    assert [c.tag for e in tree(out) for c in e.children] == [37500]


def test_makers_notes_that_would_be_moved_are_named(colorizer, tmp_path, photo):
    at = len(exif({34665: ("I", 0)}))
    block = exif({34665: ("I", at)}) + directory("<", {37500: ("u", b"maker's"), 36867: ("s", b"1938:05:01\0")}, at)
    source = jpeg_with(tmp_path / "in.jpg", photo, (0xE1, b"Exif\0\0" + block), dpi=(600, 600))
    assert colorizer.file(source, tmp_path / "out.jpg").warnings == []
    assert b"maker's" in (tmp_path / "out.jpg").read_bytes()
    lines = [colorizer.file(source, tmp_path / f"out{suffix}").warnings for suffix in (".tif", ".webp")]
    assert lines == [["left out, for .tif cannot hold it: the camera's own notes"],
                     ["left out, for .webp cannot hold it: resolution"]]  # fmt: skip
    assert [c.tag for e in tree(told(tmp_path / "out.tif").exif) for c in e.children] == [36867]


def test_damaged_exif_is_read_in_bounds():
    """And what is written then has no damage left."""
    for seed in range(2000):
        rng = np.random.default_rng(seed)
        block = bytearray(exif(TAGS | RESOLUTION | WRONG | {34665: ("I", 8), 34853: ("I", 20)}, "<>"[seed % 2]))
        for at in rng.integers(0, len(block), 1 + seed % 9):
            block[at] = rng.integers(0, 256)
        out, _ = cleaned(bytes(block[: rng.integers(1, len(block) + 1)]))
        if out:
            assert cleaned(out) == (out, 0), seed
