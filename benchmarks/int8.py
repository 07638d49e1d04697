"""The network in 8-bit integers on the CPU: `python -m benchmarks int8` (needs `pip install nncf`).

Post-training quantisation by NNCF for OpenVINO and by ONNX Runtime's own for it, calibrated on photographs. Colour is
scored on val.tar as in the model card, speed in the same rounds. It stays off unless it loses at most 0.1 dB and 2 % of
colourfulness.
"""

from __future__ import annotations

import logging
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import openvino as ov

from benchmarks.network import rate
from training.data import to_lab
from training.evaluate import evaluate
from training.pictures import open_pictures
from vidcolor.backends import Backend
from vidcolor.backends.onnxruntime import OnnxBackend
from vidcolor.backends.openvino import OpenVINOBackend
from vidcolor.weights import ModelFile, open_model

CALIBRATION = 300  # photographs
SHAPES = ((1, 224, 384), (1, 256, 448))
ROUNDS = 3
HEAD = 2  # convolutions before the output that may stay in f32


class Quantized(OpenVINOBackend):
    """The shipped network with its convolutions in int8; the last `kept` of them as they were."""

    name = "openvino int8"

    def __init__(self, model: ModelFile, photos: Path, *, kept: int) -> None:
        import nncf

        super().__init__(model)
        convolutions = [
            n.get_friendly_name() for n in self.network.get_ordered_ops() if "Convolution" in n.get_type_name()
        ]
        self.network = nncf.quantize(
            self.network,
            nncf.Dataset(list(lightness(photos, CALIBRATION))),
            subset_size=CALIBRATION,
            preset=nncf.QuantizationPreset.MIXED,
            ignored_scope=nncf.IgnoredScope(names=convolutions[len(convolutions) - kept :]) if kept else None,
        )
        self.description = f"OpenVINO {ov.get_version().split('-')[0]}, CPU, int8"


class OnnxQuantized(OnnxBackend):
    """ONNX Runtime's static quantisation of the convolutions: QDQ, weights by channel, range by minimum and maximum."""

    name = "onnx int8"

    def __init__(self, model: ModelFile, photos: Path, folder: Path, *, kept: int) -> None:
        import onnx
        from onnxruntime import quantization
        from onnxruntime.quantization.shape_inference import quant_pre_process

        class Photos(quantization.CalibrationDataReader):
            def __init__(self) -> None:
                self.pictures = lightness(photos, CALIBRATION)

            def get_next(self) -> dict | None:
                picture = next(self.pictures, None)
                return None if picture is None else {"lightness": picture}

        plain, small = folder / "plain.onnx", folder / f"int8-{kept}.onnx"
        quant_pre_process(str(model.path), str(plain), skip_symbolic_shape=True)
        convolutions = [node.name for node in onnx.load(plain).graph.node if node.op_type == "Conv"]
        logging.getLogger().setLevel(logging.ERROR)
        quantization.quantize_static(
            plain, small, Photos(), op_types_to_quantize=["Conv"], per_channel=True,
            activation_type=quantization.QuantType.QUInt8, weight_type=quantization.QuantType.QInt8,
            nodes_to_exclude=convolutions[len(convolutions) - kept :] if kept else [],
        )  # fmt: skip
        super().__init__(ModelFile(small, model.metadata))
        self.description = self.description.replace("f32", "int8")


def lightness(photos: Path, count: int) -> Iterator[np.ndarray]:
    """L* ``(1, 1, h, w)`` of photographs, sides cut to multiples of 32."""
    for photo in open_pictures([photos], limit=count)[:]:
        height, width = (side // 32 * 32 for side in photo.shape[:2])
        yield np.ascontiguousarray(to_lab(photo[:height, :width])[None, None, ..., 0])


def int8(data: Path) -> dict:
    """Figures on val.tar and pictures a second of bf16 (or f32, where the processor has none) and of int8."""
    model, val = open_model(), open_pictures([data / "val.tar"])[:]
    photos, folder = data / "photos-00.tar", tempfile.TemporaryDirectory()
    with folder as place:
        ways: dict[str, Backend] = {
            "OpenVINO, as shipped": OpenVINOBackend(model),
            "OpenVINO int8": Quantized(model, photos, kept=0),
            f"OpenVINO int8, last {HEAD} layers as shipped": Quantized(model, photos, kept=HEAD),
            "ONNX Runtime f32": OnnxBackend(model),
            "ONNX Runtime int8": OnnxQuantized(model, photos, Path(place), kept=0),
            f"ONNX Runtime int8, last {HEAD} layers as shipped": OnnxQuantized(model, photos, Path(place), kept=HEAD),
        }
        return measure(ways, val)


def measure(ways: dict[str, Backend], val: list[np.ndarray]) -> dict:
    """Speed in rounds in which each way has its turn, then colour."""
    rates: dict[tuple[str, tuple[int, int, int]], list[float]] = {}
    for _ in range(ROUNDS):
        for name, backend in ways.items():
            for shape in SHAPES:
                rates.setdefault((name, shape), []).append(rate(backend, shape))
    rows = []
    for name, backend in ways.items():
        figures = evaluate(val, backend.predict)
        speeds = {"x".join(map(str, s)): round(statistics.median(rates[name, s]), 1) for s in SHAPES}
        rows.append({
            "way": name, "description": backend.description, "psnr": round(figures.psnr, 3),
            "colourfulness_abs": round(figures.colourfulness_abs, 2), "pictures_per_second": speeds,
        })  # fmt: skip
    return {"calibration": CALIBRATION, "pictures": len(val), "rows": rows}
