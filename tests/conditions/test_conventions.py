"""Folders and lists in which other programs keep coloured pictures."""

import numpy as np
import pytest
from PIL import Image

from vidcolor.conditions.reference import gather, read_references
from vidcolor.errors import InputError

MANIFEST = """\ufeff# source_video=input/film.mp4
enabled,end,source_reference,color_reference,prompt,fade_to_next,crossfade_seconds
true,0:00:05,refs/bw/cut_0000_0.00.02.png,refs/color/cut_0000_0.00.02.png,"a park, in May",false,
false,0:00:09.500,refs/bw/cut_0001_0.00.07.png,refs/color/cut_0001_0.00.07.png,,false,
true,0:00:12,refs/bw/cut_0002_0.00.10.png,refs\\color\\cut_0002_0.00.10.png,,true,0.5
true,0:00:20,refs/bw/cut_0003_0.00.15.png,refs/color/cut_0000_0.00.02.png,,false,
true,0:00:25,refs/bw/cut_0004_0.00.22.png,refs/color/cut_0004_0.00.22.png,,false,
"""


@pytest.fixture
def paint(picture):
    small = np.ascontiguousarray(picture[::4, ::4])

    def save(path, grey=False):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(small.mean(-1).astype(np.uint8) if grey else small).save(path)
        return path

    return save


@pytest.mark.parametrize("given", [".", "ref_tht10", "ref_qwen"])
def test_the_coloured_ones_of_a_server_are_taken(tmp_path, paint, given):
    for number in (0, 40, 90):
        paint(tmp_path / "ref_tht10" / f"ref_{number:06d}.jpg", grey=True)
    for number in (0, 40):
        paint(tmp_path / "ref_qwen" / f"ref_{number:06d}.png")
    paint(tmp_path / "poster.png")
    found, warnings = read_references([tmp_path / given])
    assert [(r.number, r.path.parent.name) for r in found] == [(0, "ref_qwen"), (40, "ref_qwen")]
    if given == "ref_qwen":
        assert not warnings
    else:
        assert [w.partition(": ")[2] for w in warnings] == [
            "1 of 3 pictures are not in ref_qwen, ref_000090 for one; colour them too, or go on without"
        ]


def test_a_manifest_is_read(tmp_path, paint):
    manifest = tmp_path / "manifests" / "references" / "colorize_manifest_film_shots_auto.csv"
    manifest.parent.mkdir(parents=True)
    manifest.write_text(MANIFEST, "utf-8")
    for name in ("cut_0000_0.00.02", "cut_0001_0.00.07", "cut_0002_0.00.10"):
        paint(tmp_path / "refs" / "color" / f"{name}.png")
    found, warnings = read_references([manifest])
    assert [r.name for r in found] == ["cut_0000_0.00.02.png", "cut_0002_0.00.10.png"]
    assert [r.number for r in found] == [None, None]  # its names tell a time
    assert len(warnings) == 1
    assert "names refs/color/cut_0004_0.00.22.png, which is not there; colour it" in warnings[0]
    assert gather([manifest]) == [r.path for r in found]


def test_manifests_that_cannot_be_used(tmp_path, paint):
    manifest = tmp_path / "a.csv"
    manifest.write_text(MANIFEST, "utf-8")
    with pytest.raises(InputError, match=r"a\.csv: names refs/color/cut_0000_0\.00\.02\.png, which is not there"):
        gather([manifest])
    manifest.write_text("frame,colour\n1,red\n")
    with pytest.raises(InputError, match=r"a\.csv: has no column color_reference"):
        gather([manifest])
    manifest.write_bytes(b"\xff\xfe\x00\x01\x80")
    with pytest.raises(InputError, match=r"a\.csv: is no text"):
        gather([manifest])
    manifest.write_text("enabled,color_reference\nfalse,a.png\n")
    with pytest.raises(InputError, match=r"a\.csv: names no picture; enable"):
        gather([manifest])
    with pytest.raises(InputError, match="no such file"):
        gather([tmp_path / "b.csv"])


def test_keys_and_masks(tmp_path, paint):
    """EbSynth's keys are numbered from 0 or 1; PNG-Tinterr's masks are told by a word in their name."""
    paint(tmp_path / "keys" / "00001.png")
    paint(tmp_path / "keys" / "00040.png")
    assert [r.number for r in read_references([tmp_path / "keys"])[0]] == [1, 40]
    (masks,), _ = read_references([paint(tmp_path / "masks" / "000040_chroma.png")])
    assert (masks.number, masks.chroma) == (40, True)
