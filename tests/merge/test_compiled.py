import numpy as np
import pytest

from vidcolor.color.encoding import Encoding
from vidcolor.merge import chroma_writer
from vidcolor.merge import compiled as fused
from vidcolor.merge.chroma import ChromaWriter
from vidcolor.merge.compiled import FusedWriter


def film(frames: int, height: int, width: int, cells: int, depth: int = 8, far: float = 6.0):
    """Noise under slowly turning colour, which leads beyond what is legal where it is `far` from grey."""
    generator = np.random.default_rng(0)
    start, change = generator.normal(0, 1, (2, 4, cells, 31))
    scale = np.array([0.1, 0.1, far, far])[:, None, None]
    for i in range(frames):
        coefficients = (start + 0.1 * i * change) * scale
        coefficients[2:] += 2 ** (depth - 1)
        kind = np.uint8 if depth == 8 else np.uint16
        yield coefficients.astype(np.float32), generator.integers(16, 2**depth, (height, width)).astype(kind)


def write(writer: ChromaWriter, coefficients: np.ndarray, luma: np.ndarray, *, anew: bool) -> np.ndarray:
    wide = np.zeros((2, luma.shape[0], luma.shape[1] + 32), luma.dtype)  # rows of a frame are padded
    out = wide[:, :, : luma.shape[1]]
    writer.write(coefficients, luma, (out[0], out[1]), anew=anew)
    return out


@pytest.mark.parametrize("far", [6.0, 60.0], ids=["legal", "beyond"])
@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize(("height", "width", "cells"), [(540, 960, 90), (540, 480, 60), (600, 701, 40), (90, 3000, 90)])
def test_the_loop_writes_what_numpy_and_opencv_do(height, width, cells, full, far):
    """Even and odd rows to a cell, one row, any width; through shots that begin and planes that change hands."""
    encoding = Encoding(full_range=full)
    plain, fast = ChromaWriter(encoding), FusedWriter(encoding)
    for i, frame in enumerate(film(6, height, width, cells, far=far)):
        expected, found = (write(writer, *frame, anew=i in (0, 4)) for writer in (plain, fast))
        assert fast.loop is None if i == 0 else fast.loop is not None
        difference = np.abs(found.astype(int) - expected)
        assert difference.max() <= 1  # where the last digit of a float decides
        assert (difference > 0).mean() < 1e-4
        low, high = encoding.chroma_limits
        assert low <= found.min() < found.max() <= high
        if far > 6:
            assert (found == high).any()
    assert (found != write(FusedWriter(encoding), *frame, anew=True)).mean() > 0.05  # it does keep codes


@pytest.mark.parametrize(
    ("height", "width", "cells", "depth"), [(540, 960, 90, 10), (541, 960, 90, 8), (270, 480, 90, 8)],
    ids=["ten bits", "no whole rows", "small"],
)  # fmt: skip
def test_other_planes_take_the_plain_way(height, width, cells, depth):
    plain, fast = (kind(Encoding(depth=depth)) for kind in (ChromaWriter, FusedWriter))
    for i, frame in enumerate(film(3, height, width, cells, depth)):
        expected, found = (write(writer, *frame, anew=i == 0) for writer in (plain, fast))
        np.testing.assert_array_equal(found, expected)
    assert fast.loop is None


def test_a_picture_of_another_size_begins_anew():
    writer = FusedWriter(Encoding())
    for height in (540, 600, 540):
        plain = ChromaWriter(Encoding())
        for frame in film(3, height, 960, 60):
            found, expected = (write(x, *frame, anew=False) for x in (writer, plain))
            assert np.abs(found.astype(int) - expected).max() <= 1
        assert writer.loop.shape == (60, height, 960)


def test_it_is_taken_where_openvino_is(monkeypatch):
    assert isinstance(chroma_writer(Encoding()), FusedWriter)
    monkeypatch.setattr("vidcolor.merge.missing", lambda name: [name])
    assert type(chroma_writer(Encoding())) is ChromaWriter


def test_the_loop_is_one_kernel():
    """Where OpenVINO no longer takes it in one piece, it is slower than what it is there to replace."""
    compiled = fused.core().compile_model(fused.model(91, 6, 960, Encoding()), "CPU", fused.OPTIONS)
    kinds = [node.get_rt_info()["layerType"].astype(str) for node in compiled.get_runtime_model().get_ops()]
    assert sorted(set(kinds)) == ["Const", "Input", "Output", "Subgraph"]
    assert kinds.count("Subgraph") == 1
