"""A second view of a batch, as the next frame of a film might show it: moved, lighter or darker, with other grain."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

FARTHEST = 4  # cells of the a*b* grid that a view is moved by at most
LIGHT = 0.1  # that its L* is scaled by, up or down
GRAIN = 2.0  # L*, standard deviation of its grain


@dataclass(frozen=True)
class View:
    """How a second view differs; the same for all pictures of a step, so for any number of processes."""

    across: int  # cells to the left
    down: int  # cells upwards
    gain: float
    seed: int  # of the grain

    @classmethod
    def draw(cls, seed: int, step: int) -> View:
        source = torch.Generator().manual_seed(seed * 1_000_003 + step)
        across, down = torch.randint(-FARTHEST, FARTHEST + 1, (2,), generator=source).tolist()
        gain = 1.0 + LIGHT * (2.0 * torch.rand((), generator=source).item() - 1.0)
        return cls(across, down, gain, seed * 1_000_003 + step)

    def of(self, lightness: Tensor, stride: int) -> Tensor:
        """L* ``(N, 1, h, w)`` as this view shows it; what comes in at an edge went out at the other."""
        source = torch.Generator().manual_seed(self.seed)
        grain = torch.randn(lightness.shape[1:], generator=source).to(lightness.device) * GRAIN
        moved = torch.roll(lightness, (-self.down * stride, -self.across * stride), (2, 3))
        return (moved * self.gain + grain).clamp(0.0, 100.0)

    def overlap(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """The cells of both views' grids ``(N, c, h, w)`` that show the same place."""
        parts = []
        for moved, size in ((self.down, first.shape[2]), (self.across, first.shape[3])):
            start, stop = max(0, moved), size + min(0, moved)
            parts.append((slice(start, stop), slice(start - moved, stop - moved)))
        (rows, rows_again), (columns, columns_again) = parts
        return first[:, :, rows, columns], second[:, :, rows_again, columns_again]
