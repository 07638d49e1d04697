"""Engines that run the generator: one protocol, one dict of names, one place that chooses."""

from __future__ import annotations

import ctypes
import importlib.util
import sys
from collections.abc import Callable
from typing import Protocol

import numpy as np

from vidcolor.errors import BackendError, OptionError
from vidcolor.weights import ModelFile


class Backend(Protocol):
    """A loaded network. `close` frees it; predict may be called from one thread at a time."""

    name: str
    stride: int  # network pixels along one side of an a*b* grid cell
    description: str  # device and precision, for people

    def predict(self, lightness: np.ndarray) -> np.ndarray:
        """L* float32 ``(N, 1, h, w)``, h and w multiples of 32, to a*b* float32 ``(N, 2, h / stride, w / stride)``."""

    def close(self) -> None: ...


def openvino(model: ModelFile) -> Backend:
    from vidcolor.backends.openvino import OpenVINOBackend

    return OpenVINOBackend(model)


def pytorch(model: ModelFile) -> Backend:
    from vidcolor.backends.pytorch import PyTorchBackend

    return PyTorchBackend(model)


BACKENDS: dict[str, Callable[[ModelFile], Backend]] = {
    "openvino": openvino,
    "pytorch": pytorch,
}
NEEDS = {  # packages a backend imports, with what installs them
    "openvino": (("openvino", "openvino"),),
    "pytorch": (("torch", "torch"), ("onnx", "onnx")),
}


def missing(name: str) -> list[str]:
    """What `pip install` needs for the backend `name` to be importable; empty where all is there."""
    return [package for module, package in NEEDS[name] if importlib.util.find_spec(module) is None]


def make_backend(name: str, model: ModelFile) -> tuple[Backend, str]:
    """The backend `name`, or the best one present for "auto"; and why it was taken.

    Raises:
        OptionError: there is no such backend.
        BackendError: the named one is not installed or cannot run here, or "auto" found none.
    """
    if name == "auto":
        name, why = choose()
    elif name in BACKENDS:
        why = "as asked"
    else:
        raise OptionError(f"backend {name!r} is not known; choose from auto, {', '.join(BACKENDS)}")
    if packages := missing(name):
        raise BackendError(f"backend {name}: {' and '.join(packages)} missing; pip install {' '.join(packages)}")
    try:
        return BACKENDS[name](model), why
    except (ImportError, OSError) as error:
        text = str(error).splitlines()[0]
        raise BackendError(f"backend {name}: cannot start here ({text}); reinstall it or choose another") from error


def choose() -> tuple[str, str]:
    """The backend for "auto" and the reason."""
    if not missing("pytorch") and cuda_present():
        return "pytorch", "a CUDA device is present"
    if not missing("openvino"):
        return "openvino", "no CUDA device for torch, OpenVINO is the fastest on a CPU"
    if not missing("pytorch"):
        return "pytorch", "OpenVINO is not installed"
    raise BackendError("no backend is installed; pip install openvino")


def cuda_present() -> bool:
    """Whether torch finds a CUDA device; torch is slow to import, so the driver is looked for first."""
    driver = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        ctypes.CDLL(driver)
    except OSError:
        return False
    import torch

    return torch.cuda.is_available()
