"""OpenVINO on the CPU: bf16 where the processor computes in it, else 8-bit integers where there is a file of them."""

from __future__ import annotations

import platform
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np
import openvino as ov

from vidcolor.backends.inputs import inputs
from vidcolor.backends.likely import centres_of, ranked
from vidcolor.errors import ModelError
from vidcolor.models.files import ModelFile

X86 = ("x86_64", "amd64", "i386", "i686", "x86")
Key = tuple[str, tuple[int, ...]]  # of a compiled network: its output, and the shape of L*
KEPT = 4  # compiled shapes, each of some 70 MB; a film has one or two, a folder of photographs one for each


@lru_cache(maxsize=1)
def core() -> ov.Core:
    """OpenVINO, once a process: of several that overlap, the last to go leaves the thread a signal stack that is freed,
    and the next Ctrl-C kills the process (openvino 2026.4).
    """
    return ov.Core()


class OpenVINOBackend:
    """One network compiled for each input shape it meets, of which the last few are kept.

    Any number of threads may call it at once; each has an answer of its own. `threads`: None takes all cores.
    """

    name = "openvino"
    device = "cpu"

    def __init__(self, model: ModelFile, *, precision: str | None = None, threads: int | None = None) -> None:
        self.core, self.model = core(), model
        self.stride, self.takes_conditions = model.stride, model.takes_conditions
        self.network, precision = self.read(model, precision)
        hint = "f32" if precision == "int8" else precision  # of what is not in integers
        self.options = {"INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY"}
        if threads is not None:
            self.options["INFERENCE_NUM_THREADS"] = str(threads)
        self.compiled = Newest(KEPT)
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

    def predict(self, lightness: np.ndarray, conditions: np.ndarray | None = None) -> np.ndarray:
        return self._run("ab", inputs(self.model, lightness, conditions))

    def likely(
        self, lightness: np.ndarray, conditions: np.ndarray | None = None, count: int = 5
    ) -> tuple[np.ndarray, np.ndarray]:
        centres = centres_of(self.model)
        return ranked(self._run("logits", inputs(self.model, lightness, conditions)), centres, count)

    def _run(self, wanted: str, given: dict[str, np.ndarray]) -> np.ndarray:
        key = wanted, given["lightness"].shape
        return self.compiled.get(key, lambda: self._compile(wanted, given))(given)

    def _compile(self, wanted: str, given: Mapping[str, np.ndarray]) -> Compiled:
        network = self.network.clone()
        if wanted != "ab":
            network = ending_at(network, wanted)
        network.reshape({name: list(values.shape) for name, values in given.items()})
        return Compiled(self.core.compile_model(network, "CPU", self.options))

    def close(self) -> None:
        self.compiled.clear()


class Compiled:
    """A network for one shape, with as many requests as were ever in use at once."""

    def __init__(self, network: ov.CompiledModel) -> None:
        self.network = network
        self.idle: list[ov.InferRequest] = []

    def __call__(self, given: dict[str, np.ndarray]) -> np.ndarray:
        try:
            request = self.idle.pop()  # atomic, as append is
        except IndexError:
            request = self.network.create_infer_request()
        try:
            # Shared memory is not copied on the way in; what comes out belongs to the request, so it is.
            answer: np.ndarray = request.infer(given, share_inputs=True, share_outputs=True)[0].copy()
            return answer
        finally:
            self.idle.append(request)


class Newest:
    """The compiled networks used last, at most `count`. One is compiled at a time; those there do not wait for it."""

    def __init__(self, count: int) -> None:
        self.count, self.kept = count, OrderedDict[Key, Compiled]()
        self.looking, self.compiling = threading.Lock(), threading.Lock()

    def get(self, key: Key, make: Callable[[], Compiled]) -> Compiled:
        if found := self._find(key):
            return found
        with self.compiling:
            if found := self._find(key):  # another thread made it meanwhile
                return found
            with self.looking:  # room first: two shapes more than are kept would be in memory otherwise
                while len(self.kept) >= self.count:
                    self.kept.popitem(last=False)
            made = make()
            with self.looking:
                self.kept[key] = made
            return made

    def _find(self, key: Key) -> Compiled | None:
        with self.looking:
            if key in self.kept:
                self.kept.move_to_end(key)
            return self.kept.get(key)

    def clear(self) -> None:
        with self.looking:
            self.kept.clear()


def ending_at(network: ov.Model, tensor: str) -> ov.Model:
    """`network` with the tensor of that name as its only output; what comes after it is not computed."""
    for node in network.get_ordered_ops():
        for output in node.outputs():
            if tensor in output.get_names():
                return ov.Model([output], network.get_parameters(), network.get_friendly_name())
    raise ModelError(f"the network has no tensor {tensor!r}; export the model again by python -m training export")
