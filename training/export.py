"""A trained generator as one self-describing ONNX file, its weights stored in fp16."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxscript.optimizer import fold_constants, remove_unused_nodes
from safetensors.torch import save
from torch import Tensor

from training.weights import Run
from vidcolor.atomic import write_whole
from vidcolor.backends.pytorch import NUMBERS, TURNED
from vidcolor.models.generators import BinsGenerator, UNet, fold

OPSET = 20
LOGITS = "logits"  # the tensor's name in the graph


def export_onnx(generator: BinsGenerator | UNet, path: Path, facts: dict[str, str]) -> None:
    """Write `generator` to `path` with `facts` (licence, training data, metrics ...) in its metadata.

    Input "lightness": float32 L* ``(N, 1, h, w)``; for a generator that takes them, input "conditions": float32
    ``(N, 3, h / 4, w / 4)``; output "ab": float32 a*b* ``(N, 2, h / s, w / s)``; N, h, w free. The tensor "logits" in
    the graph is the distribution over colour bins, for those who ask; the metadata say so.
    """
    generator = fold(generator)
    given, free = samples(generator)
    with torch.no_grad():
        program = torch.onnx.export(
            generator,
            tuple(given.values()),
            dynamo=True,
            opset_version=OPSET,
            verbose=False,
            optimize=False,  # it merges weights of equal value, and the PyTorch backend reads them by name; so below
            input_names=list(given),
            output_names=["ab"],
            dynamic_shapes=free,
        )
    assert program is not None
    model = program.model_proto
    forget_origin(model)
    transpose_weights(model)
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
        name_logits(model)
        facts |= {"logits": LOGITS, "conditions": str(int(generator.takes_conditions))}
    stored = {t.name.removesuffix(".half").removesuffix(TURNED) for t in model.graph.initializer}
    for name, values in generator.state_dict().items():
        if name in NUMBERS or name not in stored:  # folded into other numbers of the graph
            facts[name] = " ".join(f"{x:.6g}" for x in values.flatten().tolist())
    del model.metadata_props[:]
    helper.set_model_props(model, facts)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def add_facts(path: Path, facts: dict[str, str]) -> None:
    """Write `facts` into the metadata of the model file at `path`, beside those that are there or in their place."""
    model = onnx.load(path)
    told = {p.key: p.value for p in model.metadata_props} | facts
    del model.metadata_props[:]
    helper.set_model_props(model, told)
    path.write_bytes(model.SerializeToString())


def samples(generator: BinsGenerator | UNet) -> tuple[dict[str, Tensor], tuple[dict[int, Any], ...]]:
    """Inputs to trace the generator with, by name, and which of their dimensions are free."""
    batch, rows, columns = (
        torch.export.Dim(n, min=1, max=m) for n, m in (("batch", 256), ("rows", 128), ("columns", 128))
    )
    given = {"lightness": torch.rand(2, 1, 64, 96) * 100}
    free: tuple[dict[int, Any], ...] = ({0: batch, 2: 32 * rows, 3: 32 * columns},)
    if isinstance(generator, BinsGenerator) and generator.takes_conditions:
        given["conditions"] = torch.rand(2, 3, 16, 24)
        free = (*free, {0: batch, 2: 8 * rows, 3: 8 * columns})
    return given, free


def name_logits(model: onnx.ModelProto) -> None:
    """Give the output of the head's convolution the name `LOGITS`."""
    (head,) = (n for n in model.graph.node if n.op_type == "Conv" and n.input[1] == "head.1.weight")
    before = head.output[0]
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [LOGITS if n == before else n for n in names]


def forget_origin(model: onnx.ModelProto) -> None:
    """Drop where in whose source code each node comes from."""
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""


def transpose_weights(model: onnx.ModelProto) -> None:
    """Store weights of linear layers as MatMul takes them, under names that say so; folding would drop the names."""
    graph = model.graph
    stored = {t.name: t for t in graph.initializer}
    turned = {n.output[0]: n.input[0] for n in graph.node if n.op_type == "Transpose" and n.input[0] in stored}
    for name in turned.values():
        values = np.ascontiguousarray(numpy_helper.to_array(stored[name]).T)
        stored[name].CopyFrom(numpy_helper.from_array(values, name + TURNED))
    nodes = [n for n in graph.node if n.output[0] not in turned]
    for node in nodes:
        node.input[:] = [turned[n] + TURNED if n in turned else n for n in node.input]
    del graph.node[:]
    graph.node.extend(nodes)


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


def export_safetensors(generator: BinsGenerator | UNet, path: Path, run: Run | int = 0) -> None:
    """Write the state of `generator`, unfolded: weights in fp16, buffers (bins, norm statistics) as they are.

    `run`, or its step alone, goes into the metadata, so that the file can be exported where the run's folder is not.
    Written whole or not at all.

    Raises:
        OutputError: the disk is full or cannot be written to; what stood at `path` still does.
    """
    run = run if isinstance(run, Run) else Run(run)
    buffers = {name for name, _ in generator.named_buffers()}
    state = {k: v.detach().cpu().contiguous() for k, v in generator.state_dict().items()}
    state = {k: v if k in buffers else v.half() for k, v in state.items()}
    facts = {"format": "vidcolor 1", "config": json.dumps(generator.config.to_dict()), "step": str(run.step)}
    if run.preset:
        facts |= {"preset": json.dumps(run.preset), "scored": json.dumps(run.scored)}
    write_whole(path, save(state, facts), overwrite=True)
