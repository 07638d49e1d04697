"""Does every backend that runs here say what PyTorch says in fp32?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from benchmarks.network import backends, pytorch_on
from vidcolor.backends.inputs import GRID
from vidcolor.models.files import ModelFile

# Greatest mean and greatest single |dAB| against PyTorch in fp32, by the precision at the end of the description.
LIMITS = {
    "f32": (0.02, 0.5), "float32": (0.02, 0.5), "bf16": (0.35, 12.0), "float16": (0.1, 6.0), "fp16": (0.1, 6.0),
    "int8": (1.2, 30.0),
}  # fmt: skip


@dataclass(frozen=True)
class Parity:
    """|dAB| between a backend and PyTorch in fp32 over a set of pictures."""

    mean: float
    most: float
    limit_mean: float
    limit_most: float

    @property
    def holds(self) -> bool:
        return self.mean <= self.limit_mean and self.most <= self.limit_most

    def to_dict(self) -> dict:
        return {k: round(v, 4) for k, v in asdict(self).items()} | {"holds": self.holds}


def verify(model: ModelFile, pictures: Sequence[np.ndarray]) -> dict[str, Parity | str]:
    """Parity of every way with PyTorch in fp32 on L* `pictures` ``(1, 1, h, w)``, or why it was not run.

    A model that takes conditions is asked about each picture twice: nothing known, and a fifth of it.
    """
    reference = pytorch_on("cpu")(model)
    asked = [
        (x, told) for x in pictures for told in ((None, some_conditions(x)) if model.takes_conditions else (None,))
    ]
    expected = [reference.predict(*x) for x in asked]
    found: dict[str, Parity | str] = {}
    for name, backend, why in backends(model):
        if backend is None:
            found[name] = why
            continue
        off = [np.abs(backend.predict(*x) - y) for x, y in zip(asked, expected, strict=True)]
        precision = backend.description.rsplit(", ", 1)[-1]
        mean, most = float(np.mean([o.mean() for o in off])), float(max(o.max() for o in off))
        found[name] = Parity(mean, most, *LIMITS[precision])
    return found


def some_conditions(lightness: np.ndarray) -> np.ndarray:
    """Random colours known for a fifth of the cells with random confidence, the same for the same shape."""
    n, _, h, w = lightness.shape
    rng = np.random.default_rng(0)
    trust = rng.random((n, 1, h // GRID, w // GRID)) * (rng.random((n, 1, h // GRID, w // GRID)) < 0.2)
    ab = rng.normal(0, 25, (n, 2, *trust.shape[2:])) * (trust > 0)
    return np.concatenate((ab, trust), 1).astype(np.float32)
