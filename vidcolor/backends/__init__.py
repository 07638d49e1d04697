"""Engines that run the generator: one protocol, one dict of names, one place that chooses."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np

from vidcolor.errors import BackendError, OptionError
from vidcolor.models.files import ModelFile

__all__ = ["Backend", "make_backend"]


class Backend(Protocol):
    """A loaded network. `close` frees it; it may be called from one thread at a time, OpenVINO's from any number."""

    name: str
    device: str  # "cpu", or another where a prediction is nearly free: "cuda"
    stride: int  # network pixels along one side of an a*b* grid cell
    takes_conditions: bool  # whether its model can be told what is known of the colour
    description: str  # device and precision, for people

    def predict(self, lightness: np.ndarray, conditions: np.ndarray | None = None) -> np.ndarray:
        """L* float32 ``(N, 1, h, w)``, h and w multiples of 32, to a*b* float32 ``(N, 2, h / stride, w / stride)``.

        Args:
            conditions: what is known of the colour, float32 ``(N, 3, h / 4, w / 4)``: a*, b* and a confidence of 0..1.
                None is nothing known, as is a confidence of nought everywhere.

        Raises:
            ModelError: something is known, and the model takes no conditions.
            ValueError: the conditions are of another shape.
        """

    def likely(
        self, lightness: np.ndarray, conditions: np.ndarray | None = None, count: int = 5
    ) -> tuple[np.ndarray, np.ndarray]:
        """The likely colours of each cell, the likeliest first; inputs as for `predict`.

        The model file names the tensor that holds the distribution, but it is no output of the network. Who asks has a
        second network loaded, at the first question, that ends there; who does not, pays nothing.

        Returns:
            a*b* ``(N, count, 2, h / 4, w / 4)`` and their probabilities ``(N, count, h / 4, w / 4)``, float32, which
            fall, and sum to 1 at most.

        Raises:
            ModelError: as `predict`; or the model knows no distribution, or was exported before this.
        """

    def close(self) -> None:
        """Free the network and what it holds."""


def openvino(model: ModelFile) -> Backend:
    from vidcolor.backends.openvino import OpenVINOBackend

    return OpenVINOBackend(model, threads=network_threads())


def onnx(model: ModelFile) -> Backend:
    from vidcolor.backends.onnxruntime import OnnxBackend

    return OnnxBackend(model)


def pytorch(model: ModelFile) -> Backend:
    from vidcolor.backends.pytorch import PyTorchBackend

    return PyTorchBackend(model)


def tensorrt(model: ModelFile) -> Backend:
    from vidcolor.backends.tensorrt import TensorRTBackend

    return TensorRTBackend(model)


def rtx(model: ModelFile) -> Backend:
    from vidcolor.backends.onnxruntime import RtxBackend

    return RtxBackend(model)


BACKENDS: dict[str, Callable[[ModelFile], Backend]] = {
    "tensorrt": tensorrt,
    "rtx": rtx,
    "openvino": openvino,
    "onnx": onnx,
    "pytorch": pytorch,
}
NEEDS = {  # packages a backend imports, with what installs them
    "tensorrt": (("torch_tensorrt", "torch-tensorrt"), ("onnx", "onnx")),
    "rtx": (
        ("onnxruntime", "onnxruntime"),
        ("onnxruntime_ep_nv_tensorrt_rtx", "onnxruntime-ep-nv-tensorrt-rtx-cu13"),
        ("onnx", "onnx"),
    ),
    "openvino": (("openvino", "openvino"),),
    "onnx": (("onnxruntime", "onnxruntime"),),
    "pytorch": (("torch", "torch"), ("onnx", "onnx")),
}


def missing(name: str) -> list[str]:
    """What `pip install` needs for the backend `name` to be importable; empty where all is there."""
    return [package for module, package in NEEDS[name] if importlib.util.find_spec(module) is None]


def make_backend(name: str, model: ModelFile) -> tuple[Backend, str]:
    """The backend `name`, or the best one that starts here for "auto"; and why it was taken.

    Raises:
        OptionError: there is no such backend.
        BackendError: the named one is not installed or cannot run here, or "auto" found none.
    """
    if name != "auto":
        if name not in BACKENDS:
            raise OptionError(f"backend {name!r} is not known; choose from auto, {', '.join(BACKENDS)}")
        return start(name, model), "as asked"
    passed_over: list[str] = []
    for candidate, why in candidates():
        try:
            return start(candidate, model), "; ".join([why, *passed_over])
        except BackendError as error:
            passed_over.append(str(error))
    raise BackendError("; ".join(["no backend can run here: pip install openvino", *passed_over]))


def start(name: str, model: ModelFile) -> Backend:
    """The backend `name`.

    Raises:
        BackendError: it is not installed or cannot run here.
    """
    if packages := missing(name):
        raise BackendError(f"backend {name}: {' and '.join(packages)} missing; pip install {' '.join(packages)}")
    try:
        return BACKENDS[name](model)
    except (ImportError, OSError) as error:
        text = str(error).splitlines()[0]
        raise BackendError(f"backend {name}: cannot start here ({text}); reinstall it or choose another") from error


def candidates() -> Iterator[tuple[str, str]]:
    """The installed backends, best one first, each once and with the reason to take it; whether one starts is another
    matter. PyTorch takes the card where it finds one, so it is no candidate for the CPU then.
    """
    on_card = False
    if driver_present():
        for name, why in (
            ("tensorrt", "an NVIDIA card, and torch-tensorrt is installed"),
            ("rtx", "an NVIDIA card, and TensorRT for RTX is installed"),
        ):
            if not missing(name):
                yield name, why
        on_card = not missing("pytorch") and cuda_present()
        if on_card:
            yield "pytorch", "an NVIDIA card, and torch has CUDA"
    for name, why in (
        ("openvino", "no NVIDIA card in use, OpenVINO is the fastest on a CPU"),
        ("onnx", "no NVIDIA card in use, and OpenVINO is not installed"),
        ("pytorch", "no NVIDIA card in use, and nothing faster is installed"),
    ):
        if not missing(name) and not (on_card and name == "pytorch"):
            yield name, why


def driver_present() -> bool:
    """Whether there is a CUDA driver; the engines are slow to import, so it is looked for first."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def network_threads() -> int:
    """Threads for the network on a CPU: a quarter of the cores.

    It sees few frames of a film and has time for them, while codecs take every core they find; threads that wait for
    each other among busy ones cost more than they bring.
    """
    return max(1, (os.cpu_count() or 1) // 4)


def cuda_present() -> bool:
    """Whether torch finds a CUDA device; one that cannot be imported finds none."""
    try:
        import torch
    except (ImportError, OSError):
        return False
    return torch.cuda.is_available()
