"""ONNX Runtime on the CPU, for processors that OpenVINO has no build for; and in fp16 on TensorRT for RTX."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
import onnxruntime as ort

from vidcolor.backends.cache import EngineCache
from vidcolor.backends.inputs import inputs
from vidcolor.backends.likely import centres_of, ranked
from vidcolor.backends.shapes import ANY, Shapes
from vidcolor.errors import BackendError
from vidcolor.models.files import ModelFile


class OnnxBackend:
    """ONNX Runtime's own CPU kernels, f32."""

    name = "onnx"
    device = "cpu"

    def __init__(self, model: ModelFile) -> None:
        self.model, self.stride, self.takes_conditions = model, model.stride, model.takes_conditions
        self.session = ort.InferenceSession(str(model.path), quiet(), providers=["CPUExecutionProvider"])
        self.description = f"ONNX Runtime {ort.__version__}, CPU, f32"

    def predict(self, lightness: np.ndarray, conditions: np.ndarray | None = None) -> np.ndarray:
        ab: np.ndarray = self.session.run(["ab"], inputs(self.model, lightness, conditions))[0]
        return ab

    def likely(
        self, lightness: np.ndarray, conditions: np.ndarray | None = None, count: int = 5
    ) -> tuple[np.ndarray, np.ndarray]:
        centres = centres_of(self.model)
        (logits,) = self.distribution.run([self.model.logits], inputs(self.model, lightness, conditions))
        return ranked(logits, centres, count)

    @cached_property
    def distribution(self) -> ort.InferenceSession:
        """The network that gives the distribution too: ONNX Runtime can only give outputs that the file names."""
        assert self.model.logits is not None
        data = self.model.path.read_bytes() + another_output(self.model.logits)
        return ort.InferenceSession(data, quiet(), providers=["CPUExecutionProvider"])

    def close(self) -> None:
        self.__dict__.pop("distribution", None)
        del self.session


class RtxBackend:
    """TensorRT for RTX, through its ONNX Runtime provider: fp16, any shape within `shapes`, one engine for all.

    The compiled network is kept in the engine cache; what the provider still specialises for the card at run time is
    kept beside it.

    Raises:
        BackendError: there is no RTX card, or the network does not compile for it.
    """

    name = "rtx"
    device = "cuda"

    def __init__(self, model: ModelFile, *, cache: EngineCache | None = None, shapes: Shapes = ANY) -> None:
        self.model, self.shapes = model, shapes
        self.stride, self.takes_conditions = model.stride, model.takes_conditions
        cache = cache or EngineCache()
        devices = rtx_devices()
        if not devices:
            raise BackendError(
                "backend rtx: no NVIDIA RTX card is found; check the driver (CUDA 13), or choose another backend"
            )
        card = devices[0].device.metadata.get("Description", "") or str(devices[0].device.device_id)
        facts = {
            "engine": "rtx",
            "model": model.metadata["sha256"],
            "shapes": str(shapes),
            "precision": "fp16",
            "onnxruntime": ort.__version__,
            "provider": provider_version(),
            "card": card,
        }
        options = quiet()
        options.add_provider_for_devices(devices[:1], provider_options(model, shapes, cache.folder / "rtx-runtime"))
        try:
            path = cache.get(facts, lambda target: compile_network(model, options, target))
            self.session = ort.InferenceSession(str(path), options)
        except Exception as error:  # ONNX Runtime's errors have no base of their own
            raise BackendError(f"backend rtx: {reason(error)}; choose another backend") from error
        self.description = f"TensorRT for RTX {provider_version()}, {card}, fp16"

    def predict(self, lightness: np.ndarray, conditions: np.ndarray | None = None) -> np.ndarray:
        self.shapes.check(self.name, lightness.shape)
        ab: np.ndarray = self.session.run(["ab"], inputs(self.model, lightness, conditions))[0]
        return ab

    def likely(
        self, lightness: np.ndarray, conditions: np.ndarray | None = None, count: int = 5
    ) -> tuple[np.ndarray, np.ndarray]:
        """On the CPU: a person asks now and then, and an engine of its own would take longer to build."""
        return self.on_cpu.likely(lightness, conditions, count)

    @cached_property
    def on_cpu(self) -> OnnxBackend:
        return OnnxBackend(self.model)

    def close(self) -> None:
        self.__dict__.pop("on_cpu", None)
        del self.session


def quiet() -> ort.SessionOptions:
    """Session options that say errors only."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    return options


def reason(error: Exception) -> str:
    """The first line of one of ONNX Runtime's errors, without its codes."""
    return str(error).splitlines()[0].rsplit(" : ", 1)[-1]


def rtx_devices() -> list[ort.OrtEpDevice]:
    """Cards that the provider can run on; registers it with ONNX Runtime."""
    import onnxruntime_ep_nv_tensorrt_rtx as provider

    name = provider.get_ep_name()
    if not any(d.ep_name == name for d in ort.get_ep_devices()):
        try:
            ort.register_execution_provider_library(name, provider.get_library_path())
        except Exception as error:  # ONNX Runtime's errors have no base of their own
            raise BackendError(
                f"backend rtx: its provider cannot start ({reason(error)}); "
                "check the NVIDIA driver (CUDA 13), or choose another backend"
            ) from error
    return [d for d in ort.get_ep_devices() if d.ep_name == name]


def provider_version() -> str:
    import onnxruntime_ep_nv_tensorrt_rtx as provider

    told: str = provider.__version__
    return told


def provider_options(model: ModelFile, shapes: Shapes, runtime_cache: Path) -> dict[str, str]:
    given = {k: v for k, v in shapes.inputs.items() if k == "lightness" or model.takes_conditions}
    told = {}
    for i, name in enumerate(("nv_profile_min_shapes", "nv_profile_opt_shapes", "nv_profile_max_shapes")):
        told[name] = ",".join(f"{k}:{'x'.join(map(str, v[i]))}" for k, v in given.items())
    return told | {"enable_cuda_graph": "1", "nv_runtime_cache_path": str(runtime_cache)}


def compile_network(model: ModelFile, options: ort.SessionOptions, target: Path) -> None:
    """The fp16 network compiled by the provider in `options`, as one file."""
    from vidcolor.backends.half import half

    compiler = ort.ModelCompiler(options, half(model.path).SerializeToString(), embed_compiled_data_into_model=True)
    compiler.compile_to_file(str(target))


def another_output(tensor: str) -> bytes:
    """What makes `tensor`, float32 ``(N, c, h, w)``, an output of an ONNX file when it is put after the file's bytes.

    Protobuf merges a message that comes twice and adds to its lists: ModelProto.graph (7), GraphProto.output (12),
    ValueInfoProto.name (1) and type (2), TypeProto.tensor_type (1), whose elem_type (1) is FLOAT (1) and whose shape
    (2) has four free dimensions (1).
    """

    def field(number: int, content: bytes) -> bytes:
        assert len(content) < 128
        return bytes([number << 3 | 2, len(content)]) + content

    kind = field(1, bytes([1 << 3, 1]) + field(2, field(1, b"") * 4))
    return field(7, field(12, field(1, tensor.encode()) + field(2, kind)))
