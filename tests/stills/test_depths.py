"""Samples of all depths and kinds come out as bright as they went in, and nothing else writes to the terminal."""

import os
import re
from contextlib import suppress
from fractions import Fraction

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from tests.conftest import SHARED
from tests.stills.inputs import png_with, tiff
from vidcolor.errors import InputError
from vidcolor.pictures.quiet import faults
from vidcolor.stills.read import read_still

CASES = SHARED / "cases"


def signal(path):
    return read_still(path).page().signal


def close(found, expected, bits):
    """Within a step of the source's samples."""
    assert np.abs(found.astype(int) - expected.astype(int)).max() <= 65535 / (2**bits - 1)


GREY, COLOUR = False, True
MADE = [("pnm", GREY), ("pnm", COLOUR), ("tif", GREY), ("tif", COLOUR), ("jp2", GREY)]  # no encoder here for the sixth


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize(("kind", "colour"), MADE)
def test_bits_between_8_and_16(tmp_path, fine, bits, colour, kind):
    samples = np.rint(fine * ((2**bits - 1) / 65535)).astype(np.uint16)
    pixels = np.repeat(samples[..., None], 3, 2) if colour else samples
    path = tmp_path / f"in.{kind}"
    if kind == "tif":
        tiff(path, (pixels, {"bits": bits}))
    elif kind == "pnm":
        head = f"P{6 if colour else 5}\n# made\n{fine.shape[1]} {fine.shape[0]}\n{2**bits - 1}\n".encode()
        path.write_bytes(head + pixels.astype(">u2").tobytes())
    else:
        path.write_bytes(jp2(pixels, bits))
    page = read_still(path).page()
    assert page.depth == 16
    close(page.signal, fine, bits)
    assert page.signal.max() > 0.98 * fine.max()


def jp2(pixels: np.ndarray, bits: int) -> bytes:
    """Lossless, by FFmpeg's encoder, which takes grey of 10 to 16 bits."""
    import av

    frame = av.VideoFrame(pixels.shape[1], pixels.shape[0], f"gray{bits}le")
    plane = np.frombuffer(memoryview(frame.planes[0]), np.uint16).reshape(len(pixels), -1)
    plane[:, : pixels.shape[1]] = pixels
    encoder = av.CodecContext.create("jpeg2000", "w")
    encoder.width, encoder.height, encoder.pix_fmt = pixels.shape[1], pixels.shape[0], frame.format.name
    encoder.time_base, encoder.options = Fraction(1, 25), {"pred": "dwt53", "format": "jp2"}
    return b"".join(bytes(p) for p in [*encoder.encode(frame), *encoder.encode(None)])


@pytest.mark.parametrize("bits", [10, 12])
def test_avif(tmp_path, fine, bits):
    samples = np.rint(fine * ((2**bits - 1) / 65535)).astype(np.uint16)
    settings = [cv2.IMWRITE_AVIF_DEPTH, bits, cv2.IMWRITE_AVIF_QUALITY, 100]
    assert cv2.imwrite(str(tmp_path / "in.avif"), samples, settings)
    page = read_still(tmp_path / "in.avif").page()
    assert page.depth == 16
    close(page.signal, fine, bits - 3)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_white_is_zero(tmp_path, fine, bits, order):
    samples = np.rint(fine * ((2**bits - 1) / 65535)).astype(np.uint8 if bits == 8 else np.uint16)
    black = tiff(tmp_path / "black.tif", (samples, {"bits": bits}), order=order)
    white = tiff(tmp_path / "white.tif", (2**bits - 1 - samples, {"bits": bits, 262: ("H", 0)}), order=order)
    np.testing.assert_array_equal(signal(white), signal(black))


@pytest.mark.parametrize("turn", range(1, 9))
def test_an_orientation_is_applied_to_8_and_16_bits_alike(tmp_path, fine, turn):
    small = (fine >> 8).astype(np.uint8)
    deep = signal(tiff(tmp_path / "16.tif", (small.astype(np.uint16) * 257, {274: ("H", turn)})))
    flat = signal(tiff(tmp_path / "8.tif", (small, {274: ("H", turn)}), order=">"))
    exif = Image.Exif()
    exif[0x0112] = turn
    Image.fromarray(small).save(tmp_path / "in.png", exif=exif)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "in.png"))).astype(np.uint16) * 257
    np.testing.assert_array_equal(deep, upright)
    np.testing.assert_array_equal(flat, upright)


@pytest.mark.parametrize("colour", [False, True])
def test_the_transparent_colour_of_a_16_bit_png(colorizer, tmp_path, fine, colour):
    pixels = np.repeat(fine[..., None], 3, 2) if colour else fine
    ok, data = cv2.imencode(".png", pixels)
    assert ok
    clear = int(fine[20, 30])
    content = clear.to_bytes(2, "big") * (3 if colour else 1)
    head = data.tobytes()
    made = png_with(tmp_path / "plain.png", np.zeros((1, 1), np.uint8), tRNS=content).read_bytes()
    (tmp_path / "in.png").write_bytes(head[:33] + made[33 : 33 + 12 + len(content)] + head[33:])
    page = read_still(tmp_path / "in.png").page()
    np.testing.assert_array_equal(page.alpha, np.where(fine == clear, 0, 65535))
    assert colorizer.file(tmp_path / "in.png", tmp_path / "out.png").warnings == []
    out = cv2.imread(str(tmp_path / "out.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(out[..., 3], page.alpha)


def test_cmyk_of_16_bits_is_read_in_silence(colorizer, tmp_path, photo, capfd):
    ink = np.zeros((*photo.shape, 4), np.uint16)
    ink[..., 3] = (255 - photo).astype(np.uint16) * 257
    tiff(tmp_path / "in.tif", (ink, {262: ("H", 5)}))
    summary = colorizer.file(tmp_path / "in.tif", tmp_path / "out.tif")
    assert summary.warnings == ["16 bits reduced to 8: samples of this kind are read so"]
    close(signal(tmp_path / "in.tif"), photo.astype(np.uint16) * 257, 8)
    assert capfd.readouterr() == ("", "")


def test_a_damaged_profile_in_a_16_bit_png_is_no_line_on_the_terminal(colorizer, tmp_path, fine, capfd):
    ok, data = cv2.imencode(".png", fine)
    assert ok
    made = png_with(tmp_path / "p.png", np.zeros((1, 1), np.uint8), iCCP=b"bad\0\0nonsense", zTXt=b"x").read_bytes()
    head = data.tobytes()
    more = made[33 : made.index(b"IDAT") - 4]
    (tmp_path / "in.png").write_bytes(head[:33] + more + head[33:])
    assert colorizer.file(tmp_path / "in.png", tmp_path / "out.png").warnings == []
    np.testing.assert_array_equal(signal(tmp_path / "in.png"), fine)
    assert capfd.readouterr() == ("", "")


def test_lab_has_no_alpha(colorizer, tmp_path, photo):
    lightness = np.dstack((photo, *np.full((2, *photo.shape), 128, np.uint8)))
    Image.fromarray(lightness, "LAB").save(tmp_path / "in.tif")
    page = read_still(tmp_path / "in.tif").page()
    assert page.alpha is None
    grey = signal(tmp_path / "in.tif").astype(float) / 65535
    linear = np.where(grey > 0.04045, ((grey + 0.055) / 1.055) ** 2.4, grey / 12.92)
    found = np.where(linear > 216 / 24389, 116 * np.cbrt(linear) - 16, linear * 24389 / 27)
    assert np.abs(found - photo / 2.55).max() < 0.02
    colorizer.file(tmp_path / "in.tif", tmp_path / "out.tif")
    assert Image.open(tmp_path / "out.tif").mode == "RGB"


def test_floats_and_large_integers_in_tiff(tmp_path, fine):
    light = fine.astype(np.float32) / 65535
    tiff(tmp_path / "f.tif", (np.repeat(light[..., None], 3, 2), {339: ("H", (3, 3, 3))}))
    tiff(tmp_path / "d.tif", (light.astype(np.float64), {339: ("H", 3)}))
    light[0, 0], light[0, 1] = np.nan, np.inf
    tiff(tmp_path / "n.tif", (light, {339: ("H", 3)}))
    close(signal(tmp_path / "f.tif"), fine, 15)
    close(signal(tmp_path / "d.tif"), fine, 15)
    close(signal(tmp_path / "n.tif")[1:], fine[1:], 15)
    assert list(signal(tmp_path / "n.tif")[0, :2]) == [0, 0]


@pytest.mark.parametrize("order", ["<", ">"])
def test_samples_that_others_read_wrong(tmp_path, fine, order):
    """In planes, with more channels than colours, half floats, Lab; all in 16 bits."""
    rgb, clear = np.repeat(fine[..., None], 3, 2), np.full_like(fine, 30000)
    light = (np.rint(fine / 65535 * 2047) / 2047).astype(np.float16)
    made = {
        "planes": (rgb, {284: ("H", 2)}), "grey and alpha": (np.dstack((fine, clear)), {338: ("H", 2)}),
        "infrared": (np.dstack((rgb, clear, clear)), {338: ("H", (0, 0))}), "half": (light, {339: ("H", 3)}),
    }  # fmt: skip
    for name, page in made.items():
        found = read_still(tiff(tmp_path / f"{name}.tif", page, order=order)).page()
        assert found.depth == 16
        close(found.signal, fine, 10 if name == "half" else 16)
        assert (found.alpha is not None) == (name == "grey and alpha")
    lab = np.dstack((fine, *np.zeros((2, *fine.shape), np.uint16)))
    flat = np.dstack(((fine >> 8).astype(np.uint8), *np.zeros((2, *fine.shape), np.uint8)))
    deep = signal(tiff(tmp_path / "lab16.tif", (lab, {262: ("H", 8)}), order=order))
    close(deep, signal(tiff(tmp_path / "lab8.tif", (flat, {262: ("H", 8)}), order=order)), 7)


def test_damage_that_a_reader_passes_over_is_told_by_us(colorizer, tmp_path, photo, capfd):
    """libtiff writes a line on the terminal for each damaged line of a fax, and gives a picture."""
    Image.fromarray(photo).convert("1").save(tmp_path / "in.tif", compression="group4")
    data = bytearray((tmp_path / "in.tif").read_bytes())
    for at in range(3000, 9000, 500):
        data[at] ^= 0xFF
    (tmp_path / "in.tif").write_bytes(data)
    (line,) = colorizer.file(tmp_path / "in.tif", tmp_path / "out.png").warnings
    assert re.fullmatch(r"damaged in \d+ places, coloured as far as it is readable", line)
    assert capfd.readouterr() == ("", "")


def test_lines_of_others_reach_the_terminal(capfd):
    with faults() as found:
        os.write(2, b"ZIPDecode: Decoding error at scanline 0\nsomething else\n")
    assert found == ["ZIPDecode: Decoding error at scanline 0"]
    assert capfd.readouterr().err == "something else\n"


@pytest.mark.parametrize("packing", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
def test_damaged_tiffs_are_silent(tmp_path, photo, packing, capfd):
    Image.fromarray(photo).save(tmp_path / "in.tif", compression=packing)
    whole = (tmp_path / "in.tif").read_bytes()
    for seed in range(20):
        data, rng = bytearray(whole), np.random.default_rng(seed)
        for at in rng.integers(200, len(data), 9):
            data[at] = rng.integers(0, 256)
        (tmp_path / "in.tif").write_bytes(data)
        with suppress(InputError):
            read_still(tmp_path / "in.tif").page()
    assert capfd.readouterr() == ("", "")


def test_a_cut_off_tiff_of_16_bits(tmp_path, fine):
    whole = tiff(tmp_path / "whole.tif", (fine, {273: ("I", 4000)}))
    with pytest.raises(InputError, match="cut off"):
        read_still(whole).page()


@pytest.mark.skipif(not CASES.is_dir(), reason="the shared inputs are not here")
@pytest.mark.parametrize("name", ["pgm12.pgm", "jp2_12.jp2", "tiff16_whiteiszero.tif", "g16_trns.png", "lab.tif",
                                  "tiff16_cmyk.tif", "thumb_first.tif", "meta16.tif"])  # fmt: skip
def test_shared_cases(name):
    expected = signal(CASES / "tiff16_blackiszero.tif").astype(float)
    assert np.abs(signal(CASES / name).astype(float) - expected).mean() < 150
