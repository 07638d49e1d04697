"""Readers: shards, folders, the Kaggle layout; what is left out, and what is refused."""

import logging

import cv2
import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")

from tests.training.conftest import learnable, write_shard
from training.pictures import hold_out, label_of, open_pictures, weighted, write_npy


@pytest.fixture
def folder(tmp_path):
    """Four good pictures, one broken, one grey, and a file that is no picture."""
    path = tmp_path / "pictures"
    (path / "deep").mkdir(parents=True)
    for i in range(4):
        Image.fromarray(learnable(i, 60, 80)).save(path / "deep" / f"{i}.png")
    (path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    Image.fromarray(np.full((40, 40, 3), 90, np.uint8)).save(path / "grey.png")
    (path / "notes.txt").write_text("not a picture")
    return path


@pytest.fixture
def npy(tmp_path):
    """Ten pictures of 32 pixels in three parts."""
    write_npy([learnable(i, 40, 60) for i in range(10)], tmp_path / "npy", side=32, part=4)
    return tmp_path / "npy"


@pytest.mark.parametrize("decoded", [True, False, None])
def test_folder_leaves_out_and_names_what_is_broken_or_grey(folder, decoded, caplog):
    with caplog.at_level(logging.WARNING):
        found = open_pictures([folder], min_chroma=6, decoded=decoded)
    assert len(found) == 4
    assert found.left_out.corrupt == ["broken.jpg"]
    assert found.left_out.grey == ["grey.png"]
    assert "broken.jpg" in caplog.text
    assert "grey.png" in caplog.text
    np.testing.assert_array_equal(found[2], learnable(2, 60, 80))
    assert [p.shape for p in found[1:3]] == [(60, 80, 3)] * 2


def test_the_grey_threshold_is_a_setting(folder):
    assert len(open_pictures([folder], min_chroma=0)) == 5
    with pytest.raises(ValueError, match="5 are nearly grey"):
        open_pictures([folder], min_chroma=500)


def test_shards_one_after_the_other(tmp_path):
    first = write_shard(tmp_path / "a.tar", [learnable(i, 40, 40) for i in range(3)])
    second = write_shard(tmp_path / "b.tar", [learnable(7, 40, 40), b"broken"])
    found = open_pictures([first, second], decoded=False)
    assert found.parts == (3, 1)
    assert found.left_out.corrupt == ["photos/000001-made.webp"]
    assert len(open_pictures([first, second], limit=2)) == 2


def test_the_kaggle_layout_round_trips(npy):
    assert np.load(npy / "l" / "gray_scale.npy").shape == (10, 32, 32)
    assert [len(np.load(npy / "ab" / f"ab{i}.npy")) for i in (1, 2, 3)] == [4, 4, 2]
    found = open_pictures([npy])
    assert found.parts == (4, 4, 2)
    for i in (0, 5, 9):
        square = cv2.resize(learnable(i, 40, 60)[:, 10:50], (32, 32), interpolation=cv2.INTER_AREA)
        assert np.abs(found[i].astype(int) - square).mean() < 2.5  # 8-bit LAB on the way


def test_parts_are_chosen_by_number(npy):
    third = open_pictures([npy], parts=[3])
    np.testing.assert_array_equal(third[1], open_pictures([npy])[9])
    assert len(open_pictures([npy], parts=[1, 3])) == 6
    with pytest.raises(ValueError, match="has no part 4; it has 1, 2, 3"):
        open_pictures([npy], parts=[4])


def test_npy_files_stay_on_the_disk(tmp_path):
    """Reading a set of 150 MB takes none of the process's own memory."""
    (tmp_path / "l").mkdir()
    (tmp_path / "ab").mkdir()
    shape = (1000, 224, 224)
    np.lib.format.open_memmap(tmp_path / "l" / "gray_scale.npy", "w+", np.uint8, shape)[:] = 100
    np.lib.format.open_memmap(tmp_path / "ab" / "ab1.npy", "w+", np.uint8, (*shape, 2))[:] = 160
    before = own_memory()
    found = open_pictures([tmp_path], min_chroma=6)
    assert sum(int(found[i][0, 0, 0]) > 0 for i in range(1000)) == 1000
    assert own_memory() - before < 30e6


def own_memory():
    """Bytes of memory that is backed by no file."""
    with open("/proc/self/status") as status:
        return next(1024 * int(line.split()[1]) for line in status if line.startswith("RssAnon"))


def damage(npy, what):
    grey, ab = npy / "l" / "gray_scale.npy", npy / "ab" / "ab2.npy"
    if what == "lengths":
        np.save(ab, np.load(ab)[:3])
    elif what == "dtype":
        np.save(ab, np.load(ab).astype(np.float32))
    elif what == "shape":
        np.save(ab, np.load(ab)[:, :, :16])
    elif what == "dimensions":
        np.save(grey, np.load(grey)[..., None])
    elif what == "truncated":
        ab.write_bytes(ab.read_bytes()[:500])
    elif what == "pickled":
        np.save(grey, np.array([{}], object), allow_pickle=True)
    elif what == "no ab":
        for path in (npy / "ab").iterdir():
            path.unlink()
    elif what == "no l":
        grey.unlink()


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("lengths", "gray_scale.npy holds 10 pictures, the ab files 9"),
        ("dtype", "ab2.npy: float32 of shape"),
        ("shape", r"ab2.npy: pictures of shape \(32, 16, 2\)"),
        ("dimensions", "gray_scale.npy: uint8 of shape"),
        ("truncated", "ab2.npy: not a whole npy file"),
        ("pickled", "gray_scale.npy: not a whole npy file"),
        ("no ab", "holds no ab1.npy"),
        ("no l", "gray_scale.npy: missing"),
    ],
)
def test_npy_that_does_not_fit_is_refused(npy, what, told):
    damage(npy, what)
    with pytest.raises(ValueError, match=told):
        open_pictures([npy])


def test_pictures_set_aside_are_not_trained_on(npy):
    whole = open_pictures([npy])
    rest, aside = hold_out(whole, 3)
    assert rest.parts == (3, 3, 1)
    assert len(rest) + len(aside) == 10
    for picture in aside:
        assert not any(np.array_equal(picture, other) for other in rest)
    with pytest.raises(ValueError, match="too few to set 4 aside"):
        hold_out(whole, 4)


def test_other_bad_input(tmp_path, shard):
    with pytest.raises(FileNotFoundError, match="nowhere: no such file or folder"):
        open_pictures([tmp_path / "nowhere"])
    with pytest.raises(ValueError, match="no usable pictures among 0 files"):
        open_pictures([tmp_path])
    whole = shard.read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"cut.tar: not a whole, uncompressed tar"):
        open_pictures([tmp_path / "cut.tar"])
    (tmp_path / "text.tar").write_text("this is no tar")
    with pytest.raises(ValueError, match=r"text.tar: not a whole"):
        open_pictures([tmp_path / "text.tar"])
    with pytest.raises(ValueError, match="parts are of the npy layout"):
        open_pictures([shard], parts=[1])


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("photos/000123-fsacolor.avif", "fsacolor"), ("000123-nips17.webp", "nips17"), ("7-a_b.jpg", "a_b"),
        ("photos/holiday.jpg", ""), ("000123.avif", ""), ("000123-two words.avif", ""), ("a-000123-x.avif", ""),
    ],
)  # fmt: skip
def test_a_name_tells_its_source(name, label):
    assert label_of(name) == label


def test_sources_are_weighted_in_halves(tmp_path):
    folder = tmp_path / "named"
    folder.mkdir()
    labels = ["film", "film", "flower", "face", "street"]
    for i, label in enumerate(labels):
        Image.fromarray(learnable(i, 40, 40)).save(folder / f"{i:06}-{label}.png")
    plain = open_pictures([folder])
    assert plain.labels == tuple(labels)
    found = weighted(plain, {"film": 2.0, "flower": 0.5, "face": 1.5})
    assert [found.labels.count(x) for x in ("film", "flower", "face", "street")] == [2 * 4, 1, 3, 2]
    assert len(found) == found.parts[0] == 14
    for number, i in enumerate([0] * 4 + [1] * 4 + [2] + [3] * 3 + [4] * 2):
        np.testing.assert_array_equal(found[number], learnable(i, 40, 40))
    rest, aside = hold_out(plain, 1)
    assert rest.labels == ("film", "flower", "face", "street")
    assert len(aside) == 1


def test_avif_is_read(tmp_path):
    rgb = learnable(1, 208, 240)
    Image.fromarray(rgb).save(tmp_path / "000001-made.avif", quality=80)
    (found,) = open_pictures([tmp_path], min_chroma=6)[:]
    assert found.shape == rgb.shape
    assert np.abs(found.astype(int) - rgb).mean() < 6
