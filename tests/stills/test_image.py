"""Stills: luma kept, orientation and profiles respected, 8 and 16 bits, files and arrays."""

import dataclasses
import io
import itertools

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from tests.conftest import SAMPLE
from tests.films import read
from vidcolor import ColorizeOptions, Colorizer
from vidcolor.errors import InputError, OutputError
from vidcolor.pictures.profiles import neutral_curve
from vidcolor.stills.image import color_picture
from vidcolor.stills.read import read_still

WEIGHTS = np.array([0.2126, 0.7152, 0.0722])


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    """A real grey picture, 480 x 640."""
    return read(SAMPLE).luma[60]


def save(path, pixels, **extra):
    Image.fromarray(pixels).save(path, **extra)
    return path


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".webp", ".bmp"])
def test_formats(colorizer, photo, tmp_path, suffix):
    target = tmp_path / f"out{suffix}"
    colorizer.file(save(tmp_path / "in.png", photo), target)
    rgb = np.asarray(Image.open(target).convert("RGB")).astype(float)
    assert rgb.shape == (480, 640, 3)
    assert np.abs(rgb @ WEIGHTS - photo).mean() < 1.5  # webp is lossy
    assert np.ptp(rgb, axis=2).mean() > 2


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 3])
def test_arrays_keep_their_type_and_luma(colorizer, photo, dtype, channels):
    top = 1.0 if dtype is np.float32 else np.iinfo(dtype).max
    picture = (photo / 255 * top).astype(dtype)
    rgb = colorizer.image(picture if channels == 1 else np.repeat(picture[..., None], 3, 2))
    assert rgb.dtype == dtype
    assert rgb.shape == (480, 640, 3)
    limit = 3e-4 if dtype is np.float32 else max(1.5, 3e-4 * top)
    assert np.abs(rgb.astype(float) @ WEIGHTS - picture).max() <= limit
    assert rgb.astype(float).std(-1).mean() > 0.01 * top


@pytest.mark.parametrize("shape", [(1, 1), (7, 300), (301, 5), (1000, 1400)])
def test_any_shape(colorizer, shape):
    picture = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    assert colorizer.image(picture).shape == (*shape, 3)


@pytest.mark.parametrize("bad", [np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4), np.uint8), np.zeros((4, 4), np.int64)])
def test_other_arrays_are_refused(colorizer, bad):
    with pytest.raises(ValueError, match="give"):
        colorizer.image(bad)


def test_frames_come_out_one_for_one_and_steadier(colorizer):
    pictures = read(SAMPLE).luma[:10]
    smooth = list(colorizer.frames(pictures))
    rough = list(colorizer.frames(pictures, smoothing=0.0))
    assert len(smooth) == 10

    def flicker(frames):
        chroma = [f.astype(float) - (f @ WEIGHTS)[..., None] for f in frames]
        return np.mean([np.abs(b - a).mean() for a, b in itertools.pairwise(chroma[2:])])

    assert flicker(smooth) < 0.8 * flicker(rough)


@pytest.mark.parametrize("turn", range(1, 9))
def test_exif_orientation(photo, tmp_path, turn):
    exif = Image.Exif()
    exif[0x0112] = turn
    path = save(tmp_path / "in.png", photo, exif=exif)
    expected = np.asarray(Image.open(save(tmp_path / "plain.png", photo)))
    from PIL import ImageOps

    expected = np.asarray(ImageOps.exif_transpose(Image.open(path)))
    np.testing.assert_array_equal(read_still(path).page().signal, expected.astype(np.uint16) * 257)


def test_orientation_is_applied_once_and_other_exif_kept(colorizer, photo, tmp_path):
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "Aunt Aino, 1931"
    source = save(tmp_path / "in.jpg", photo, exif=exif)
    colorizer.file(source, tmp_path / "out.jpg")
    out = Image.open(tmp_path / "out.jpg")
    assert out.size == (480, 640)
    assert out.getexif().get(0x0112, 1) == 1
    assert out.getexif()[0x010E] == "Aunt Aino, 1931"


def test_a_profile_is_turned_into_srgb(photo, tmp_path):
    """A linear grey profile: 50 % of light is 188 in sRGB, not 128."""
    linear = grey_profile(gamma=1.0)
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None], 8, 0)
    still = read_still(save(tmp_path / "in.tif", ramp, icc_profile=linear)).page()
    light = np.arange(256) / 255
    srgb = np.where(light > 0.0031308, 1.055 * light ** (1 / 2.4) - 0.055, 12.92 * light) * 65535
    assert np.abs(still.signal[0].astype(float) - srgb)[2:].max() < 600
    srgb_profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    rgb = np.repeat(photo[..., None], 3, 2)
    same = read_still(save(tmp_path / "srgb.png", rgb, icc_profile=srgb_profile)).page()
    assert np.abs(same.signal.astype(int) - photo.astype(int) * 257).max() <= 300
    np.testing.assert_array_equal(neutral_curve(b"damaged", "L"), np.arange(65536))


def grey_profile(gamma: float) -> bytes:
    """A minimal ICC v2 grey profile with one gamma curve."""
    import struct

    def tag(kind: bytes, body: bytes) -> bytes:
        data = kind + bytes(4) + body
        return data + bytes(-len(data) % 4)

    tags = {
        b"desc": tag(b"desc", struct.pack(">I", 5) + b"grey\0" + bytes(8 + 3 + 67)),
        b"wtpt": tag(b"XYZ ", struct.pack(">3i", 63190, 65536, 54061)),
        b"kTRC": tag(b"curv", struct.pack(">IH", 1, round(gamma * 256))),
        b"cprt": tag(b"text", b"public domain\0"),
    }
    table, body, offset = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">II", offset + len(body), len(data))
        body += data
    head = bytes(8) + b"\x02\x10\x00\x00mntrGRAYXYZ " + bytes(12) + b"acsp" + bytes(28)
    head += struct.pack(">3i", 63190, 65536, 54061) + bytes(48)
    data = head + table + body
    return struct.pack(">I", len(data)) + data[4:]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("colour", [False, True])
def test_sixteen_bits_stay_sixteen(colorizer, photo, tmp_path, suffix, colour):
    fine = cv2.GaussianBlur(photo.astype(np.float32) * 257, (0, 0), 3).astype(np.uint16)
    cv2.imwrite(str(tmp_path / f"in{suffix}"), np.repeat(fine[..., None], 3, 2) if colour else fine)
    colorizer.file(tmp_path / f"in{suffix}", tmp_path / "out.png")
    out = cv2.imread(str(tmp_path / "out.png"), cv2.IMREAD_UNCHANGED)
    assert out.dtype == np.uint16
    assert np.abs(out[..., ::-1] @ WEIGHTS - fine).max() < 4
    summary = colorizer.file(tmp_path / f"in{suffix}", tmp_path / "out.jpg")
    assert any("16 bits" in w for w in summary.warnings)


def test_transparency(colorizer, photo, tmp_path):
    alpha = np.tile(np.linspace(0, 255, 640).astype(np.uint8), (480, 1))
    source = save(tmp_path / "in.png", np.dstack((photo, alpha)))
    assert colorizer.file(source, tmp_path / "out.png").warnings == []
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out.png"))[..., 3], alpha)
    assert "transparency" in colorizer.file(source, tmp_path / "out.jpg").warnings[0]


def test_compare_and_strength(colorizer, photo, tmp_path):
    source = save(tmp_path / "in.png", photo)
    from vidcolor.stills.image import colorize_still

    options = dataclasses.replace(colorizer.options, compare=True)
    colorize_still(source, tmp_path / "out.png", colorizer.backend, options)
    out = np.asarray(Image.open(tmp_path / "out.png"))
    assert out.shape == (480, 1280, 3)
    np.testing.assert_array_equal(out[:, :640, 0], photo)
    options = dataclasses.replace(colorizer.options, strength=0.0, overwrite=True)
    colorize_still(source, tmp_path / "out.png", colorizer.backend, options)
    assert np.ptp(np.asarray(Image.open(tmp_path / "out.png")).astype(int), axis=2).max() <= 1


def test_tiff_to_tiff_and_jpeg_can_be_opened(colorizer, photo, tmp_path):
    """A TIFF's tags describe the file it was; the new file has its own."""
    grey = Image.fromarray(photo)
    grey.save(tmp_path / "in.tif", description="reel two", compression="tiff_lzw")
    for suffix in (".tif", ".jpg"):
        colorizer.file(tmp_path / "in.tif", tmp_path / f"out{suffix}")
        out = Image.open(tmp_path / f"out{suffix}")
        assert (out.mode, out.size) == ("RGB", (640, 480))
        assert np.ptp(np.asarray(out).astype(int), axis=2).mean() > 2
        assert out.getexif()[0x010E] == "reel two"


def test_float_and_32_bit_samples(tmp_path, photo):
    for name, values in {"f.tif": photo.astype(np.float32) / 255, "i.tif": photo.astype(np.int32) * 200}.items():
        Image.fromarray(values).save(tmp_path / name)
        signal = read_still(tmp_path / name).page().signal
        assert np.corrcoef(signal.ravel(), photo.ravel())[0, 1] > 0.999
        assert signal.max() > 40000


def test_bad_stills(colorizer, photo, tmp_path):
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "noise.png").write_bytes(b"no picture")
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "JPEG")
    (tmp_path / "cut.jpg").write_bytes(buffer.getvalue()[:3000])
    for name, text in {
        "empty.jpg": "empty",
        "noise.png": "not a picture",
        "cut.jpg": "cut off",
        "gone.jpg": "no such",
    }.items():
        with pytest.raises(InputError, match=text):
            colorizer.file(tmp_path / name, tmp_path / "out.png")
    good = save(tmp_path / "good.png", photo)
    with pytest.raises(OutputError, match="cannot write"):
        colorizer.file(good, tmp_path / "out.xcf")
    with pytest.raises(OutputError, match="source itself"):
        colorizer.file(good, good)
    assert not (tmp_path / "out.png").exists()


def test_colours_that_do_not_fit_are_reduced_not_clipped(photo):
    """Whatever a*b* the network gives, the luma of every pixel stays."""
    from vidcolor.stills.image import picture_preview

    signal, small = picture_preview(photo, 96)
    ab = np.random.default_rng(0).uniform(-110, 110, (24, 32, 2)).astype(np.float32)
    rgb = color_picture(signal, small, ab, np.dtype(np.float32))
    assert np.abs(rgb @ WEIGHTS.astype(np.float32) - photo / 255).max() < 1e-3


def test_a_picture_alone_is_coloured_whatever_smooths_films():
    grey = (np.random.default_rng(0).uniform(0, 255, (64, 96))).astype(np.uint8)
    found = []
    for smoother in ("auto", "lookahead", "ema"):
        with Colorizer(ColorizeOptions(backend="openvino", size=64, smoother=smoother)) as colorizer:
            found.append(colorizer.image(grey))
            assert len(list(colorizer.frames([grey] * 3))) == 3
    assert all((picture == found[0]).all() for picture in found)
