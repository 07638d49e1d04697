"""OpenVINO on the CPU: bf16 where the processor computes in it, else 8-bit integers where there is a file of them."""

from __future__ import annotations

import platform
from functools import lru_cache

import numpy as np
import openvino as ov

from vidcolor.errors import ModelError
from vidcolor.models.files import ModelFile

X86 = ("x86_64", "amd64", "i386", "i686", "x86")


@lru_cache(maxsize=1)
def core() -> ov.Core:
    """OpenVINO, once a process: of several that overlap, the last to go leaves the thread a signal stack that is freed,
    and the next Ctrl-C kills the process (openvino 2026.4).
    """
    return ov.Core()


class OpenVINOBackend:
    """One network compiled for each input shape it meets; a film has one or two. `threads`: None takes all cores."""

    name = "openvino"
    device = "cpu"

    def __init__(self, model: ModelFile, *, precision: str | None = None, threads: int | None = None) -> None:
        self.core = core()
        self.stride = model.stride
        self.network, precision = self.read(model, precision)
        hint = "f32" if precision == "int8" else precision  # of what is not in integers
        self.options = {"INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY"}
        if threads is not None:
            self.options["INFERENCE_NUM_THREADS"] = str(threads)
        self.compiled: dict[tuple[int, ...], ov.CompiledModel] = {}
        self.description = f"OpenVINO {ov.get_version().split('-')[0]}, CPU, {precision}"

    def read(self, model: ModelFile, precision: str | None) -> tuple[ov.Model, str]:
        """The network in `precision`, or in the one that is the fastest here; and which it is."""
        capable = self.core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if precision is None and "BF16" in capable:
            precision = "bf16"
        if precision == "int8" or (precision is None and "INT8" in capable and platform.machine().lower() in X86):
            network = self.read_int8(model)
            if network is not None:
                return network, "int8"
            if precision == "int8":
                raise ModelError(f"{model.path}: has no {model.int8.name} of its own beside it; take f32")
        return self.core.read_model(str(model.path)), precision or "f32"

    def read_int8(self, model: ModelFile) -> ov.Model | None:
        """The file of 8-bit integers beside `model`; None where there is none, or it was made from another model."""
        if not model.int8.exists():
            return None
        try:
            network = self.core.read_model(str(model.int8))
            origin = network.get_rt_info(["framework", "sha256"]).astype(str)
        except RuntimeError as error:
            raise ModelError(f"{model.int8}: cannot be read; make it anew (python -m training quantize) or delete it "
                             f"({str(error).strip().splitlines()[-1]})") from error  # fmt: skip
        return network if origin == model.metadata["sha256"] else None

    def predict(self, lightness: np.ndarray) -> np.ndarray:
        shape = lightness.shape
        if shape not in self.compiled:
            network = self.network.clone()
            network.reshape(list(shape))
            self.compiled[shape] = self.core.compile_model(network, "CPU", self.options)
        return self.compiled[shape](lightness)[0]

    def close(self) -> None:
        self.compiled.clear()
