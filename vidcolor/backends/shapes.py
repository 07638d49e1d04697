"""The pictures that a built engine takes: a range of shapes, and the one it is tuned for."""

from __future__ import annotations

from dataclasses import dataclass

from vidcolor.backends.inputs import GRID
from vidcolor.errors import BackendError

Shape = tuple[int, int, int]  # batch, height, width


@dataclass(frozen=True)
class Shapes:
    """Batch, height and width of the smallest, the usual and the largest input; sides are multiples of 32.

    Raises:
        ValueError: a side is not, or they are out of order.
    """

    least: Shape
    usual: Shape
    most: Shape

    def __post_init__(self) -> None:
        for shape in (self.least, self.usual, self.most):
            if any(side % 32 for side in shape[1:]):
                raise ValueError(f"{shape}: heights and widths must be multiples of 32")
        if not all(a <= b <= c for a, b, c in zip(self.least, self.usual, self.most, strict=True)):
            raise ValueError(f"{self.least}, {self.usual}, {self.most}: not in order")

    @property
    def tensors(self) -> tuple[tuple[int, int, int, int], ...]:
        """The three as L* batches ``(N, 1, h, w)``."""
        return tuple((n, 1, h, w) for n, h, w in (self.least, self.usual, self.most))

    @property
    def inputs(self) -> dict[str, tuple[tuple[int, int, int, int], ...]]:
        """The three of each input that a network may have, by its name."""
        grids = tuple((n, 3, h // GRID, w // GRID) for n, _, h, w in self.tensors)
        return {"lightness": self.tensors, "conditions": grids}

    def check(self, backend: str, shape: tuple[int, ...]) -> None:
        """Raise BackendError where an engine for this range takes no batch ``(N, 1, h, w)`` of `shape`."""
        sizes = (shape[0], *shape[2:])
        if not all(a <= n <= b for a, n, b in zip(self.least, sizes, self.most, strict=True)):
            n, h, w = sizes
            raise BackendError(
                f"backend {backend}: its engine takes no batch of {n} pictures of {w} x {h}, only from {self.least} to "
                f"{self.most} (batch, height, width); choose a smaller --size or --batch, or another backend"
            )

    def __str__(self) -> str:
        return " ".join("x".join(map(str, s)) for s in (self.least, self.usual, self.most))


# 1080p is seen at 224 x 384, 4:3 film at 224 x 320, CinemaScope at 224 x 544; portrait the other way round.
ANY = Shapes((1, 32, 32), (4, 224, 384), (32, 576, 1056))
