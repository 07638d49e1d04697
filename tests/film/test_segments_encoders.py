"""Encoders of segments: the same bytes whatever was encoded before, on one core or all; another machine is refused."""

import dataclasses
import json
import subprocess
import sys
from fractions import Fraction

import pytest

from tests.conftest import ROOT
from tests.film.test_segments import OPTIONS, color, interrupted
from tests.film.test_segments import film as film  # a fixture
from vidcolor.color.encoding import Encoding
from vidcolor.errors import OutputError
from vidcolor.options import EncodeOptions
from vidcolor.video import encoder
from vidcolor.video.encoder import for_films, video_settings
from vidcolor.video.info import FilmInfo

WIDTH = 320  # where x264's AVX-512 code remembers what it has encoded before
CODECS = {"x264": "fast", "x265": "ultrafast", "svtav1": "10", "vp9": "8", "ffv1": None, "prores": None}
INFO = FilmInfo(WIDTH, 192, "yuv420p", Encoding(), Fraction(1, 24), Fraction(24), 0)
# Encodes three films before the one whose packets and headers are told, or none.
SCRIPT = """
import hashlib, json, os, sys
import av
import numpy as np
from tests.film.test_segments_encoders import CODECS, INFO, settings_of
from vidcolor.video.encoder import Encoder

def frames(settings, seed):
    rng = np.random.default_rng(seed)
    for number in range(12):
        frame = av.VideoFrame(settings.width, settings.height, settings.pix_fmt)
        scale = 2 ** (settings.encoding.depth - 8)
        for plane in frame.planes:
            rows = np.frombuffer(memoryview(plane), np.uint8 if scale == 1 else np.uint16).reshape(plane.height, -1)
            ramp = np.add.outer(np.arange(rows.shape[0]) * 0.7, np.arange(rows.shape[1]) * 0.3) + number
            rows[:] = ((ramp + rng.normal(0, 2, rows.shape) + 40 * seed) % 200 + 20) * scale
        frame.pts, frame.time_base = number, INFO.time_base
        yield frame

def digest(settings, seed):
    encoder, told = Encoder(settings), hashlib.sha256()
    for frame in frames(settings, seed):
        for packet in encoder.encode(frame):
            told.update(bytes(packet))
    for packet in encoder.finish():
        told.update(bytes(packet))
    return told.hexdigest() + encoder.header.hex()

if sys.argv[1] == "one core":
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
found = {}
for codec in CODECS:
    settings = settings_of(codec)
    for seed in (1, 2) if sys.argv[1] == "after others" else ():
        digest(settings, seed)
    found[codec] = digest(settings, 0)
print(json.dumps(found))
"""


def settings_of(codec: str):
    return for_films(video_settings(INFO, EncodeOptions(codec=codec, preset=CODECS[codec]), codec))


@pytest.fixture(scope="module")
def told():
    """Digests of one film, by codec, encoded in three ways at once."""
    ways = ("alone", "after others", "one core") if hasattr(__import__("os"), "sched_setaffinity") else ("alone",) * 3
    running = {
        way: subprocess.Popen([sys.executable, "-c", SCRIPT, way], cwd=ROOT, stdout=subprocess.PIPE) for way in ways
    }
    return {way: json.loads(process.communicate(timeout=120)[0]) for way, process in running.items()}


@pytest.mark.parametrize("codec", CODECS)
def test_what_was_encoded_before_changes_no_byte(told, codec):
    assert told["alone"][codec] == told["after others"][codec]


@pytest.mark.parametrize("codec", CODECS)
def test_one_core_gives_the_bytes_and_headers_of_all(told, codec):
    assert told["alone"][codec] == told["one core"][codec]


def test_headers_name_no_thread_and_no_machine():
    from vidcolor.video.encoder import Encoder

    header = Encoder(settings_of("x265")).header
    assert b"x265" not in header
    assert b"cpuid" not in header


def test_the_instruction_level_is_part_of_the_recipe(monkeypatch):
    settings = settings_of("x264")
    assert settings.instructions
    assert "asm=AVX2" in dict(settings.options)["x264-params"] or "AVX2" not in settings.instructions
    wide = for_films(dataclasses.replace(settings, options=(), width=640))
    assert wide.options == ()
    monkeypatch.setattr(encoder, "vector_instructions", lambda: "SSE4.2")
    monkeypatch.setattr(encoder.cv2, "checkHardwareSupport", lambda number: False)
    assert settings_of("x264").options != settings.options


def test_a_machine_with_other_vector_instructions_refuses(film, colorizer, tmp_path, monkeypatch):
    target = tmp_path / "out.mkv"
    interrupted(film, target, colorizer, monkeypatch, 1)
    monkeypatch.setattr(encoder, "vector_instructions", lambda: "SSE4.2")
    with pytest.raises(OutputError, match=r"instructions was '.+' and is 'SSE4\.2'"):
        color(film, target, colorizer, options=OPTIONS)


@pytest.mark.parametrize("codec", CODECS)
def test_no_encoder_aims_at_a_bitrate(codec):
    """Rate control would begin anew at every join: each codec has a constant quality, or no choice."""
    names = {name for name, _ in settings_of(codec).options}
    assert not names & {"b", "bitrate", "maxrate", "bufsize", "pass", "passlogfile", "vbr"}
    assert "crf" in names or codec in ("ffv1", "prores")
    assert {f.name for f in dataclasses.fields(EncodeOptions)} & {"bitrate", "passes"} == set()


@pytest.mark.parametrize("cores", [1, 2, 8, 64])
def test_every_thread_is_counted(monkeypatch, cores):
    monkeypatch.setattr(encoder.os, "cpu_count", lambda: cores)
    for codec in CODECS:
        settings = settings_of(codec)
        counted = settings.threads or "lp=" in dict(settings.options).get("svtav1-params", "")
        assert counted, codec
        assert settings.threads <= 16 or codec == "x264"
