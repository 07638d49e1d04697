"""Writes chroma in one pass over the samples, compiled by OpenVINO.

NumPy and OpenCV make one pass for each of a dozen operations. Here vertical enlargement, slope and offset, limits,
hysteresis and rounding are one loop, and the only planes in memory are samples of 8 bits.
"""

from __future__ import annotations

import numpy as np
import openvino as ov
from openvino import opset13 as op

from vidcolor.backends.openvino import core
from vidcolor.color.encoding import Encoding
from vidcolor.merge.chroma import HYSTERESIS, ChromaWriter, Planes, enlarge

MIN_SAMPLES = 200_000  # of a plane; with fewer, many frames pass before the loop has earned its compile time
OPTIONS = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "1", "ENABLE_CPU_PINNING": False}


class FusedWriter(ChromaWriter):
    """`ChromaWriter` with a compiled loop for every frame that follows another.

    A sample may differ from `ChromaWriter`'s by one code, where the last digit of a float decides; fewer than one in
    10,000 do. The loop is for 8 bits and cells that are a whole number of rows high; anything else, and the first
    frame of a shot, is left to `ChromaWriter`.
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
    """Whether the loop can write such planes."""
    return luma.dtype == np.uint8 and luma.size >= MIN_SAMPLES and len(luma) % cells == 0


class Loop:
    """For one size of picture ``(height, width)`` and of the filter's grid, which has `cells` rows.

    The plane is cut into blocks, each from the middle of one row of cells to the middle of the next, with half a block
    of padding at the top and at the bottom. Within a block, all samples of a column lie between the same two cells.

    Attributes:
        codes: samples of the frame before ``(2, height, width)`` uint8; `run` updates them to the next.
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
        """Update `codes` to the next frame; arguments as for `ChromaWriter.write`."""
        self.luma[:] = luma
        for plane, lines in zip(coefficients, self.lines[:, :, 0], strict=True):
            enlarge(plane, lines[1:-1])
            lines[0], lines[-1] = lines[1], lines[-2]
        for request in self.requests:
            request.infer()


def model(blocks: int, rows: int, width: int, encoding: Encoding) -> ov.Model:
    """The loop for one plane. Inputs: slopes at the top and the bottom of each block, offsets likewise, luma, the
    codes before. Output: the codes."""
    lines = [op.parameter((blocks, 1, width), np.float32) for _ in range(4)]
    luma, before = (op.parameter((blocks, rows, width), np.uint8) for _ in range(2))
    down = (np.arange(rows, dtype=np.float32) + rows // 2 + 0.5) / rows - 0.5  # 0..1 between the lines
    part = op.constant(down.reshape(1, rows, 1))
    slope, offset = (op.add(a, op.multiply(op.subtract(b, a), part)) for a, b in (lines[:2], lines[2:]))
    color = op.clamp(op.add(op.multiply(slope, op.convert(luma, "f32")), offset), *encoding.chroma_limits)
    least, most = (op.add(color, np.float32(x)) for x in (0.5 - HYSTERESIS, HYSTERESIS - 0.5))
    moved = op.minimum(op.maximum(op.convert(before, "f32"), least), most)
    return ov.Model([op.convert(op.round(moved, "half_to_even"), "u8")], [*lines, luma, before])
