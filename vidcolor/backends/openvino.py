"""OpenVINO on the CPU: bf16 where the processor computes in it, f32 elsewhere."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import openvino as ov

from vidcolor.weights import ModelFile


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
        if precision is None:
            capable = self.core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
            precision = "bf16" if "BF16" in capable else "f32"
        self.options = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
        if threads is not None:
            self.options["INFERENCE_NUM_THREADS"] = str(threads)
        self.network = self.core.read_model(str(model.path))
        self.compiled: dict[tuple[int, ...], ov.CompiledModel] = {}
        self.description = f"OpenVINO {ov.get_version().split('-')[0]}, CPU, {precision}"

    def predict(self, lightness: np.ndarray) -> np.ndarray:
        shape = lightness.shape
        if shape not in self.compiled:
            network = self.network.clone()
            network.reshape(list(shape))
            self.compiled[shape] = self.core.compile_model(network, "CPU", self.options)
        return self.compiled[shape](lightness)[0]

    def close(self) -> None:
        self.compiled.clear()
