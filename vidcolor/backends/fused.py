"""The last step of the merge, a dozen operations on every chroma sample, compiled by OpenVINO into one loop.

NumPy and OpenCV take one pass over the memory for each operation, and at a film's size memory is what they wait for.
"""

from __future__ import annotations

import numpy as np
import openvino as ov
from openvino import opset13 as op

from vidcolor.backends.openvino import core
from vidcolor.chroma import HOLD
from vidcolor.color import Encoding


class FusedFollow:
    """What `chroma.follow_plainly` makes, for one size of picture; the same codes."""

    def __init__(self, enlarged: np.ndarray, encoding: Encoding) -> None:
        planes, shape = (2, *enlarged.shape[1:]), (1, *enlarged.shape[1:])
        slope, offset = (op.parameter(planes, np.float32) for _ in range(2))
        luma, before = op.parameter(shape, np.uint8), op.parameter(planes, np.uint8)
        colour = op.clamp(op.add(op.multiply(slope, op.convert(luma, "f32")), offset), *encoding.chroma_limits)
        low, high = (op.round(op.add(colour, np.float32(x)), "half_to_even") for x in (0.5 - HOLD, HOLD - 0.5))
        after = op.convert(op.minimum(op.maximum(op.convert(before, "f32"), low), high), "u8")
        model = ov.Model([after], [slope, offset, luma, before])
        options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1, "ENABLE_CPU_PINNING": False}
        self.request = core().compile_model(model, "CPU", options).create_infer_request()
        self.luma, self.after = np.empty(shape, np.uint8), np.empty(planes, np.uint8)
        for i, x in enumerate((enlarged[:2], enlarged[2:], self.luma)):
            self.request.set_input_tensor(i, ov.Tensor(x, shared_memory=True))

    def __call__(self, luma: np.ndarray, before: np.ndarray) -> np.ndarray:
        self.luma[0] = luma
        self.request.set_input_tensor(3, ov.Tensor(before, shared_memory=True))
        self.request.set_output_tensor(0, ov.Tensor(self.after, shared_memory=True))
        self.request.infer()
        self.after, after = before, self.after
        return after
