"""TensorRT for RTX engines, built on a machine that needs no GPU."""

from __future__ import annotations

import ctypes
import importlib.util
import tempfile
from pathlib import Path
from types import ModuleType

from engines.profiles import RTX_CARDS
from vidcolor.backends.shapes import Shapes

LIBRARIES = ("libtensorrt_rtx.so.1", "libtensorrt_onnxparser_rtx.so.1")
PACKAGES = ("onnxruntime_ep_nv_tensorrt_rtx", "tensorrt_rtx_bindings")
INSTALL = "pip install onnxruntime-ep-nv-tensorrt-rtx-cu13==0.5.0 tensorrt-rtx-cu13-bindings==1.7.1.116"


class BuildError(ValueError):
    """TensorRT refuses the network; one line with what it says."""


def load() -> ModuleType:
    """TensorRT for RTX: its Python bindings, over the libraries that ONNX Runtime's provider carries.

    Raises:
        ModuleNotFoundError: one of the two packages is missing.
    """
    if any(importlib.util.find_spec(name) is None for name in PACKAGES):
        raise ModuleNotFoundError(f"TensorRT for RTX is missing: {INSTALL}")
    spec = importlib.util.find_spec(PACKAGES[0])
    assert spec is not None
    assert spec.origin is not None
    with tempfile.TemporaryDirectory() as folder:
        for soname in LIBRARIES:  # loaded under their sonames, so that the bindings find them loaded
            link = Path(folder) / soname
            link.symlink_to(next(Path(spec.origin).parent.glob(f"{soname}.*")))
            ctypes.CDLL(str(link), mode=ctypes.RTLD_GLOBAL)
    import tensorrt_rtx_bindings

    return tensorrt_rtx_bindings


class Log:
    """What TensorRT says: errors are kept, the rest is dropped."""

    def __init__(self, trt: ModuleType) -> None:
        self.errors: list[str] = []
        keep, worst = self.errors, (trt.ILogger.INTERNAL_ERROR, trt.ILogger.ERROR)

        class Logger(trt.ILogger):  # type: ignore[name-defined]
            def __init__(self) -> None:
                trt.ILogger.__init__(self)

            def log(self, severity, message: str) -> None:
                if severity in worst:
                    keep.append(message)

        self.logger = Logger()


def build(network: bytes, card: str, shapes: Shapes) -> bytes:
    """An engine for `card`, a key of RTX_CARDS, from the bytes of an ONNX file; layers compute in the types they have.

    Raises:
        ValueError: there is no such card.
        BuildError: a layer does not compile.
        ModuleNotFoundError: TensorRT for RTX is not installed.
    """
    if card not in RTX_CARDS:
        raise ValueError(f"card {card!r} is not known; choose from {', '.join(RTX_CARDS)}")
    trt = load()
    log = Log(trt)
    builder = trt.Builder(log.logger)
    graph = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(graph, log.logger)
    if not parser.parse(network):
        raise BuildError(f"not parsed: {parser.get_error(0)}".replace("\n", " "))
    config = builder.create_builder_config()
    profile = builder.create_optimization_profile()
    for i in range(graph.num_inputs):
        profile.set_shape(graph.get_input(i).name, *shapes.inputs[graph.get_input(i).name])
    config.add_optimization_profile(profile)
    config.num_compute_capabilities = 1
    config.set_compute_capability(getattr(trt.ComputeCapability, card.upper()), 0)
    engine = builder.build_serialized_network(graph, config)
    if engine is None:
        raise BuildError(
            f"not built for {card}: {log.errors[-1] if log.errors else 'no reason given'}".replace("\n", " ")
        )
    return bytes(engine)


def version() -> str:
    return load().__version__
