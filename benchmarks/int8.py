"""The network in 8-bit integers on the CPU: `python -m benchmarks int8` (needs `pip install nncf`).

The shipped file of 8-bit integers beside the network it was made from, NNCF's preset left as it is, and ONNX Runtime's
own quantisation, both calibrated here on photographs. Colour is scored on val.tar as in the model card, speed in the
same rounds.
"""

from __future__ import annotations

import logging
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import openvino as ov

from benchmarks.network import rate
from training.evaluate import evaluate
from training.pictures import open_pictures
from training.quantize import examples, kept
from vidcolor.backends import Backend
from vidcolor.backends.onnxruntime import OnnxBackend
from vidcolor.backends.openvino import OpenVINOBackend, core
from vidcolor.models.files import ModelFile, open_model

CALIBRATION = 300  # photographs
SHAPES = ((1, 224, 384), (1, 256, 448))
ROUNDS = 3


class Plain(OpenVINOBackend):
    """NNCF's mixed preset as it is: no bias corrected, the range of layers cut, weights of 8 bits."""

    name = "openvino int8"

    def __init__(self, model: ModelFile, calibration: Sequence[dict[str, np.ndarray]]) -> None:
        import nncf

        super().__init__(model, precision="f32")
        self.network = nncf.quantize(
            self.network, nncf.Dataset(calibration), subset_size=len(calibration), preset=nncf.QuantizationPreset.MIXED
        )
        self.description = f"OpenVINO {ov.get_version().split('-')[0]}, CPU, int8"


class OnnxQuantized(OnnxBackend):
    """ONNX Runtime's static quantisation of the convolutions: QDQ, weights by channel, range by minimum and maximum."""

    name = "onnx int8"

    def __init__(
        self, model: ModelFile, calibration: Sequence[dict[str, np.ndarray]], folder: Path, *, kept: int
    ) -> None:
        import onnx
        from onnxruntime import quantization
        from onnxruntime.quantization.shape_inference import quant_pre_process

        class Photos(quantization.CalibrationDataReader):
            def __init__(self) -> None:
                self.pictures = iter(calibration)

            def get_next(self) -> dict | None:
                return next(self.pictures, None)

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


def int8(data: Path) -> dict:
    """Figures on val.tar and pictures a second of every way."""
    model, val = open_model(), open_pictures([data / "val.tar"])[:]
    calibration = examples(model, open_pictures([first_shard(data)], limit=CALIBRATION)[:])
    with tempfile.TemporaryDirectory() as folder:
        ways: dict[str, Backend] = {
            "OpenVINO f32": OpenVINOBackend(model, precision="f32"),
            "OpenVINO bf16": OpenVINOBackend(model, precision="bf16"),
            "OpenVINO int8, as shipped": OpenVINOBackend(model, precision="int8"),
            "OpenVINO int8, NNCF's preset": Plain(model, calibration),
            "ONNX Runtime f32": OnnxBackend(model),
            f"ONNX Runtime int8, last {kept(model)} layers in f32": OnnxQuantized(
                model, calibration, Path(folder), kept=kept(model)
            ),
        }
        if "BF16" not in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            del ways["OpenVINO bf16"]
        return measure(ways, val)


def first_shard(data: Path) -> Path:
    """The first shard of training photographs in `data`.

    Raises:
        FileNotFoundError: there is none.
    """
    found = sorted(p for p in data.glob("*.tar") if not p.stem.startswith("val"))
    if not found:
        raise FileNotFoundError(f"{data}: holds no shard of training photographs; name another folder by --data")
    return found[0]


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
