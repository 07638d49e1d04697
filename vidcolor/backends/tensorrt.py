"""TensorRT through torch-tensorrt: fp16 by explicit typing, one engine for a range of shapes, CUDA graphs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import tensorrt
import torch
import torch_tensorrt
from torch import Tensor

from vidcolor.backends.cache import EngineCache
from vidcolor.backends.export import export_half
from vidcolor.backends.inputs import inputs
from vidcolor.backends.memory import in_halves
from vidcolor.backends.pytorch import PyTorchBackend
from vidcolor.backends.shapes import ANY, Shapes
from vidcolor.errors import BackendError
from vidcolor.models.files import ModelFile


class TensorRTBackend:
    """The generator as a TensorRT engine, from the cache or built once.

    Raises:
        BackendError: there is no CUDA device, or the engine cannot be built.
    """

    name = "tensorrt"
    device = "cuda"

    def __init__(self, model: ModelFile, *, cache: EngineCache | None = None, shapes: Shapes = ANY) -> None:
        if not torch.cuda.is_available():
            raise BackendError(
                "backend tensorrt: torch finds no CUDA device; check the driver or choose another backend"
            )
        self.model, self.shapes = model, shapes
        self.stride, self.takes_conditions = model.stride, model.takes_conditions
        card = torch.cuda.get_device_name()
        facts = {
            "engine": "tensorrt",
            "model": model.metadata["sha256"],
            "shapes": str(shapes),
            "precision": "fp16",
            "tensorrt": tensorrt.__version__,
            "torch_tensorrt": torch_tensorrt.__version__,
            "torch": torch.__version__,
            "driver": driver_version(),
            "card": f"{card} sm{''.join(map(str, torch.cuda.get_device_capability()))}",
        }
        try:
            path = (cache or EngineCache()).get(facts, lambda target: build_engine(model, shapes, target))
            self.network = torch_tensorrt.load(str(path)).module()
        except (RuntimeError, ValueError) as error:
            raise BackendError(f"backend tensorrt: {str(error).splitlines()[0]}; choose another backend") from error
        self.graphs: dict[tuple[int, ...], Graph] = {}
        self.description = f"TensorRT {tensorrt.__version__}, {card}, fp16"

    def predict(self, lightness: np.ndarray, conditions: np.ndarray | None = None) -> np.ndarray:
        self.shapes.check(self.name, lightness.shape)
        return in_halves(self._run, *inputs(self.model, lightness, conditions).values())

    def likely(
        self, lightness: np.ndarray, conditions: np.ndarray | None = None, count: int = 5
    ) -> tuple[np.ndarray, np.ndarray]:
        """By PyTorch on the same card: a person asks now and then, and another engine would take longer to build."""
        return self.eager.likely(lightness, conditions, count)

    @cached_property
    def eager(self) -> PyTorchBackend:
        return PyTorchBackend(self.model, device="cuda")

    def _run(self, *given: np.ndarray) -> np.ndarray:
        shape = given[0].shape
        if shape not in self.graphs:
            self.graphs[shape] = Graph(self.network, [x.shape for x in given], self.stride)
        return self.graphs[shape](*given)

    def close(self) -> None:
        self.__dict__.pop("eager", None)
        self.graphs.clear()
        del self.network


class Graph:
    """One shape: pinned buffers on the host, fixed ones on the card, the whole run captured as a CUDA graph."""

    def __init__(self, network: Callable[..., Tensor], shapes: Sequence[tuple[int, ...]], stride: int) -> None:
        n, _, h, w = shapes[0]
        self.hosts = [torch.empty(s, pin_memory=True) for s in shapes]
        self.sources = [torch.zeros(s, device="cuda") for s in shapes]
        self.result = torch.empty((n, 2, h // stride, w // stride), pin_memory=True)
        self.stream = torch.cuda.Stream()
        self.graph = torch.cuda.CUDAGraph()
        with torch.inference_mode(), torch.cuda.stream(self.stream):
            for _ in range(3):  # the engine allocates on its first runs, which must not be captured
                network(*(x.half() for x in self.sources))
            self.stream.synchronize()
            with torch.cuda.graph(self.graph, stream=self.stream):
                self.answer: Tensor = network(*(x.half() for x in self.sources)).float()

    def __call__(self, *given: np.ndarray) -> np.ndarray:
        with torch.cuda.stream(self.stream):
            for values, host, source in zip(given, self.hosts, self.sources, strict=True):
                host.copy_(torch.from_numpy(values))
                source.copy_(host, non_blocking=True)
            self.graph.replay()
            self.result.copy_(self.answer, non_blocking=True)
        self.stream.synchronize()
        return self.result.numpy().copy()


def build_engine(model: ModelFile, shapes: Shapes, target: Path) -> None:
    """Compile for the present card and save; every layer must be TensorRT's."""
    given = [
        torch_tensorrt.Input(min_shape=least, opt_shape=usual, max_shape=most, dtype=torch.float16)
        for name, (least, usual, most) in shapes.inputs.items()
        if name == "lightness" or model.takes_conditions
    ]
    compiled = torch_tensorrt.dynamo.compile(
        export_half(model, shapes, "cuda"),
        arg_inputs=given,
        use_explicit_typing=True,  # TensorRT 11 has no other typing: layers compute in the types they have
        require_full_compilation=True,
        min_block_size=1,
    )
    torch_tensorrt.save(compiled, str(target), output_format="exported_program", arg_inputs=given, retrace=False)


def driver_version() -> str:
    """Of the NVIDIA kernel driver, or of the CUDA it offers where the former is not told."""
    try:
        return Path("/sys/module/nvidia/version").read_text().strip()
    except OSError:
        return f"CUDA {torch.cuda.driver_version()}" if hasattr(torch.cuda, "driver_version") else "unknown"
