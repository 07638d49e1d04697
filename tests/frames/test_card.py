"""The way of a frame on a card, walked on the CPU: torch on the device "cpu" does what it does on "cuda"."""

import dataclasses
from fractions import Fraction

import av
import numpy as np
import pytest

from tests.conftest import CLIPS, SAMPLE
from tests.films import chroma_spread, luma_of, read
from vidcolor.backends import driver_present, make_backend
from vidcolor.color.encoding import Encoding, luma_to_lightness
from vidcolor.color.proxy import ProxySize, make_proxy
from vidcolor.film.run import colorize_film
from vidcolor.frames.host import HostFrames, merge
from vidcolor.frames.item import Colored
from vidcolor.merge.chroma import ChromaWriter, chroma_coefficients
from vidcolor.models.files import open_model
from vidcolor.options import ColorizeOptions
from vidcolor.video.encoder import VideoSettings
from vidcolor.video.formats import layout, plane, to_native

torch = pytest.importorskip("torch")
card = pytest.importorskip("vidcolor.frames.card")

from vidcolor.merge.tensors import Fused, Shape, color_planes, proxy_codes, shrink  # noqa: E402

CPU = torch.device("cpu")
ONE = 1  # code value that rounding may make
SIZES = [(640, 480), (641, 479), (322, 242), (321, 243)]
PLANAR = {"nv12": "yuv420p", "p010le": "yuv420p10le"}


def picture(width: int, height: int, encoding: Encoding) -> np.ndarray:
    """Shapes, a ramp and grain, over all legal codes."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    signal = 0.5 + 0.3 * np.sin(9 * x + 4 * y) + 0.2 * (x > 0.4) - 0.3 * (y > 0.5) + random.normal(0, 0.05, x.shape)
    codes = np.rint(np.clip(signal, 0, 1) * encoding.luma_scale + encoding.luma_offset)
    return codes.astype(np.uint8 if encoding.depth == 8 else np.uint16)


def planar(luma: np.ndarray, name: str) -> av.VideoFrame:
    frame = av.VideoFrame(luma.shape[1], luma.shape[0], name)
    plane(frame, 0)[:] = luma
    for i in (1, 2):
        plane(frame, i)[:] = 2 ** (layout(name).depth - 1)
    frame.pts, frame.time_base = 7, Fraction(1, 25)
    return frame


def from_decoder(luma: np.ndarray, name: str) -> av.VideoFrame:
    """A frame as NVDEC gives it, but in the CPU's memory; ten bits stand at the top of sixteen."""
    frame = av.VideoFrame(luma.shape[1], luma.shape[0], name)
    stored = luma if name == "nv12" else luma << 6
    part = frame.planes[0]
    rows = np.frombuffer(memoryview(part), luma.dtype).reshape(part.height, -1)
    rows[:, : part.width] = stored
    frame.pts, frame.time_base = 7, Fraction(1, 25)
    return frame


def settings(width: int, height: int, pix_fmt: str, encoding: Encoding, **changes) -> VideoSettings:
    base = VideoSettings("ffv1", (), width, height, pix_fmt, encoding, Fraction(1, 25), None, None, None, 2, 2)
    return dataclasses.replace(base, **changes)


def item(frame: av.VideoFrame, luma: np.ndarray, encoding: Encoding, *, anew: bool = True) -> Colored:
    size = ProxySize.fit(luma.shape[1], luma.shape[0], 96)
    ab = np.random.default_rng(1).uniform(-60, 60, (*size.grid(4), 2)).astype(np.float32)
    return Colored(0, frame, make_proxy(luma, size, encoding), ab, anew=anew)


def coefficients_of(item: Colored, encoding: Encoding, height: int) -> torch.Tensor:
    """Those of a picture whose chroma planes are `height` rows high."""
    small = item.proxy
    return torch.from_numpy(chroma_coefficients(small.luma, small.lightness, item.ab, encoding, encoding, height))


def pictures(encoding: Encoding, told: VideoSettings, size: ProxySize | None = None, compare: bool = False):
    host = HostFrames(encoding, size or ProxySize(128, 96), told, compare)
    return card.CardFrames(host, CPU, Fused(color_planes, compiles=False))


@pytest.mark.parametrize("size", [*SIZES, (1920, 1080), (350, 97)])
@pytest.mark.parametrize("encoding", [Encoding(), Encoding(full_range=True), Encoding(depth=10)], ids=str)
def test_the_small_picture_is_the_one_of_the_cpu(size, encoding):
    luma = picture(*size, encoding)
    small = ProxySize.fit(*size, 96)
    expected = make_proxy(luma, small, encoding).luma.astype(int)
    codes = proxy_codes(torch.from_numpy(luma), 0, small).numpy()
    assert np.abs(codes - expected).max() <= ONE
    # OpenCV's linear weights have few bits, which shows where a picture becomes very little smaller.
    assert (codes == expected).mean() > (0.85 if size == (350, 97) else 0.98)


@pytest.mark.parametrize("shape", [(240, 320), (479, 320), (240, 641), (160, 214), (97, 131)])
def test_area_averages_are_those_of_opencv(shape):
    import cv2

    luma = picture(641, 480, Encoding())
    if 640 % shape[1] == 0:
        luma = np.ascontiguousarray(luma[:, :640])
    expected = cv2.resize(luma, shape[::-1], interpolation=cv2.INTER_AREA).astype(int)
    found = shrink(torch.from_numpy(luma).float(), *shape).numpy()
    assert np.abs(found - expected).max() <= ONE
    assert (found == expected).mean() > 0.98


@pytest.mark.parametrize("turn", [None, 0, 1, 2, 3], ids=["", "compare", "turned 1", "turned 2", "turned 3"])
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(
    ("name", "full"),
    [("yuv420p", False), ("yuv420p", True), ("yuv422p10le", False), ("yuv444p", False), ("yuv420p10le", True)],
)
def test_the_merge_is_the_one_of_the_cpu(name, full, size, turn):
    """Luma to the bit, chroma within one code value; `turn` of a film that is compared with its source."""
    compare, turn = turn is not None, turn or 0
    encoding = Encoding(full_range=full, depth=layout(name).depth)
    luma = picture(*size, encoding)
    frame = planar(luma, name)
    doubled = [side << (compare and turn % 2 == i) for i, side in enumerate(size)]
    told = settings(*doubled, name, encoding)
    coloured = item(frame, luma, encoding)
    steps = card.STEPS[layout(name).chroma]
    rows = -(-doubled[1] // steps[1])
    if compare and turn % 2:
        rows = rows // 2 if turn == 3 else rows - rows // 2
    coefficients = coefficients_of(coloured, encoding, rows)
    shape = Shape(encoding, encoding, steps, 0, compare, turn)
    found, _ = color_planes(torch.from_numpy(luma), coefficients, shape)
    expected = merge(coloured, told, ChromaWriter(told.encoding), compare=compare, turn=turn)
    found = [part.numpy()[:, : p.width] for part, p in zip(found, expected.planes, strict=True)]
    np.testing.assert_array_equal(found[0], plane(expected, 0))
    for i in (1, 2):
        difference = np.abs(found[i].astype(int) - plane(expected, i))
        assert difference.max() <= ONE
        assert (difference == 0).mean() > 0.98
        assert plane(expected, i).std() > 2


@pytest.mark.parametrize("turn", [None, 0, 3], ids=["", "compare", "turned"])
@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("target", ["same", "yuv420p", "yuv420p10le", "yuv422p10le", "yuva420p"])
@pytest.mark.parametrize("source", ["nv12", "p010le"])
def test_a_frame_of_the_decoder_is_downloaded_coloured(source, target, full, turn):
    """All of the way from NVDEC's formats to a CPU encoder's, at any change of depth, as the CPU merges it."""
    compare, turn = turn is not None, turn or 0
    target = PLANAR[source] if target == "same" else target
    encoding = Encoding(full_range=full, depth=layout(PLANAR[source]).depth)
    out = dataclasses.replace(encoding, depth=layout(target).depth)
    luma = picture(640, 480, encoding)
    told = settings(640 << (compare and turn == 0), 480 << (turn == 3), target, out)
    frames = pictures(encoding, told, ProxySize(128, 96, turn), compare=compare)
    coloured = item(from_decoder(luma, source), luma, encoding)
    assert list(frames.merge(coloured)) == []  # held back while it is downloaded
    (found,) = frames.finish()
    expected = merge(
        dataclasses.replace(coloured, frame=planar(luma, PLANAR[source])),
        told,
        ChromaWriter(told.encoding),
        compare=compare,
        turn=turn,
    )
    assert (found.format.name, found.width, found.height, found.pts) == (target, told.width, told.height, 7)
    assert found.color_range == (2 if full else 1)
    np.testing.assert_array_equal(plane(found, 0), plane(expected, 0))
    for i in (1, 2):
        assert np.abs(plane(found, i).astype(int) - plane(expected, i)).max() <= ONE
    if target == "yuva420p":
        assert np.all(plane(found, 3) == 255)


@pytest.mark.parametrize(("name", "source"), [("nv12", "nv12"), ("p010le", "p010le"), ("nv12", "yuv420p")])
def test_a_frame_for_nvenc_is_one_piece_of_memory(name, source):
    """Semi-planar, chroma straight below the luma, and the luma to the bit; from a decoder on either side."""
    encoding = Encoding(depth=layout(PLANAR[name]).depth)
    luma = picture(322, 242, encoding)
    frame = planar(luma, source) if source in PLANAR.values() else from_decoder(luma, source)
    told = settings(322, 242, name, encoding, on_card=True)
    coloured = item(frame, luma, encoding)
    (found,) = pictures(encoding, told).merge(coloured)
    assert (found.format.name, found.pts, found.time_base) == (name, 7, Fraction(1, 25))
    y, uv = (torch.from_dlpack(p.__dlpack__()) for p in found.planes)
    assert y.stride(0) * y.element_size() % 256 == 0
    assert uv.data_ptr() == y.data_ptr() + 242 * y.stride(0) * y.element_size()
    expected = merge(
        dataclasses.replace(coloured, frame=planar(luma, PLANAR[name])),
        settings(322, 242, PLANAR[name], encoding),
        ChromaWriter(encoding),
        compare=False,
    )
    shift = 0 if name == "nv12" else 6
    np.testing.assert_array_equal(y.numpy() >> shift, plane(expected, 0))
    for i in (0, 1):
        assert np.abs((uv[..., i].numpy() >> shift).astype(int) - plane(expected, i + 1)).max() <= ONE
    again = to_native(found)  # and FFmpeg reads the same
    np.testing.assert_array_equal(plane(again, 0), plane(expected, 0))


def test_chroma_is_held_from_frame_to_frame_as_on_the_cpu():
    encoding = Encoding()
    told = settings(64, 48, "yuv420p", encoding)
    frames, chroma = pictures(encoding, told), ChromaWriter(encoding)
    for i in range(3):
        luma = np.clip(picture(64, 48, encoding).astype(int) + i, 16, 235).astype(np.uint8)
        list(frames.merge(item(from_decoder(luma, "nv12"), luma, encoding, anew=i == 0)))
        merge(item(planar(luma, "yuv420p"), luma, encoding, anew=i == 0), told, chroma, compare=False)
        for a, b in zip(frames.past.numpy(), chroma.codes, strict=True):
            assert np.abs(a - b).max() <= ONE
            assert (a == b).mean() > 0.98


def test_frames_come_out_in_order_with_one_held_back():
    encoding = Encoding()
    luma = picture(64, 48, encoding)
    frames = pictures(encoding, settings(64, 48, "yuv420p", encoding))
    out, counts = [], []
    for i, kind in enumerate("ccchcc"):  # frames on the card, and one that the decoder gave to the CPU
        frame = from_decoder(luma, "nv12") if kind == "c" else planar(luma, "yuv420p")
        frame.pts = i
        ready = list(frames.merge(item(frame, luma, encoding)))
        out += ready
        counts.append(len(ready))
    assert counts == [0, 1, 1, 2, 0, 1]
    out += frames.finish()
    assert [f.pts for f in out] == list(range(6))
    assert not list(frames.finish())


@pytest.mark.parametrize("size", [(640, 480), (60, 40)], ids=["shrunk", "enlarged"])
@pytest.mark.parametrize("source", ["nv12", "p010le", "yuv420p"])
def test_small_picture_of_a_frame(source, size):
    encoding = Encoding(depth=10 if source == "p010le" else 8)
    luma = picture(*size, encoding)
    frame = planar(luma, source) if source == "yuv420p" else from_decoder(luma, source)
    small = ProxySize.fit(*size, 96)
    found = pictures(encoding, settings(*size, "yuv420p", encoding), small).prepare(frame)
    expected = make_proxy(luma, small, encoding)
    assert found.luma.dtype == expected.luma.dtype
    assert np.abs(found.luma.astype(int) - expected.luma).max() <= ONE
    np.testing.assert_array_equal(found.lightness, luma_to_lightness(found.luma, encoding))


def test_dlpack_shares_a_frames_memory_and_outlives_it():
    frame = planar(picture(64, 48, Encoding()), "yuv420p")
    luma, shift = card.samples(frame, 8)
    plane(frame, 0)[0, 0] = 99
    assert (luma[0, 0], shift, luma.shape) == (99, 0, (48, 64))
    kept = plane(frame, 0).copy()
    del frame
    np.testing.assert_array_equal(luma.numpy(), kept)


def test_compiled_or_not_the_merge_is_the_same():
    """The compiler takes it as one graph; where it cannot work at all, the plain function does, and says so."""
    encoding = Encoding()
    luma = picture(96, 64, encoding)
    coloured = item(planar(luma, "yuv420p"), luma, encoding)
    given = torch.from_numpy(luma), coefficients_of(coloured, encoding, 32)
    shape = Shape(encoding, encoding, (2, 2), semiplanar=True)
    explained = torch.compile(color_planes, backend="eager", fullgraph=True)(*given, shape)
    np.testing.assert_array_equal(explained[0][0], color_planes(*given, shape)[0][0])

    def broken(*_):
        raise RuntimeError("no C compiler\nis found")

    fused = Fused(color_planes, compiles=True)
    fused.run = broken
    np.testing.assert_array_equal(fused(*given, shape)[0], explained[0])
    assert fused.fault == "no C compiler"
    with pytest.raises(RuntimeError):
        Fused(broken, compiles=False)(1)


def test_a_whole_film_in_the_cards_way_on_the_cpu(short_film, tmp_path, monkeypatch):
    """The pipeline with a card, all but the card: the network in torch, semi-planar frames from the reader."""
    backend = make_backend("pytorch", open_model())[0]
    options = ColorizeOptions(codec="ffv1", size=96, smoothing=0.0)
    plain = colorize_film(short_film, tmp_path / "plain.mkv", backend, options)
    monkeypatch.setattr("vidcolor.film.run.find_card", lambda backend, notes: card.Card(notes, "cpu"))
    monkeypatch.setattr("vidcolor.video.reader.Reader.to_host", lambda self, frame: frame.reformat(format="nv12"))
    summary = colorize_film(short_film, tmp_path / "card.mkv", backend, options)
    assert summary.frames == plain.frames == 12
    assert plain.notes == []
    if not driver_present():
        assert summary.notes == [
            "decoding on the CPU: NVDEC does not start here, Operation not permitted",
            "encoding on the CPU (ffv1): ffv1 was asked for",
        ]
    same(read(tmp_path / "plain.mkv"), read(tmp_path / "card.mkv"), chroma=3)


def same(one, other, *, chroma: int) -> None:
    """Equal time stamps, luma to the bit, chroma codes at most `chroma` apart on average of the worst frame."""
    assert one.times == other.times
    assert all(np.array_equal(luma_of(a), luma_of(b)) for a, b in zip(one.frames, other.frames, strict=True))
    for a, b in zip(one.frames, other.frames, strict=True):
        difference = a.to_ndarray(format="yuv444p")[1:].astype(int) - b.to_ndarray(format="yuv444p")[1:]
        assert np.abs(difference).mean() <= chroma
    assert chroma_spread(other.frames[len(other.frames) // 2]) > 0.5


@pytest.mark.skipif(not driver_present(), reason="needs an NVIDIA card; where there is one this must not be skipped")
class TestOnACard:
    """Fail, do not skip, where a driver is present."""

    options = ColorizeOptions(codec="ffv1", end=0.5)

    @pytest.fixture(scope="class")
    def on_cpu(self, tmp_path_factory):
        path = tmp_path_factory.mktemp("cpu") / "out.mkv"
        colorize_film(
            SAMPLE, path, make_backend("openvino", open_model())[0], dataclasses.replace(self.options, every=1)
        )
        return read(path)

    def test_a_whole_film_is_that_of_the_cpu(self, on_cpu, tmp_path):
        assert torch.cuda.is_available()
        backend = make_backend("pytorch", open_model())[0]
        assert backend.device == "cuda"
        summary = colorize_film(SAMPLE, tmp_path / "card.mkv", backend, self.options)
        assert summary.notes == ["encoding on the CPU (ffv1): ffv1 was asked for"]
        same(on_cpu, read(tmp_path / "card.mkv"), chroma=3)

    def test_the_merge_compiles(self):
        encoding = Encoding()
        luma = picture(640, 480, encoding)
        coefficients = coefficients_of(item(planar(luma, "yuv420p"), luma, encoding), encoding, 240)
        given = torch.from_numpy(luma).cuda(), coefficients.cuda()
        for shape in (Shape(encoding, encoding, (2, 2)), Shape(encoding, encoding, (2, 2), semiplanar=True)):
            fused = Fused(color_planes, compiles=True)
            for a, b in zip(fused(*given, shape)[0], color_planes(*given, shape)[0], strict=True):
                assert (a.int() - b.int()).abs().max() <= ONE
            assert fused.fault == ""

    @pytest.mark.parametrize("clip", CLIPS or [SAMPLE], ids=lambda p: p.stem)
    def test_every_clip_keeps_its_frames_and_luma(self, clip, tmp_path):
        backend = make_backend("pytorch", open_model())[0]
        summary = colorize_film(clip, tmp_path / "out.mkv", backend, ColorizeOptions(codec="ffv1"))
        before, after = read(clip), read(tmp_path / "out.mkv")
        assert summary.frames == len(before.frames) == len(after.frames)
        assert all(np.array_equal(a, b) for a, b in zip(before.luma, after.luma, strict=True))

    def test_nvenc_or_a_line_that_says_why_not(self, on_cpu, tmp_path):
        backend = make_backend("pytorch", open_model())[0]
        summary = colorize_film(SAMPLE, tmp_path / "out.mp4", backend, dataclasses.replace(self.options, codec=None))
        assert any(n.startswith(("encoding on the card", "encoding on the CPU (libx264)")) for n in summary.notes)
        after = read(tmp_path / "out.mp4")
        assert after.times == on_cpu.times
        assert np.abs(on_cpu.luma[5].astype(int) - after.luma[5]).mean() < 2.0
        assert chroma_spread(after.frames[5]) > 0.5
