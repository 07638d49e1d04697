"""PyTorch, on CUDA in fp16 or on the CPU in fp32, with the weights of the same ONNX file."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from vidcolor.backends.inputs import inputs
from vidcolor.backends.likely import centres_of, ranked
from vidcolor.backends.memory import in_halves
from vidcolor.errors import BackendError
from vidcolor.models.files import ModelFile
from vidcolor.models.generators import BinsGenerator, GeneratorConfig, UNet, build

TURNED = ".turned"  # of the name under which the graph stores the weights of a linear layer, transposed
NUMBERS = ("centres", "log_prior", "colours", "offset")  # buffers that a model file may lack


class PyTorchBackend:
    """Eager PyTorch; the reference that the other backends are compared with.

    `compiled` is for benchmarks: torch.compile needs a C compiler, and most of a minute for each shape.

    Raises:
        BackendError: `device` is not there.
    """

    name = "pytorch"

    def __init__(self, model: ModelFile, *, device: str | None = None, compiled: bool = False) -> None:
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise BackendError(f"device {device}: torch finds no CUDA; check the driver or use the CPU")
        self.device, self.place = torch.device(device).type, torch.device(device)
        self.dtype = torch.float16 if self.device == "cuda" else torch.float32
        generator = load_generator(model)
        self.model, self.stride, self.takes_conditions = model, generator.stride, model.takes_conditions
        self.generator = generator.to(self.place, self.dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        where = torch.cuda.get_device_name(self.place) if self.device == "cuda" else "CPU"
        way = "compiled, " if compiled else ""
        self.description = f"PyTorch {torch.__version__}, {way}{where}, {str(self.dtype).removeprefix('torch.')}"
        self.network = torch.compile(self.generator, dynamic=False) if compiled else self.generator

    def predict(self, lightness: np.ndarray, conditions: np.ndarray | None = None) -> np.ndarray:
        return self._run(self.network, lightness, conditions)

    def likely(
        self, lightness: np.ndarray, conditions: np.ndarray | None = None, count: int = 5
    ) -> tuple[np.ndarray, np.ndarray]:
        centres = centres_of(self.model)
        return ranked(self._run(self.generator.logits, lightness, conditions), centres, count)

    def _run(self, network: Callable[..., Tensor], lightness: np.ndarray, conditions: np.ndarray | None) -> np.ndarray:
        given = inputs(self.model, lightness, conditions)
        if conditions is None:  # None is what noughts are, and costs less
            given.pop("conditions", None)
        return in_halves(lambda *batch: self._compute(network, *batch), *given.values())

    @torch.inference_mode()
    def _compute(self, network: Callable[..., Tensor], *batch: np.ndarray) -> np.ndarray:
        given = (torch.from_numpy(x).to(self.place, self.dtype, memory_format=torch.channels_last) for x in batch)
        return network(*given).float().cpu().numpy()

    def close(self) -> None:
        del self.generator, self.network


def load_generator(model: ModelFile) -> BinsGenerator | UNet:
    """The generator of a model file, in eval mode: its config from the metadata, its weights from the graph."""
    generator = build(GeneratorConfig.from_dict(model.config))
    stored = {}
    for tensor in onnx.load(model.path).graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype in (np.float16, np.float32):
            name, values = tensor.name.removesuffix(".half"), values.astype(np.float32)
            if name.endswith(TURNED):
                name, values = name.removesuffix(TURNED), values.T.copy()
            stored[name] = torch.from_numpy(values)
    state = generator.state_dict()
    defaults = {"colours": "centres"}  # of files made before the decoding was learnt
    # The graph holds some numbers scaled or folded into others, if at all: those stand in the metadata.
    for name in state:
        if name in model.metadata or name in NUMBERS:
            key = name if name in model.metadata else defaults.get(name)
            numbers = torch.tensor(read_numbers(model, key)) if key else torch.zeros(state[name].numel())
            stored[name] = numbers.reshape(state[name].shape)
    generator.load_state_dict({k: stored[k] for k in state})
    return generator.eval()


def read_numbers(model: ModelFile, name: str) -> list[float]:
    return [float(x) for x in model.metadata[name].split()]
