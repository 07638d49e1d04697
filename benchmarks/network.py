"""The network alone: every backend that runs here, at the sizes and batches that films come in."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np

from vidcolor.backends import Backend, driver_present, make_backend, missing
from vidcolor.backends.inputs import inputs
from vidcolor.errors import BackendError, ModelError
from vidcolor.models.files import ModelFile, open_model

SHAPES = ((1, 224, 384), (4, 224, 384), (1, 256, 448), (8, 256, 448))
ON_CARDS_SHAPES = ((1, 224, 384), (8, 224, 384), (32, 224, 384))


def openvino_in(precision: str) -> Callable[[ModelFile], Backend]:
    def make(model: ModelFile) -> Backend:
        from vidcolor.backends.openvino import OpenVINOBackend, core

        if precision == "bf16" and "BF16" not in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise BackendError("this processor does not compute in bf16")
        return OpenVINOBackend(model, precision=precision)

    return make


def pytorch_on(device: str, *, compiled: bool = False) -> Callable[[ModelFile], Backend]:
    def make(model: ModelFile) -> Backend:
        from vidcolor.backends.pytorch import PyTorchBackend

        backend = PyTorchBackend(model, device=device, compiled=compiled)
        if compiled:
            try_once(backend)
        return backend

    return make


def try_once(backend: Backend) -> None:
    """Have the network compiled for the first shape; BackendError where that does not work."""
    n, h, w = SHAPES[0]
    try:
        backend.predict(np.zeros((n, 1, h, w), np.float32))
    except Exception as error:  # the compiler's errors have no base of their own
        raise BackendError(f"torch.compile does not work here: {str(error).strip().splitlines()[0]}") from error


def named(name: str) -> Callable[[ModelFile], Backend]:
    return lambda model: make_backend(name, model)[0]


WAYS: dict[str, tuple[str, Callable[[ModelFile], Backend]]] = {  # name -> backend it belongs to, constructor
    "pytorch fp32": ("pytorch", pytorch_on("cpu")),
    "pytorch fp32 compiled": ("pytorch", pytorch_on("cpu", compiled=True)),
    "openvino f32": ("openvino", openvino_in("f32")),
    "openvino bf16": ("openvino", openvino_in("bf16")),
    "openvino int8": ("openvino", openvino_in("int8")),
    "onnx f32": ("onnx", named("onnx")),
    "pytorch cuda": ("pytorch", pytorch_on("cuda")),
    "pytorch cuda compiled": ("pytorch", pytorch_on("cuda", compiled=True)),
    "tensorrt": ("tensorrt", named("tensorrt")),
    "rtx": ("rtx", named("rtx")),
}
COMPILED = ("pytorch fp32 compiled", "pytorch cuda compiled")  # only to compare with: slow to start
ON_CARDS = ("pytorch cuda", "pytorch cuda compiled", "tensorrt", "rtx")


def backends(model: ModelFile, *, compiled: bool = False) -> Iterator[tuple[str, Backend | None, str]]:
    """Name, backend and why there is none, of each of WAYS; closed after use. `compiled`: with those of COMPILED."""
    for name, (needs, make) in WAYS.items():
        if name in COMPILED and not compiled:
            continue
        if name in ON_CARDS and not driver_present():
            yield name, None, "no NVIDIA driver"
        elif missing(needs):
            yield name, None, f"pip install {' '.join(missing(needs))}"
        else:
            try:
                backend = make(model)
            except (BackendError, ModelError) as error:
                yield name, None, str(error)
                continue
            yield name, backend, ""
            backend.close()


def rate(backend: Backend, shape: tuple[int, int, int], *, seconds: float = 2.0) -> float:
    """Pictures a second of `backend` on batches of random L* of `shape`: batch, height, width."""
    n, h, w = shape
    lightness = np.random.default_rng(0).uniform(0, 100, (n, 1, h, w)).astype(np.float32)
    for _ in range(2):
        backend.predict(lightness)
    count, began = 0, time.perf_counter()
    while (passed := time.perf_counter() - began) < seconds:
        backend.predict(lightness)
        count += n
    return count / passed


def gmac(model: ModelFile, shape: tuple[int, int, int]) -> float:
    """Multiplications and additions of the layers for one picture of `shape`, in units of 1e9."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from vidcolor.backends.pytorch import load_generator

    given = inputs(model, np.zeros((1, 1, *shape[1:]), np.float32), None)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        load_generator(model)(*(torch.from_numpy(x) for x in given.values()))
    return counter.get_total_flops() / 2e9


def product_peak(precision: str, seconds: float = 0.5) -> float:
    """GMAC a second of the CPU in a large product of matrices, the roof over the network: the better of torch's matrix
    product (MKL, slow on some makes of processor) and the same product as a 1x1 convolution (oneDNN)."""
    import torch
    from torch.nn import functional as F

    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    a, x = torch.rand(2048, 2048, dtype=kind), torch.rand(1, 2048, 32, 64, dtype=kind)
    kernel, x = a[:, :, None, None], x.to(memory_format=torch.channels_last)
    found = []
    for product in (lambda: torch.mm(a, a), lambda: F.conv2d(x, kernel)):
        product()
        count, began = 0, time.perf_counter()
        while (passed := time.perf_counter() - began) < seconds:
            product()
            count += 1
        found.append(count * 2048**3 / 1e9 / passed)
    return max(found)


def network(*, rounds: int = 3, seconds: float = 2.0) -> dict:
    """Medians over `rounds`, in each of which every way is measured once at every shape, side by side."""
    model = open_model()
    shapes = ON_CARDS_SHAPES if driver_present() else SHAPES
    absent: dict[str, str] = {}
    rates: dict[tuple[str, tuple[int, int, int]], list[float]] = {}
    described: dict[str, str] = {}
    peaks: dict[str, list[float]] = {"f32": [], "bf16": []}
    for _ in range(rounds):
        for precision, values in peaks.items():
            values.append(product_peak(precision))
        for name, backend, why in backends(model, compiled=True):
            if backend is None:
                absent[name] = why
                continue
            described[name] = backend.description
            for shape in shapes:
                rates.setdefault((name, shape), []).append(rate(backend, shape, seconds=seconds))
            print(name, {s: round(rates[name, s][-1], 1) for s in shapes}, file=sys.stderr)
    roofs = {precision: statistics.median(values) for precision, values in peaks.items()}
    rows = []
    for (name, shape), found in rates.items():
        pairs = zip(found, rates["pytorch fp32", shape], strict=True)
        cost, middle = gmac(model, shape), statistics.median(found)
        rows.append(
            {
                "way": name,
                "backend": described[name],
                "shape": list(shape),
                "pictures_per_second": round(middle, 2),
                "times_eager": round(statistics.median(a / b for a, b in pairs), 2),
                "gmac": round(cost, 2),
                "share_of_roof": round(cost * middle / roofs["bf16" if "bf16" in name else "f32"], 3),
            }
        )
    return {"roof_gmac_per_second": {k: round(v, 1) for k, v in roofs.items()}, "rows": rows, "not_run": absent}
