"""Which decoder and encoder a film gets, and what is said about it, with the errors that PyAV really gives."""

import dataclasses
from fractions import Fraction
from types import SimpleNamespace

import av
import pytest

from tests.conftest import SAMPLE
from vidcolor.backends import driver_present
from vidcolor.color.encoding import Encoding
from vidcolor.frames.memory import find_card
from vidcolor.options import ColorizeOptions
from vidcolor.video import hardware
from vidcolor.video.device import cuda_accel, no_nvdec, off_card
from vidcolor.video.encoder import VideoSettings, video_settings
from vidcolor.video.reader import Reader

no_card = pytest.mark.skipif(driver_present(), reason="there is a card; tests/frames/test_card.py uses it")


@pytest.fixture
def settings():
    with Reader(SAMPLE) as reader:
        return video_settings(reader.info, ColorizeOptions(), "x264")


@no_card
def test_without_a_card_the_decoder_says_what_ffmpeg_says():
    with pytest.raises(av.FFmpegError) as told:
        cuda_accel().create(av.Codec("h264", "r"))
    accel, why = hardware.find_decoder()
    assert accel is None
    assert why.startswith("decoding on the CPU")
    assert told.value.strerror in why


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


@pytest.fixture
def ready_nvenc(monkeypatch):
    """A card whose NVENC opens with any settings."""
    monkeypatch.setattr(hardware, "try_encoder", lambda settings: "")


@pytest.mark.parametrize(
    ("codec", "changes", "told", "named"),
    [
        ("x265", {"codec": "x265"}, {}, "x265"),
        ("x264", {"codec": "x264"}, {}, "x264"),
        ("vp9", {}, {}, "vp9"),
        ("x264", {"preset": "slow"}, {}, "slow"),
        ("x264", {}, {"pix_fmt": "yuv444p"}, "yuv444p"),
        ("x264", {}, {"field_order": "tff"}, "interlaced"),
    ],
)
def test_what_nvenc_is_not_asked_to_do(ready_nvenc, settings, codec, changes, told, named):
    """The film keeps its encoder on the CPU, although the card would do; the line names what stands against it."""
    settings = dataclasses.replace(settings, **told)
    chosen, why = hardware.choose_encoder(settings, ColorizeOptions(**changes), codec)
    assert chosen == settings
    assert why.startswith("encoding on the CPU (libx264): ")
    assert named in why.removeprefix("encoding on the CPU (libx264): ")


@pytest.mark.parametrize(
    ("changes", "told", "on_card"),
    [
        ({}, {}, "nv12"),
        ({"crf": 16}, {}, "nv12"),
        ({}, {"pix_fmt": "yuv420p10le", "encoding": Encoding(depth=10)}, "p010le"),
    ],
)
def test_what_nvenc_takes(ready_nvenc, settings, changes, told, on_card):
    settings = dataclasses.replace(settings, **told)
    chosen, why = hardware.choose_encoder(settings, ColorizeOptions(**changes), "x264")
    assert why == "encoding on the card: h264_nvenc"
    assert (chosen.encoder, chosen.pix_fmt, chosen.on_card) == ("h264_nvenc", on_card, True)
    assert chosen.accel is not None
    assert chosen.accel.is_hw_owned
    assert settings.accel is None


def test_ffmpeg_knows_the_options_for_nvenc_and_takes_their_values(settings):
    """FFmpeg reads an encoder's options before it asks for the card, so this holds without one."""
    made = hardware.for_nvenc(settings, ColorizeOptions(crf=16), "x264")
    made = dataclasses.replace(made, on_card=False)  # with frames in the card's memory it asks for the card first
    assert hardware.try_encoder(made) not in ("Invalid argument", "Numerical result out of range")
    for name, _ in made.options:
        broken = dataclasses.replace(made, options=((name, "nonsense"),))
        assert hardware.try_encoder(broken) == "Invalid argument", name
    quality = {crf: dict(hardware.for_nvenc(settings, ColorizeOptions(crf=crf), "x264").options) for crf in (16, 30)}
    assert {crf: options["cq"] for crf, options in quality.items()} == {16: "16", 30: "30"}


def test_an_encoder_that_is_there_is_found():
    """The trial is not what fails: the same settings open on the CPU."""
    told = VideoSettings(
        "libx264", (), 64, 48, "yuv420p", Encoding(), Fraction(1, 25), Fraction(25), None, None, 1, 1
    )  # fmt: skip
    assert hardware.try_encoder(told) == ""
    assert hardware.try_encoder(dataclasses.replace(told, width=63)) != ""
