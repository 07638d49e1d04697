"""Folders of pictures into a shard: what is dropped, and why."""

import subprocess
import sys

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")

from tests.conftest import ROOT
from training.gather import gather, perceptual_hash
from training.pictures import open_pictures


def picture(seed, *, height=200, width=260):
    """Smooth random colours with grain: what the filters take for a photograph."""
    rng = np.random.default_rng(seed)
    small = rng.uniform(0, 255, (7, 9, 3)).astype(np.float32)
    big = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC) + rng.normal(0, 4, (height, width, 1))
    return big.clip(0, 255).astype(np.uint8)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "pictures"
    (path / "deep").mkdir(parents=True)
    for i in range(4):
        cv2.imwrite(str(path / "deep" / f"{i}.png"), picture(i))
    cv2.imwrite(str(path / "again.jpg"), picture(0)[:, ::-1])
    cv2.imwrite(str(path / "grey.png"), np.repeat(picture(9)[..., :1], 3, 2))
    cv2.imwrite(str(path / "small.png"), picture(10, height=100, width=120))
    cv2.imwrite(str(path / "long.png"), picture(11, height=200, width=600))
    (path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    (path / "notes.txt").write_text("not a picture")
    return path


def test_drops_what_does_not_teach_colour_and_says_why(folder, tmp_path):
    out = tmp_path / "more.tar"
    found = gather({"mine": folder}, out, training=[], evaluation=[], cap=100)
    assert found == {"mine": 4, "near-duplicate": 1, "grey": 1, "small": 1, "long": 1, "unreadable": 1}
    photos = open_pictures([out])
    assert len(photos) == 4
    assert all(p.shape == (256, 333, 3) for p in photos)


def test_keeps_away_from_evaluation_photographs(folder, tmp_path):
    first, second = tmp_path / "val.tar", tmp_path / "more.tar"
    gather({"val": folder}, first, training=[], evaluation=[], cap=2)
    found = gather({"mine": folder}, second, training=[], evaluation=[first], cap=100)
    assert found["mine"] == 2
    known = [perceptual_hash(p) for p in open_pictures([first])]
    for photo in open_pictures([second]):
        assert min(int(np.bitwise_count(perceptual_hash(photo) ^ k)) for k in known) > 8


def test_nothing_left_is_an_error_and_leaves_no_file(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no usable pictures"):
        gather({"none": tmp_path / "empty"}, tmp_path / "more.tar", training=[], evaluation=[], cap=5)
    assert not list(tmp_path.glob("more.tar*"))


def test_the_command_prints_the_counts(folder, tmp_path):
    command = [sys.executable, "-m", "training", "gather", "--source", f"mine={folder}", "--out", tmp_path / "m.tar"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert '"mine": 4' in done.stdout
    command[5] = f"mine={folder}-missing"
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "not LABEL=FOLDER" in done.stderr
