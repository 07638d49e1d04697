"""The chroma of a film's frames in one pass over the samples, compiled by OpenVINO.

NumPy and OpenCV make a pass for each of a dozen operations. Here bilinear enlargement from row to row, slope and
offset, limits, inertia and rounding are one loop, whose only planes are samples of 8 bits.
"""

from __future__ import annotations

import numpy as np
import openvino as ov
from openvino import opset13 as op

from vidcolor.backends.openvino import core
from vidcolor.color.encoding import Encoding
from vidcolor.merge.chroma import HOLD, ChromaWriter, Planes, enlarge

LEAST = 200_000  # samples of a plane: with fewer it takes many frames to win back the time of compiling
OPTIONS = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "1", "ENABLE_CPU_PINNING": False}


class FusedWriter(ChromaWriter):
    """`ChromaWriter` with a compiled loop for frames that follow another; the same samples.

    It is for films of 8 bits whose planes are a whole number of rows to a cell of the filter's grid; others, and first
    frames of shots, take the plain way.
    """

    def __init__(self, encoding: Encoding) -> None:
        super().__init__(encoding)
        self.loop: Loop | None = None

    def write(self, coefficients: np.ndarray, luma: np.ndarray, out: Planes, *, anew: bool = True) -> None:
        if anew or self.codes.shape[1:] != luma.shape or not fits(luma, coefficients.shape[1]):
            super().write(coefficients, luma, out, anew=anew)
            return
        cells = coefficients.shape[1]
        if self.loop is None or self.loop.shape != (cells, *luma.shape):
            self.loop = Loop(cells, *luma.shape, self.encoding)
            self.loop.codes[:] = self.codes
            self.codes = self.loop.codes
        self.loop.run(coefficients, luma)
        for codes, target in zip(self.codes, out, strict=True):
            target[:] = codes


def fits(luma: np.ndarray, cells: int) -> bool:
    """Whether the loop is for planes of this kind."""
    return luma.dtype == np.uint8 and luma.size >= LEAST and len(luma) % cells == 0


class Loop:
    """For one size of picture ``(height, width)`` and of the filter's grid, which has `cells` rows.

    The plane is taken in blocks, each from the middle of a row of cells to that of the next, with half a block of
    padding at the top and at the bottom: within a block both rows are the same for all samples of a column.

    Attributes:
        codes: samples of the frame before ``(2, height, width)`` uint8; `run` moves them on to the next.
    """

    def __init__(self, cells: int, height: int, width: int, encoding: Encoding) -> None:
        self.shape = cells, height, width
        rows, blocks = height // cells, cells + 1  # of a block, and their number
        inside = slice(rows - rows // 2, rows - rows // 2 + height)
        luma = np.zeros((blocks, rows, width), np.uint8)
        codes = np.zeros((2, blocks, rows, width), np.uint8)
        self.luma = luma.reshape(-1, width)[inside]
        self.codes = codes.reshape(2, -1, width)[:, inside]
        self.lines = np.zeros((4, cells + 2, 1, width), np.float32)  # the grid, as wide as the plane
        compiled = core().compile_model(model(blocks, rows, width, encoding), "CPU", OPTIONS)
        self.requests = []
        for slopes, offsets, plane in zip(self.lines[:2], self.lines[2:], codes, strict=True):
            request = compiled.create_infer_request()
            for i, array in enumerate((slopes[:-1], slopes[1:], offsets[:-1], offsets[1:], luma, plane)):
                request.set_input_tensor(i, ov.Tensor(array, shared_memory=True))
            request.set_output_tensor(0, ov.Tensor(plane, shared_memory=True))
            self.requests.append(request)

    def run(self, coefficients: np.ndarray, luma: np.ndarray) -> None:
        """From the codes of a frame to those of the next; arguments as of `ChromaWriter.write`."""
        self.luma[:] = luma
        for plane, lines in zip(coefficients, self.lines[:, :, 0], strict=True):
            enlarge(plane, lines[1:-1])
            lines[0], lines[-1] = lines[1], lines[-2]
        for request in self.requests:
            request.infer()


def model(blocks: int, rows: int, width: int, encoding: Encoding) -> ov.Model:
    """One plane: slopes at the top and the bottom of each block, offsets likewise, luma, codes before; codes."""
    lines = [op.parameter((blocks, 1, width), np.float32) for _ in range(4)]
    luma, before = (op.parameter((blocks, rows, width), np.uint8) for _ in range(2))
    down = (np.arange(rows, dtype=np.float32) + rows // 2 + 0.5) / rows - 0.5  # 0..1 between the lines
    part = op.constant(down.reshape(1, rows, 1))
    slope, offset = (op.add(a, op.multiply(op.subtract(b, a), part)) for a, b in (lines[:2], lines[2:]))
    colour = op.clamp(op.add(op.multiply(slope, op.convert(luma, "f32")), offset), *encoding.chroma_limits)
    least, most = (op.add(colour, np.float32(x)) for x in (0.5 - HOLD, HOLD - 0.5))
    moved = op.minimum(op.maximum(op.convert(before, "f32"), least), most)
    return ov.Model([op.convert(op.round(moved, "half_to_even"), "u8")], [*lines, luma, before])
