"""Reference pictures: every format alike, straight and premultiplied, grey ones, names and numbers."""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from tests.conftest import SHARED
from vidcolor.conditions.reference import Reference, number_of, read_references, stated
from vidcolor.errors import InputError

FORMATS = [("png", {}), ("JPG", {"quality": 95, "subsampling": 0}), ("jpeg", {"quality": 95}), ("bmp", {}), ("PPM", {}),
           ("tif", {}), ("TIFF", {}), ("webp", {"quality": 95}), ("avif", {"quality": 90})]  # fmt: skip


def save(path, pixels, **options):
    Image.fromarray(pixels).save(path, **options | {"compress_level": 1} if path.suffix == ".png" else options)
    return path


def only(path, **options) -> Reference:
    """The one reference that a path holds, without a warning."""
    (reference,), warnings = read_references([path], **options)
    assert not warnings
    return reference


def apart(one, other) -> float:
    """Mean distance of two fields of a*b*."""
    return float(np.linalg.norm(one - other, axis=-1).mean())


@pytest.fixture(scope="module")
def truth(picture, tmp_path_factory) -> Reference:
    return only(save(tmp_path_factory.mktemp("truth") / "ref_000060.png", picture))


def test_all_formats_agree(picture, truth, tmp_path):
    for ending, options in FORMATS:
        save(tmp_path / f"ref_000060.{ending}", picture, **options)
        reference = only(tmp_path / f"ref_000060.{ending}")
        assert (reference.number, reference.name) == (60, f"ref_000060.{ending}")
        assert reference.ab.dtype == reference.lightness.dtype == reference.alpha.dtype == np.float32
        assert apart(reference.ab, truth.ab) < 1.5, ending
        assert np.abs(reference.lightness - truth.lightness).mean() < 1.0
        assert reference.alpha.min() == 1.0


@pytest.mark.parametrize("ending", ["png", "tif", "ppm"])
def test_sixteen_bits(picture, truth, tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    assert cv2.imwrite(str(path), picture[..., ::-1].astype(np.uint16) * 257)
    assert apart(only(path).ab, truth.ab) < 0.1


def test_rotation_and_profile(picture, truth, tmp_path):
    turned = Image.fromarray(np.rot90(picture).copy())  # a camera that was held upright: 6 turns it clockwise
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "turned.png", exif=exif)
    assert apart(only(tmp_path / "turned.png").ab, truth.ab) < 0.1

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = profile.replace(b"rXYZ", b"tmpX").replace(b"bXYZ", b"rXYZ").replace(b"tmpX", b"bXYZ")  # red is blue
    save(tmp_path / "profile.png", np.ascontiguousarray(picture[..., ::-1]), icc_profile=swapped)
    assert apart(only(tmp_path / "profile.png").ab, truth.ab) < 1.0


def test_large_pictures_are_shrunk_and_samples_are_not_held(picture, truth, tmp_path):
    large = cv2.resize(picture, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    reference = only(save(tmp_path / "large.jpg", large, quality=95))
    assert reference.ab.shape == (720, 960, 2)
    assert apart(cv2.resize(reference.ab, (640, 480), interpolation=cv2.INTER_AREA), truth.ab) < 1.5
    assert not any(isinstance(value, np.ndarray) for value in vars(reference).values())


def soft_square(shape) -> np.ndarray:
    alpha = np.zeros(shape, np.uint8)
    alpha[100:300, 200:500] = 255
    return cv2.GaussianBlur(alpha, (0, 0), 12)


@pytest.mark.parametrize("long", [1, 2])
def test_straight_and_premultiplied_agree_and_what_is_hidden_has_no_effect(picture, truth, tmp_path, long):
    picture = cv2.resize(picture, None, fx=long, fy=long)
    alpha = cv2.resize(soft_square((480, 640)), None, fx=long, fy=long)
    hidden = picture.copy()
    hidden[alpha == 0] = (0, 255, 0)
    multiplied = np.rint(picture * (alpha[..., None] / 255.0)).astype(np.uint8)
    straight = only(save(tmp_path / "straight.png", np.dstack((hidden, alpha))))
    shown = straight.alpha > 0.1
    assert apart(straight.ab[shown], cv2.resize(truth.ab, shown.shape[::-1])[shown]) < 0.7
    for pixels in (np.dstack((multiplied, alpha)), np.dstack((picture, alpha))):
        other = only(save(tmp_path / "other.png", pixels))
        np.testing.assert_array_equal(other.alpha, straight.alpha)
        assert apart(other.ab[shown], straight.ab[shown]) < 0.5
        assert not other.ab[straight.alpha == 0].any()


def test_grey_states_nothing_unless_meant(picture, tmp_path):
    half = picture.copy()
    half[:, :320] = half[:, :320].mean(-1, keepdims=True)
    share = stated(only(save(tmp_path / "half.jpg", half, quality=90)).ab)
    assert share[:, :300].mean() < 0.02
    assert share[:, 340:].mean() > 0.98

    grey = half[:, :320].copy()
    with pytest.raises(InputError, match=r"grey\.png: is grey.*_neutral"):
        read_references([save(tmp_path / "grey.png", grey)])
    with pytest.raises(InputError, match="is grey or of one tint"):
        read_references([save(tmp_path / "sepia.png", (grey * [1.0, 0.85, 0.6]).astype(np.uint8))])
    assert only(save(tmp_path / "ref_000060_neutral.png", grey)).neutral
    assert only(tmp_path / "grey.png", neutral=True).neutral


def test_one_fault_in_a_folder_is_told_and_the_rest_used(picture, tmp_path):
    save(tmp_path / "ref_000040.png", picture)
    save(tmp_path / "ref_7.png", picture)
    save(tmp_path / "actress.png", picture)
    save(tmp_path / "ref_-3.png", picture)
    save(tmp_path / "grey.png", picture[..., 0])
    save(tmp_path / "clear.png", np.dstack((picture, np.zeros_like(picture[..., 0]))))
    (tmp_path / "cut.png").write_bytes((tmp_path / "ref_7.png").read_bytes()[:5000])
    (tmp_path / "._ref_000040.png").write_bytes(b"beside")
    (tmp_path / "notes.txt").write_text("no picture")
    found, warnings = read_references([tmp_path, tmp_path / "ref_000040.png"])
    assert [(r.number, r.name) for r in found] == [
        (7, "ref_7.png"), (40, "ref_000040.png"), (None, "actress.png"), (None, "ref_-3.png")
    ]  # fmt: skip
    assert len(warnings) == 4
    for name, fault in {
        "clear": "alpha is 0",
        "cut": "cut off",
        "grey": "is grey",
        "ref_-3": "-3 is no number",
    }.items():
        (line,) = [w for w in warnings if w.startswith(str(tmp_path / f"{name}.png"))]
        assert fault in line


def test_names_tell_references_apart(picture, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        save(tmp_path / folder / "actress.png", np.ascontiguousarray(picture[::2, ::2]))
    found, _ = read_references([tmp_path / "a", tmp_path / "b", tmp_path / "a"])
    assert [r.name for r in found] == [str(tmp_path / folder / "actress.png") for folder in ("a", "b")]


def test_what_stops_before_anything_begins(picture, tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.png: no such file"):
        read_references([tmp_path / "nowhere.png"])
    with pytest.raises(InputError, match="holds no picture"):
        read_references([tmp_path])
    with pytest.raises(InputError, match="name a picture"):
        read_references([])
    whole = save(tmp_path / "ref_40.png", picture)
    (tmp_path / "cut.png").write_bytes(whole.read_bytes()[:5000])
    with pytest.raises(InputError, match=r"cut\.png: is cut off"):
        read_references([whole, tmp_path / "cut.png"])  # it was asked for by name
    part = save(tmp_path / "ref_000040_hat.png", np.dstack((picture, soft_square((480, 640)))))
    assert [r.number for r in read_references([whole, part])[0]] == [40, 40]
    other = save(tmp_path / "ref_000040.jpg", picture)
    with pytest.raises(InputError, match=r"ref_40\.png and .*ref_000040\.jpg: both are of frame 40; leave one out"):
        read_references([whole, part, other])


def test_a_file_that_changes_in_use_is_told(picture, tmp_path):
    path = save(tmp_path / "a.png", picture)
    reference = only(path)
    save(path, picture[::-1].copy())
    with pytest.raises(InputError, match=r"a\.png: has changed"):
        _ = reference.ab


@pytest.mark.parametrize(
    ("stem", "number"),
    [("ref_000040", 40), ("a_ref_000012", 12), ("REF_40_hat", 40), ("ref_-5", -5), ("frame-12", 12), ("000040", 40),
     ("00040_hat", 40), ("0040", 40), ("123456", 123456), ("film_000040", 40), ("film.00012", 12), ("frame0001", 1),
     ("1945", None), ("20240101", None), ("IMG_20240101", None), ("IMG_20240101_120000", None), ("IMG_0001", None),
     ("ref2", None), ("reference_7", None), ("12", None), ("000040x", 40), ("actress", None)],
)  # fmt: skip
def test_numbers_in_names(stem, number):
    assert number_of(stem) == number


@pytest.mark.skipif(not (SHARED / "video" / "references").exists(), reason="needs the shared clips")
def test_pictures_of_an_image_model():
    found, warnings = read_references([SHARED / "video" / "references"])
    assert [r.number for r in found] == [0, 30, 60, 90, 210, 240, 270, 300, 330]
    assert not warnings
    assert all(0.5 < stated(r.ab).mean() < 0.98 for r in found)  # part of the road was left grey
