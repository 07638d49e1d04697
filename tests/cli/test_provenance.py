"""A sidecar, checksums and the credit as the command line has them."""

import json

import av
from PIL import Image

from tests.commands import vidcolor


def test_all_three_on_one_film(short_film, tmp_path):
    out = tmp_path / "out.mkv"
    done = vidcolor(short_film, "-o", out, "--sidecar", "json", "--framemd5", "auto", "--no-tag", "--size", 64)
    assert done.returncode == 0, done.stderr
    assert "verified: 12 frames at their times" in done.stderr
    assert json.loads((tmp_path / "out.mkv.json").read_text())["video"]["frames"] == 12
    assert (tmp_path / "out.mkv.framemd5").read_text().count("\n0, ") == 12
    with av.open(str(out)) as film:
        assert "vidcolor" not in str(film.metadata)


def test_one_file_of_checksums_is_for_one_result(tmp_path):
    for name in ("a.png", "b.png"):
        Image.linear_gradient("L").save(tmp_path / name)
    files = tmp_path / "a.png", tmp_path / "b.png"
    done = vidcolor(*files, "-o", f"{tmp_path}/out/", "--framemd5", tmp_path / "sums", "-q")
    assert done.returncode == 2
    assert done.stderr == f"vidcolor: {tmp_path}/sums: is one file for 2 results; give --framemd5 auto\n"
    done = vidcolor(*files, "-o", f"{tmp_path}/out/", "--framemd5", "auto", "-q")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(list((tmp_path / "out").glob("*.framemd5"))) == 2


def test_a_stream_is_not_read_again(short_film, tmp_path):
    for option in (["--verify"], ["--sidecar", "json"], ["--framemd5", "auto"]):
        done = vidcolor(short_film, "-o", tmp_path / "out.m3u8", "-q", *option)
        assert done.returncode == 2
        assert done.stderr == (
            "vidcolor: verify, sidecar and framemd5 are for files that are read again; leave them out\n"
        )
