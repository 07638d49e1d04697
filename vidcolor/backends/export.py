"""The generator in fp16 as a graph that torch-tensorrt compiles."""

from __future__ import annotations

import torch

from vidcolor.backends.inputs import GRID
from vidcolor.backends.pytorch import load_generator
from vidcolor.backends.shapes import Shapes
from vidcolor.models.files import ModelFile


def export_half(model: ModelFile, shapes: Shapes, device: str) -> torch.export.ExportedProgram:
    """The generator in fp16 as a graph of free batch and size; runs on a CPU too."""
    generator = load_generator(model).half().to(device).eval()
    batch = torch.export.Dim("batch", min=shapes.least[0], max=shapes.most[0])
    rows, columns = (
        torch.export.Dim(name, min=shapes.least[i] // 32, max=shapes.most[i] // 32)
        for i, name in ((1, "rows"), (2, "columns"))
    )
    n, _, h, w = shapes.tensors[1]
    given = [torch.rand(n, 1, h, w, device=device).half() * 100]
    free = [{0: batch, 2: 32 * rows, 3: 32 * columns}]
    if model.takes_conditions:
        given.append(torch.rand(n, 3, h // GRID, w // GRID, device=device).half())
        free.append({0: batch, 2: 32 // GRID * rows, 3: 32 // GRID * columns})
    return torch.export.export(generator, tuple(given), dynamic_shapes=tuple(free), strict=False)
