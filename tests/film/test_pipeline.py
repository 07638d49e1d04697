"""Films end to end: what must be kept is kept, in every sample, stamp and packet."""

import dataclasses
import itertools
import os
import signal
import threading
import time
from fractions import Fraction

import av
import numpy as np
import pytest

from tests.conftest import CLIPS, ODD, SAMPLE
from tests.films import chroma_spread, make_grey, read
from vidcolor.errors import Cancelled, InputError
from vidcolor.film.hooks import Hooks
from vidcolor.film.run import colorize_film
from vidcolor.frames.workers import Worker
from vidcolor.video.encoder import film_threads
from vidcolor.video.reader import Reader

MILLISECOND = Fraction(1, 1000)


def color(colorizer, source, target, **changes):
    options = dataclasses.replace(colorizer.options, **changes)
    return colorize_film(source, target, colorizer.backend, options)


@pytest.mark.parametrize("clip", CLIPS or [SAMPLE], ids=lambda p: p.stem)
def test_clip(colorizer, grey, tmp_path, clip):
    """Lossless out: frames, time stamps, luma and sound are the source's; the picture has colour."""
    source, target = grey(clip), tmp_path / "out.mp4"
    summary = color(colorizer, source, target, codec="ffv1")
    before, after = read(source), read(target)
    assert summary.frames == len(before.frames) == len(after.frames)
    assert after.times == before.times
    assert all(np.array_equal(a, b) for a, b in zip(before.luma, after.luma, strict=True))
    assert after.packets == before.packets
    assert chroma_spread(before.frames[0]) == 0
    assert chroma_spread(after.frames[len(after.frames) // 2]) > 0.5


@pytest.mark.parametrize("clip", ODD, ids=lambda p: p.name)
def test_odd_file(colorizer, tmp_path, clip):
    target = tmp_path / "out.mkv"
    summary = color(colorizer, clip, target, codec="ffv1")
    before, after = read(clip), read(target)
    assert summary.frames == len(before.frames) == len(after.frames)
    assert summary.damaged == 0
    for a, b in zip(before.times, after.times, strict=True):
        assert abs(a - b) <= MILLISECOND / 2  # Matroska counts milliseconds
    assert all(np.array_equal(a, b) for a, b in zip(before.luma, after.luma, strict=True))
    kept = [[data for _, data in packets] for packets in after.packets]
    held = [p for p in before.packets if [data for _, data in p] in kept]
    assert len(before.packets) - len(held) == len([w for w in summary.warnings if "stream" in w])
    for packets in held:
        same = next(p for p in after.packets if [d for _, d in p] == [d for _, d in packets])
        assert all(abs(a - b) <= MILLISECOND / 2 for (a, _), (b, _) in zip(packets, same, strict=True))
    first, out = before.frames[0], after.frames[0]
    assert out.rotation == first.rotation
    assert out.interlaced_frame == first.interlaced_frame
    assert (out.color_range == 2) == (first.color_range == 2)


@pytest.mark.parametrize("clip", ODD, ids=lambda p: p.name)
def test_odd_file_keeps_every_time_stamp_in_mp4(colorizer, tmp_path, clip):
    """MP4 holds any time base: variable rates and start offsets come through to the tick."""
    target = tmp_path / "out.mp4"
    color(colorizer, clip, target)
    before, after = read(clip), read(target)
    assert after.times == before.times
    assert after.frames[0].rotation == before.frames[0].rotation


@pytest.mark.parametrize(
    ("codec", "suffix"),
    [("x264", ".mov"), ("x265", ".mp4"), ("svtav1", ".mkv"), ("vp9", ".webm"), ("ffv1", ".mkv"), ("prores", ".mov")],
)
def test_codecs_and_containers(colorizer, short_film, tmp_path, codec, suffix):
    target = tmp_path / f"out{suffix}"
    summary = color(colorizer, short_film, target, codec=codec)
    after = read(target)
    assert len(after.frames) == 12
    assert chroma_spread(after.frames[5]) > 2
    error = np.abs(after.luma[5].astype(int) / 2 ** (after.frames[5].format.components[0].bits - 8)
                   - read(short_film).luma[5]).mean()  # fmt: skip
    assert error < 2.0
    assert [w.split(":")[0] for w in summary.warnings] == (
        ["audio stream 1 (aac) converted to libopus"] if suffix == ".webm" else []
    )


def test_depth_and_subsampling_of_the_source_are_kept(colorizer, tmp_path):
    for name in ("yuv422p10le", "yuv444p", "gray", "gray10le"):
        source = tmp_path / f"{name}.mkv"
        with av.open(str(source), "w") as out:
            stream = out.add_stream("ffv1", rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 48, name
            for i in range(3):
                frame = av.VideoFrame(64, 48, name)
                dtype = np.uint16 if "10" in name else np.uint8
                for plane in frame.planes:
                    rows = np.frombuffer(memoryview(plane), dtype)
                    rows[:] = 512 if dtype is np.uint16 else 128
                rows = np.frombuffer(memoryview(frame.planes[0]), dtype).reshape(48, -1)
                rows[:, :64] = np.random.default_rng(i).integers(64, 900 if dtype is np.uint16 else 230, (48, 64))
                frame.pts = i
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
        target = tmp_path / f"{name}-out.mkv"
        color(colorizer, source, target, codec="ffv1")
        before, after = read(source), read(target)
        assert all(np.array_equal(a, b) for a, b in zip(before.luma, after.luma, strict=True))
        expected = {"gray": "yuv420p", "gray10le": "yuv420p10le"}.get(name, name)
        assert after.frames[0].format.name == expected


def test_tags_of_an_untagged_source_are_those_a_player_assumes(colorizer, tmp_path):
    source = next((p for p in ODD if p.name == "hevc_10bit.mp4"), None)
    if source is None:
        pytest.skip("needs the odd files")
    color(colorizer, source, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        ctx = container.streams.video[0].codec_context
        assert (ctx.colorspace, ctx.color_primaries, ctx.color_trc, ctx.color_range) == (6, 6, 6, 1)


def test_chapters_metadata_attachment_and_aspect(colorizer, short_film, tmp_path):
    source = tmp_path / "rich.mkv"
    wide = make_grey(short_film, tmp_path / "wide.mp4", aspect=Fraction(16, 15))
    with av.open(str(wide)) as inp, av.open(str(source), "w") as out:
        video, sound = inp.streams.video[0], inp.streams.audio[0]
        copies = {s.index: out.add_stream_from_template(s, opaque=True) for s in (video, sound)}
        copies[sound.index].metadata["language"] = "fin"
        out.add_attachment("notes.txt", "text/plain", b"reel two")
        out.metadata["title"] = "A film"
        out.set_chapters([
            {"id": 1, "start": 0, "end": 200, "time_base": Fraction(1, 1000), "metadata": {"title": "one"}},
            {"id": 2, "start": 200, "end": 400, "time_base": Fraction(1, 1000), "metadata": {"title": "two"}},
        ])  # fmt: skip
        for packet in inp.demux():
            if packet.dts is not None:
                packet.stream = copies[packet.stream.index]
                out.mux(packet)
    target = tmp_path / "out.mkv"
    assert color(colorizer, source, target).warnings == []
    with av.open(str(target)) as container:
        assert container.metadata["title"] == "A film"
        assert [c["metadata"]["title"] for c in container.chapters()] == ["one", "two"]
        assert [s.data for s in container.streams if s.type == "attachment"] == [b"reel two"]
        assert container.streams.audio[0].language == "fin"
        assert container.streams.video[0].sample_aspect_ratio == Fraction(16, 15)
    warnings = color(colorizer, source, tmp_path / "out.mp4").warnings
    assert len(warnings) == 1
    assert "notes.txt" in warnings[0]


def test_text_subtitles_keep_their_words_across_containers(colorizer, tmp_path):
    source = next((p for p in ODD if p.name == "h264_ac3_srt.mkv"), None)
    if source is None:
        pytest.skip("needs the odd files")
    with av.open(str(source)) as container:
        words = next(e for p in container.demux(subtitles=0) for e in p.decode()).dialogue
    for suffix in (".mp4", ".webm", ".mkv"):
        target = tmp_path / f"out{suffix}"
        color(colorizer, source, target)
        with av.open(str(target)) as container:
            found = [e.dialogue for p in container.demux(subtitles=0) if p.dts is not None for e in p.decode()]
        assert words.strip() in [f.strip() for f in found]


def test_trim(colorizer, grey, tmp_path):
    target = tmp_path / "out.mp4"
    summary = color(colorizer, grey(SAMPLE), target, start=1.0, end=2.0)
    before, after = read(grey(SAMPLE)), read(target)
    kept = [t - 1 for t in before.times if 1 <= t < 2]
    assert summary.frames == len(kept) == 30
    assert after.times == kept
    assert after.packets[0][0][0] < Fraction(1, 20)
    assert Fraction(9, 10) < after.packets[0][-1][0] < 1


def test_compare_shows_grey_and_colour_side_by_side(colorizer, short_film, tmp_path):
    target = tmp_path / "out.mkv"
    color(colorizer, short_film, target, compare=True, codec="ffv1")
    before, after = read(short_film), read(target)
    width = before.luma[0].shape[1]
    assert after.luma[3].shape[1] == 2 * width
    np.testing.assert_array_equal(after.luma[3][:, :width], before.luma[3])
    np.testing.assert_array_equal(after.luma[3][:, width:], before.luma[3])
    plane = after.frames[3].planes[2]
    cr = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, -1)[:, : plane.width]
    assert np.all(cr[:, : width // 2] == 128)
    assert cr[:, width // 2 :].std() > 1


def test_strength_is_the_amount_of_colour(colorizer, short_film, tmp_path):
    spread = {}
    for strength in (0.0, 0.5, 1.0):
        color(colorizer, short_film, tmp_path / "out.mkv", strength=strength, codec="ffv1", overwrite=True)
        spread[strength] = chroma_spread(read(tmp_path / "out.mkv").frames[4])
    assert spread[0.0] < 0.2
    assert 0.3 < spread[0.5] / spread[1.0] < 0.7


def test_the_network_need_not_see_every_frame(colorizer, short_film, tmp_path):
    """Every frame is written and coloured, however few of them are predicted."""
    seen = {}
    for every in (1, 3, None):
        target = tmp_path / f"{every}.mkv"
        summary = color(colorizer, short_film, target, every=every, codec="ffv1")
        seen[every] = summary.predicted
        film = read(target)
        assert len(film.frames) == summary.frames
        assert all(chroma_spread(f) > 0.5 for f in film.frames)
    assert seen[1] == summary.frames
    assert summary.frames / 3 <= seen[3] < summary.frames / 3 + 2 * summary.shots
    assert summary.frames / 8 <= seen[None] < summary.frames / 2


def test_smoothing_steadies_the_chroma(colorizer, short_film, tmp_path):
    change = {}
    for smoothing in (0.0, 0.9):
        color(colorizer, short_film, tmp_path / "out.mkv", smoothing=smoothing, codec="ffv1", overwrite=True)
        planes = [f.to_ndarray(format="yuv444p")[2].astype(float) for f in read(tmp_path / "out.mkv").frames]
        change[smoothing] = np.mean([np.abs(b - a).mean() for a, b in itertools.pairwise(planes)])
    assert change[0.9] < 0.7 * change[0.0]


def test_the_same_film_twice_gives_the_same_bytes(colorizer, short_film, tmp_path):
    for name in ("a.mkv", "b.mkv"):
        color(colorizer, short_film, tmp_path / name, codec="ffv1")
    a, b = ([bytes(p) for f in read(tmp_path / n).frames for p in f.planes] for n in ("a.mkv", "b.mkv"))
    assert a == b


def test_batch_size_changes_nothing_but_speed(colorizer, short_film, tmp_path):
    for batch in (1, 5):
        color(colorizer, short_film, tmp_path / f"{batch}.mkv", codec="ffv1", batch=batch, smoothing=0.0)
    one, five = (read(tmp_path / f"{b}.mkv") for b in (1, 5))
    difference = [
        np.abs(x.to_ndarray(format="yuv444p").astype(int) - y.to_ndarray(format="yuv444p")).max()
        for x, y in zip(one.frames, five.frames, strict=True)
    ]
    assert max(difference) <= 6  # bf16 kernels differ by batch


def working() -> list[Worker]:
    """Workers of the pipeline whose work is not over."""
    return [t for t in threading.enumerate() if isinstance(t, Worker) and not t.over.is_set()]


def test_x264_takes_our_settings(colorizer, short_film, tmp_path):
    """x264 writes into the stream what it was set to."""
    target = tmp_path / "out.mp4"
    color(colorizer, short_film, target, codec="x264", preset="ultrafast")
    told = target.read_bytes()
    assert b" chroma_me=0 " in told
    assert b" chroma_qp_offset=8 " in told  # ultrafast is without psy-rd, which would take 2 off
    assert f" threads={film_threads('libx264')} ".encode() in told


class FailingBackend:
    name, device, stride, description = "failing", "cpu", 4, "raises in the middle of the film"

    def __init__(self):
        self.calls = 0

    def predict(self, lightness):
        self.calls += 1
        if self.calls == 3:
            raise RuntimeError("the engine fell over")
        n, _, h, w = lightness.shape
        return np.zeros((n, 2, h // 4, w // 4), np.float32)

    def close(self):
        pass


def test_a_failure_in_the_middle_reaches_the_caller_and_leaves_nothing(colorizer, grey, tmp_path):
    with pytest.raises(RuntimeError, match="fell over"):
        colorize_film(grey(SAMPLE), tmp_path / "out.mp4", FailingBackend(), colorizer.options)
    assert list(tmp_path.iterdir()) == []
    assert not working()


def test_ctrl_c_while_the_encoder_drains(colorizer, short_film, tmp_path, monkeypatch):
    """The main thread only waits by then; the writer must be stopped and joined before the file is closed."""
    from vidcolor.video.encoder import Encoder

    finish = Encoder.finish

    def slow(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.5)
        yield from finish(self)

    monkeypatch.setattr(Encoder, "finish", slow)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the suite runs in the background
    try:
        with pytest.raises(KeyboardInterrupt):
            color(colorizer, short_film, tmp_path / "out.mp4")
    finally:
        signal.signal(signal.SIGINT, before)
    assert list(tmp_path.iterdir()) == []
    assert not working()


def test_cancel_leaves_nothing(colorizer, grey, tmp_path):
    cancel = threading.Event()
    with pytest.raises(Cancelled):
        colorize_film(
            grey(SAMPLE), tmp_path / "out.mp4", colorizer.backend, colorizer.options,
            hooks=Hooks(progress=lambda summary, total: cancel.set(), cancel=cancel),
        )  # fmt: skip
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("stage", ["network", "encode"])
def test_progress_tells_frames_and_the_slowest_stage(colorizer, short_film, tmp_path, monkeypatch, stage):
    from vidcolor.video.encoder import Encoder

    slow = {"network": (colorizer.backend, "predict"), "encode": (Encoder, "encode")}
    owner, name = slow[stage]
    work = getattr(owner, name)

    def slowly(*args):
        time.sleep(0.3)
        return work(*args)

    monkeypatch.setattr(owner, name, slowly)
    seen = []
    colorize_film(
        short_film, tmp_path / "out.mp4", colorizer.backend, colorizer.options,
        hooks=Hooks(progress=lambda s, total: seen.append((s.frames, total, s.bottleneck))),
    )  # fmt: skip
    assert seen[-1] == (12, 12, stage)
    assert [frames for frames, *_ in seen] == sorted(frames for frames, *_ in seen)


def test_an_avi_without_time_stamps_keeps_its_rate(colorizer, tmp_path):
    """AVI stores none: the decoder's best guess is used, and none may be missing or out of order."""
    source = tmp_path / "old.avi"
    with av.open(str(SAMPLE)) as inp, av.open(str(source), "w") as out:
        stream = out.add_stream("mpeg4", rate=24, options={"bf": "2"})
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for i, frame in zip(range(20), inp.decode(video=0), strict=False):
            frame.pts, frame.time_base, frame.pict_type = i, Fraction(1, 24), 0
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    color(colorizer, source, tmp_path / "out.mp4")
    before, after = read(source), read(tmp_path / "out.mp4")
    assert after.times == before.times
    assert [b - a for a, b in itertools.pairwise(after.times)] == [Fraction(1, 24)] * 19


def test_frames_without_or_with_equal_time_stamps_get_the_next_one(colorizer):
    with Reader(SAMPLE) as reader:
        given = [None, 5, 5, 3, None, 20]
        frames = [av.VideoFrame(640, 480, "yuv420p") for _ in given]
        reader.last_pts = None
        for frame, pts in zip(frames, given, strict=True):
            frame.pts = pts
            reader.repair_time(frame)
        step = round(1 / (reader.info.rate * reader.info.time_base))
        assert [f.pts for f in frames] == [0, 5, 6, 7, 7 + step, 20 if step < 13 else 8 + step]
        assert reader.retimed >= 4


@pytest.mark.parametrize("size", [(17, 15), (33, 31), (65, 47), (175, 143)])
def test_small_odd_films_are_written_lossless(colorizer, tmp_path, size):
    film = tmp_path / "small.mkv"
    with av.open(str(film), "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, "gray"
        for i in range(3):
            luma = np.random.default_rng(i).integers(0, 255, size[::-1]).astype(np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(luma, "gray")))
        out.mux(stream.encode(None))
    assert color(colorizer, film, tmp_path / "out.mkv", codec="ffv1").frames == 3
    for a, b in zip(read(film).luma, read(tmp_path / "out.mkv").luma, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_refused_at_once(colorizer, tmp_path):
    """A film is read twice; the command line streams a pipe instead."""
    os.mkfifo(tmp_path / "film.mkv")
    with pytest.raises(InputError, match="is a pipe"):
        color(colorizer, tmp_path / "film.mkv", tmp_path / "out.mkv")
