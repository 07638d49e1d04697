"""The generator in fp16 as a graph that torch-tensorrt compiles."""

from __future__ import annotations

import torch

from vidcolor.backends.pytorch import load_generator
from vidcolor.backends.shapes import Shapes
from vidcolor.models.files import ModelFile


def export_half(model: ModelFile, shapes: Shapes, device: str) -> torch.export.ExportedProgram:
    """The generator in fp16 as a graph of free batch and size; runs on a CPU too."""
    generator = load_generator(model).half().to(device).eval()
    sample = torch.rand(shapes.tensors[1], device=device).half() * 100
    batch = torch.export.Dim("batch", min=shapes.least[0], max=shapes.most[0])
    rows, columns = (
        32 * torch.export.Dim(name, min=shapes.least[i] // 32, max=shapes.most[i] // 32)
        for i, name in ((1, "rows"), (2, "columns"))
    )
    return torch.export.export(generator, (sample,), dynamic_shapes=({0: batch, 2: rows, 3: columns},), strict=False)
