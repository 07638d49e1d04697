"""A trained generator as one self-describing ONNX file, its weights stored in fp16."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxscript.optimizer import fold_constants, remove_unused_nodes
from safetensors.torch import save_file

from vidcolor.models.generators import BinsGenerator, UNet, fold

OPSET = 20


def export_onnx(generator: BinsGenerator | UNet, path: Path, facts: dict[str, str]) -> None:
    """Write `generator` to `path` with `facts` (licence, training data, metrics ...) in its metadata.

    Input "lightness": float32 L* ``(N, 1, h, w)``; output "ab": float32 a*b* ``(N, 2, h / s, w / s)``; N, h, w free.
    """
    generator = fold(generator)
    with torch.no_grad():
        program = torch.onnx.export(
            generator,
            (torch.rand(2, 1, 64, 96) * 100,),
            dynamo=True,
            opset_version=OPSET,
            verbose=False,
            optimize=False,  # it merges weights of equal value, and the PyTorch backend reads them by name; so below
            input_names=["lightness"],
            output_names=["ab"],
            dynamic_shapes=(
                {
                    0: torch.export.Dim("batch", min=1, max=256),
                    2: 32 * torch.export.Dim("rows", min=1, max=128),
                    3: 32 * torch.export.Dim("columns", min=1, max=128),
                },
            ),
        )
    assert program is not None
    model = program.model_proto
    fold_constants(model)  # TensorRT's parser takes axes only as plain constants
    remove_unused_nodes(model)
    store_half(model)
    facts = facts | {
        "format": "vidcolor 1",
        "config": json.dumps(generator.config.to_dict()),
        "stride": str(generator.stride),
        "sha256": weights_digest(model),
    }
    if isinstance(generator, BinsGenerator):
        for name in ("centres", "log_prior", "colours", "offset"):
            facts[name] = " ".join(f"{x:.6g}" for x in getattr(generator, name).flatten().tolist())
    del model.metadata_props[:]
    helper.set_model_props(model, facts)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def store_half(model: onnx.ModelProto) -> None:
    """Store float32 weights as fp16 behind a Cast, which every runtime folds away when it loads the file."""
    graph, casts = model.graph, []
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < 256:
            continue
        values = numpy_helper.to_array(tensor)
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), name + ".half"))
        casts.append(helper.make_node("Cast", [name + ".half"], [name], name=name + ".cast", to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def weights_digest(model: onnx.ModelProto) -> str:
    """SHA-256 over names and bytes of all weights, in the order of their names."""
    digest = hashlib.sha256()
    for tensor in sorted(model.graph.initializer, key=lambda t: t.name):
        digest.update(tensor.name.encode())
        digest.update(numpy_helper.to_array(tensor).tobytes())
    return digest.hexdigest()


def export_safetensors(generator: BinsGenerator | UNet, path: Path, step: int = 0) -> None:
    """Write the state of `generator` at `step`, unfolded: weights in fp16, buffers (bins, norm statistics) as they are.

    Written whole or not at all.
    """
    buffers = {name for name, _ in generator.named_buffers()}
    state = {k: v.detach().cpu().contiguous() for k, v in generator.state_dict().items()}
    state = {k: v if k in buffers else v.half() for k, v in state.items()}
    facts = {"format": "vidcolor 1", "config": json.dumps(generator.config.to_dict()), "step": str(step)}
    partial = path.with_name(path.name + ".part")
    save_file(state, partial, facts)
    partial.replace(path)
