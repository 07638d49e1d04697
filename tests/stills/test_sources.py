"""Where a still comes from and goes to: files that cannot be read, pipes, huge scans, odd names."""

import errno
import io
import os
import subprocess
import sys
import threading
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT
from vidcolor import ColorizeOptions
from vidcolor.errors import InputError, OutputError
from vidcolor.pictures import quiet, source
from vidcolor.stills.image import colorize_still
from vidcolor.stills.read import read_still


@pytest.fixture
def scan(tmp_path, photo) -> Path:
    path = tmp_path / "scan.png"
    Image.fromarray(photo[::4, ::4]).save(path)
    return path


def lines(colorizer, scan, target, **options):
    return colorize_still(scan, target, colorizer.backend, ColorizeOptions(size=64, **options)).warnings


def test_what_cannot_be_read_is_told(colorizer, tmp_path, scan, monkeypatch):
    (tmp_path / "scans.tif").mkdir()
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "empty.png").touch()
    for name, says in {
        "scans.tif": "is a folder", "loop.png": "leads back", "empty.png": "is empty", "gone.png": "no such file",
        "scan.png/x.png": "cannot be read", "a" * 300 + ".png": "no such file",
    }.items():  # fmt: skip
        with pytest.raises(InputError, match=says):
            colorizer.file(tmp_path / name, tmp_path / "out.png")
    for number, says in {errno.EACCES: "no permission", errno.EIO: "cannot be read, input/output error"}.items():
        monkeypatch.setattr(source, "open", refusing(number), raising=False)
        with pytest.raises(InputError, match=says):
            colorizer.file(scan, tmp_path / "out.png")


def refusing(number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    return refuse


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="a file of Linux that cannot be read")
def test_a_failing_disk(colorizer, tmp_path):
    (tmp_path / "scan.png").symlink_to("/proc/self/mem")
    with pytest.raises(InputError, match="cannot be read"):
        colorizer.file(tmp_path / "scan.png", tmp_path / "out.png")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "BMP", "PPM", "JPEG2000", "AVIF", "GIF"])
def test_damage_is_told_and_nothing_else(tmp_path, photo, kind):
    out = io.BytesIO()
    Image.fromarray(photo[:64, :64]).save(out, kind)
    for seed in range(150):
        rng = np.random.default_rng(seed)
        data = bytearray(out.getvalue())
        for at in rng.integers(0, len(data), 1 + seed % 6):
            data[at] = rng.integers(0, 256)
        if seed % 3 == 0:
            del data[rng.integers(1, len(data)) :]
        (tmp_path / "in.dat").write_bytes(data)
        with suppress(InputError):
            read_still(tmp_path / "in.dat").page()


def test_a_scan_larger_than_pillow_believes_in(colorizer, tmp_path, scan, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert lines(colorizer, scan, tmp_path / "out.png") == []
    assert Image.MAX_IMAGE_PIXELS == 5000


def test_a_scan_too_large_says_so(tmp_path, scan, monkeypatch):
    monkeypatch.setattr(source, "MAX_PIXELS", 10_000)
    with pytest.raises(InputError, match=r"has 0 megapixels, more than 0; scale it down"):
        read_still(scan)
    monkeypatch.setattr(source, "MAX_PIXELS", 10**9)
    monkeypatch.setattr(source, "memory", lambda: 100_000)
    with pytest.raises(InputError, match="GB of memory, more than there is"):
        read_still(scan)


def test_a_picture_too_long_for_its_format(colorizer, tmp_path):
    Image.new("L", (17000, 4), 90).save(tmp_path / "in.png")
    with pytest.raises(OutputError, match="16383 pixels a side at most"):
        lines(colorizer, tmp_path / "in.png", tmp_path / "out.webp")
    assert lines(colorizer, tmp_path / "in.png", tmp_path / "out.jpg") == []


def test_settings_of_the_process_come_back(scan):
    """Whichever of several threads ends last."""
    before = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    threads = [threading.Thread(target=lambda: [read_still(scan).page() for _ in range(9)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (Image.MAX_IMAGE_PIXELS, list(warnings.filters)) == before
    assert quiet.State.readers == 0


def test_a_pipe_and_a_stream(colorizer, tmp_path, scan):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(scan.read_bytes()))
    writer.start()
    colorizer.file(pipe, tmp_path / "one.png")
    writer.join()
    stream, model = io.BytesIO(scan.read_bytes()), colorizer.model.identity
    summary = colorize_still(stream, tmp_path / "two.png", colorizer.backend, colorizer.options, model=model)
    assert summary.source == "standard input"
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
def test_standard_input(tmp_path, scan, name):
    script = (
        "import sys\nfrom vidcolor import Colorizer, ColorizeOptions\n"
        "with Colorizer(ColorizeOptions(backend='openvino', size=64)) as colorizer:\n"
        f"    colorizer.file({name!r}, {str(tmp_path / 'out.png')!r})\n"
    )
    command = [sys.executable, "-c", script]
    subprocess.run(command, input=scan.read_bytes(), check=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert Image.open(tmp_path / "out.png").size == (160, 120)


def test_closed_standard_input(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(InputError, match="standard input: is closed"):
        read_still(Path("-"))
    Image.new("L", (40, 30)).save(tmp_path / "-", "PNG")
    assert read_still(Path("-")).page().signal.shape == (30, 40)


def test_links_and_pipes_as_targets(colorizer, tmp_path, scan):
    (tmp_path / "real.png").write_bytes(b"old")
    (tmp_path / "link.png").symlink_to("real.png")
    lines(colorizer, scan, tmp_path / "link.png", overwrite=True)
    assert (tmp_path / "link.png").is_symlink()
    os.mkfifo(tmp_path / "pipe.png")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe.png").read_bytes()))
    reader.start()
    lines(colorizer, scan, tmp_path / "pipe.png")
    reader.join(10)
    assert got == [(tmp_path / "real.png").read_bytes()]


def test_a_target_made_meanwhile_is_not_replaced(colorizer, tmp_path, scan, monkeypatch):
    target = tmp_path / "out.png"
    predict = colorizer.backend.predict

    def other_run(batch):
        target.write_bytes(b"another run's")
        return predict(batch)

    monkeypatch.setattr(colorizer.backend, "predict", other_run)
    with pytest.raises(OutputError, match="exists already"):
        lines(colorizer, scan, target)
    assert target.read_bytes() == b"another run's"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.png", "scan.png"]


@pytest.mark.parametrize("length", [242, 255])
def test_long_and_odd_names(colorizer, tmp_path, scan, length):
    lines(colorizer, scan, tmp_path / ("n" * (length - 4) + ".png"))
    with pytest.raises(InputError) as caught:
        lines(colorizer, tmp_path / "two\nlines.png", tmp_path / "out.png")
    assert "\n" not in str(caught.value)


def test_the_same_bytes_every_time(colorizer, tmp_path, scan):
    for target in ("a.png", "b.png", "a.tif", "b.tif", "a.jpg", "b.jpg"):
        lines(colorizer, scan, tmp_path / target)
    for suffix in (".png", ".tif", ".jpg"):
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_must_lie_in_0_to_1(colorizer, photo, dtype):
    with pytest.raises(ValueError, match=r"floats from \d+ to 2\d\d; give 0\.\.1, such as picture / 255"):
        colorizer.image(photo.astype(dtype))
    bad = (photo / 255).astype(dtype)
    bad[0, 0] = np.nan
    with pytest.raises(ValueError, match="floats from nan"):
        colorizer.image(bad)
    sharp = (photo / 255 * 1.2 - 0.1).astype(dtype)  # as after a sharp resize
    rgb = colorizer.image(sharp)
    assert rgb.dtype == dtype
    assert np.abs(rgb.astype(float) @ [0.2126, 0.7152, 0.0722] - sharp.clip(0, 1)).max() < 2e-3
