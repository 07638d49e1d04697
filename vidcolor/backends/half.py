"""The generator's ONNX graph in fp16, for engines that compute in the types they find (strongly typed TensorRT)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SUFFIX = ".half"  # of the name under which the model file stores a weight in fp16, behind a Cast


def half(path: Path) -> onnx.ModelProto:
    """The model file at `path` with every float32 in it made fp16; inputs and output stay float32.

    L* is scaled to the encoder's range in float32, for 8 bits of it would be lost in fp16.
    """
    model = onnx.load(path)
    graph = model.graph
    source, result = graph.input[0].name, graph.output[0].name
    others = [i.name for i in graph.input[1:]]
    chain, full = scaling(graph.node, source)
    casts = {n.output[0] for n in graph.node if n.op_type == "Cast" and n.input[0].endswith(SUFFIX)}
    for tensor in graph.initializer:
        if tensor.name.removesuffix(SUFFIX) in casts:
            tensor.name = tensor.name.removesuffix(SUFFIX)
        elif tensor.data_type == TensorProto.FLOAT and tensor.name not in full:
            tensor.CopyFrom(to_half(tensor))
    nodes = [helper.make_node("Cast", [n], [f"{n}.half"], name=f"{n}.to_half", to=TensorProto.FLOAT16) for n in others]
    for node in graph.node:
        name = node.output[0]
        node.input[:] = [f"{n}.half" if n in others else n for n in node.input]
        if name in casts:
            continue
        for attribute in node.attribute:
            if attribute.t.data_type == TensorProto.FLOAT and name not in full:
                attribute.t.CopyFrom(to_half(attribute.t))
        nodes.append(node)
        if name == chain:
            node.output[0] = f"{name}.full"
            nodes.append(helper.make_node("Cast", [node.output[0]], [name], name="to_half", to=TensorProto.FLOAT16))
        if name == result:
            node.output[0] = f"{name}.half"
            nodes.append(helper.make_node("Cast", [node.output[0]], [name], name="to_full", to=TensorProto.FLOAT))
    del graph.node[:], graph.value_info[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model


def scaling(nodes: Sequence[onnx.NodeProto], source: str) -> tuple[str, set[str]]:
    """How `source` gets to the encoder's range: the output of the last node of that chain of Mul, Sub and Div, and the
    names of all values that it is computed from and by."""
    at, used = source, {source}
    while len(users := [n for n in nodes if at in n.input and n.op_type != "Shape"]) == 1 and users[0].op_type in (
        "Mul",
        "Sub",
        "Div",
    ):
        at = users[0].output[0]
        used |= {*users[0].input, at}
    return at, used


def to_half(tensor: TensorProto) -> TensorProto:
    return numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name)
