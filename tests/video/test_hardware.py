"""Which decoder and encoder a film gets, and what is said about it, with the errors that PyAV really gives."""

import dataclasses
from fractions import Fraction
from types import SimpleNamespace

import av
import pytest

from tests.conftest import SAMPLE
from vidcolor.backends import driver_present
from vidcolor.color.encoding import Encoding
from vidcolor.film.pipeline import find_card
from vidcolor.options import ColorizeOptions
from vidcolor.video import hardware
from vidcolor.video.device import cuda_accel, no_nvdec, off_card
from vidcolor.video.encoder import VideoSettings, video_settings
from vidcolor.video.reader import Reader

no_card = pytest.mark.skipif(driver_present(), reason="there is a card; tests/frames/test_card.py uses it")


@pytest.fixture
def settings():
    with Reader(SAMPLE) as reader:
        return video_settings(reader, ColorizeOptions(), "x264")


@no_card
def test_without_a_card_the_decoder_says_what_ffmpeg_says():
    assert hardware.find_decoder() == (
        None,
        "decoding on the CPU: NVDEC does not start here, Operation not permitted",
    )


@no_card
def test_a_reader_that_gets_no_card_decodes_all_the_same():
    with Reader(SAMPLE, hwaccel=cuda_accel()) as reader:
        frame = next(item for item in reader if isinstance(item, av.VideoFrame))
        assert "Operation not permitted" in reader.no_card
        assert frame.format.name == reader.info.pix_fmt
        assert not reader.off_card


@no_card
def test_a_network_on_a_card_that_torch_does_not_reach_leaves_the_frames_where_they_are():
    notes: list[str] = []
    assert find_card(SimpleNamespace(device="cpu"), notes) is None
    assert notes == []
    assert find_card(SimpleNamespace(device="cuda"), notes) is None
    assert notes == ["frames go through the CPU's memory: no torch with CUDA is installed"]


@pytest.mark.parametrize(
    ("decoder", "expected"), [("h264", True), ("hevc", True), ("mpeg2video", True), ("ffv1", False), ("prores", False)]
)
def test_what_nvdec_has(decoder, expected):
    assert (no_nvdec(av.CodecContext.create(decoder, "r")) == "") == expected


def test_lossless_h264_is_left_to_the_cpu(short_film):
    with Reader(short_film, hwaccel=cuda_accel()) as reader:
        assert reader.no_card == "NVDEC has no H.264 of the profile High 4:4:4 Predictive"


def test_a_codec_that_nvdec_has_not_is_named(tmp_path):
    path = tmp_path / "film.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        out.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        out.mux(stream.encode(None))
    with Reader(path, hwaccel=cuda_accel()) as reader:
        assert reader.no_card == "FFmpeg's ffv1 decoder has no NVDEC"
        assert len([item for item in reader if isinstance(item, av.VideoFrame)]) == 1


def test_frames_that_cannot_stay_say_why():
    frame = av.VideoFrame(64, 48, "yuv420p")  # what comes where NVDEC has refused the film
    assert off_card(frame, 64, 48, 8) == "NVDEC refuses them"


@no_card
def test_nvenc_that_does_not_start_is_said_with_ffmpegs_reason(settings):
    chosen, why = hardware.choose_encoder(settings, ColorizeOptions(), "x264")
    assert chosen == settings
    assert why == "encoding on the CPU (libx264): NVENC does not start here, Operation not permitted"


@pytest.mark.parametrize(
    ("codec", "changes", "told", "expected"),
    [
        ("x265", {"codec": "x265"}, {}, "x265 was asked for"),
        ("x264", {"codec": "x264"}, {}, "x264 was asked for"),
        ("vp9", {}, {}, "NVENC has no vp9"),
        ("x264", {"preset": "slow"}, {}, "preset slow is one of x264's"),
        ("x264", {}, {"pix_fmt": "yuv444p"}, "NVENC takes no yuv444p from the card's memory"),
        ("x264", {}, {"field_order": "tff"}, "the film is interlaced"),
        ("x264", {"crf": 16}, {}, ""),
        ("x264", {}, {"pix_fmt": "yuv420p10le", "encoding": Encoding(depth=10)}, ""),
    ],
)
def test_what_nvenc_is_not_asked_to_do(settings, codec, changes, told, expected):
    settings = dataclasses.replace(settings, **told)
    assert hardware.unsuited(settings, ColorizeOptions(**changes), codec) == expected


def test_settings_for_nvenc(settings, monkeypatch):
    monkeypatch.setattr(hardware, "try_encoder", lambda settings: "")
    chosen, why = hardware.choose_encoder(settings, ColorizeOptions(crf=16), "x264")
    assert why == "encoding on the card: h264_nvenc"
    assert (chosen.encoder, chosen.pix_fmt, chosen.on_card) == ("h264_nvenc", "nv12", True)
    assert dict(chosen.options) == {"rc": "vbr", "b": "0", "preset": "p5", "cq": "16"}
    assert chosen.accel is not None
    assert chosen.accel.is_hw_owned
    assert settings.accel is None


def test_an_encoder_that_is_there_is_found():
    """The trial is not what fails: the same settings open on the CPU."""
    told = VideoSettings(
        "libx264", (), 64, 48, "yuv420p", Encoding(), Fraction(1, 25), Fraction(25), None, None, 1, 1
    )  # fmt: skip
    assert hardware.try_encoder(told) == ""
    assert hardware.try_encoder(dataclasses.replace(told, width=63)) != ""
