"""The generator in 8-bit integers, for OpenVINO on processors that compute in neither bf16 nor fp16."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import openvino as ov
from openvino.passes import ConstantFolding, Manager

from training.data import to_lab
from training.evaluate import Figures
from vidcolor.backends.inputs import GRID, inputs
from vidcolor.backends.openvino import core
from vidcolor.models.files import ModelFile

LOSS_DB = 0.1  # PSNR that 8 bits may cost
LOSS_COLOUR = 0.02  # share of the colourfulness
KEPT = 2  # convolutions before the output that stay in f32: the logits of the bins, and their decoding
TOLD = 0.2  # share of the cells that every second picture is told


def quantize(model: ModelFile, calibration: Sequence[dict[str, np.ndarray]]) -> ov.Model:
    """`model` after post-training quantisation by NNCF, calibrated on what `examples` gives.

    The facts of the model file go with it. Weights have 7 bits: AVX2 without VNNI adds two products in 16 bits, and
    would overflow. Activations have the whole range found, for what is cut off is the most vivid colour. Constants are
    folded beforehand, or NNCF does not see the biases that it is to correct.
    """
    import nncf
    from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters, OverflowFix
    from nncf.quantization.range_estimator import RangeEstimatorParametersSet

    logging.getLogger("nncf").setLevel(logging.ERROR)  # it tells of every node it leaves alone
    network = fold_constants(core().read_model(str(model.path)))
    return nncf.quantize(
        network,
        nncf.Dataset(calibration),
        subset_size=len(calibration),
        preset=nncf.QuantizationPreset.MIXED,
        ignored_scope=nncf.IgnoredScope(names=in_f32(network, model), validate=False),
        advanced_parameters=AdvancedQuantizationParameters(
            overflow_fix=OverflowFix.ENABLE, activations_range_estimator_params=RangeEstimatorParametersSet.MINMAX
        ),
    )


def kept(model: ModelFile) -> int:
    """How many of the last convolutions stay in f32: one more where each cell has a temperature of its own."""
    return KEPT + (model.config.get("sureness") is not None)


def in_f32(network: ov.Model, model: ModelFile) -> list[str]:
    """Names of the layers that stay in f32: the last convolutions, all that makes colour of the logits, and what is
    known until a convolution takes it, so that what is certain comes out as it went in."""
    names = convolutions(network)[-kept(model) :]
    if not model.takes_conditions:
        return names
    nodes = {n.get_friendly_name(): n for n in network.get_ordered_ops()}
    before = ancestors(nodes[names[0]])
    after = [name for name in nodes if name not in before]
    known = [name for name, node in nodes.items() if name in before and "Convolution" not in node.get_type_name()]
    sources = {name: ancestors(nodes[name]) | {name} for name in known}
    told = [name for name in known if "conditions" in sources[name] and not sources[name] & set(convolutions(network))]
    return list(dict.fromkeys([*names, *after, *told]))


def ancestors(node: ov.Node) -> set[str]:
    """Names of all nodes that `node` is computed from."""
    found: set[str] = set()
    left = [node]
    while left:
        for value in left.pop().input_values():
            source = value.get_node()
            if source.get_friendly_name() not in found:
                found.add(source.get_friendly_name())
                left.append(source)
    return found


def fold_constants(network: ov.Model) -> ov.Model:
    manager = Manager()
    manager.register_pass(ConstantFolding())
    manager.run_passes(network)
    return network


def convolutions(network: ov.Model) -> list[str]:
    """Names of the convolutions, in the order in which they run."""
    return [n.get_friendly_name() for n in network.get_ordered_ops() if "Convolution" in n.get_type_name()]


def write(network: ov.Model, path: Path) -> None:
    """`network` into `path`, an .xml file, and its weights into a .bin file beside it."""
    ov.save_model(network, path, compress_to_fp16=False)


def lightness(photos: Sequence[np.ndarray]) -> list[np.ndarray]:
    """L* ``(1, 1, h, w)`` of photographs, sides cut to multiples of 32."""
    cut = [photo[: photo.shape[0] // 32 * 32, : photo.shape[1] // 32 * 32] for photo in photos]
    return [np.ascontiguousarray(to_lab(photo)[None, None, ..., 0]) for photo in cut]


def examples(model: ModelFile, photos: Sequence[np.ndarray]) -> list[dict[str, np.ndarray]]:
    """The network's inputs for each of `photos`; where it takes conditions, some cells of every second are told."""
    found = []
    for i, photo in enumerate(photos):
        (picture,) = lightness([photo])
        told = some_truth(photo, i) if model.takes_conditions and i % 2 else None
        found.append(inputs(model, picture, told))
    return found


def some_truth(photo: np.ndarray, seed: int) -> np.ndarray:
    """The truth of random cells of `photo` with full confidence, as conditions ``(1, 3, h / 4, w / 4)``."""
    h, w = (side // 32 * 32 // GRID for side in photo.shape[:2])
    ab = to_lab(photo)[: h * GRID, : w * GRID, 1:].reshape(h, GRID, w, GRID, 2).mean((1, 3)).transpose(2, 0, 1)
    trust = (np.random.default_rng(seed).random((1, h, w)) < TOLD).astype(np.float32)
    return np.concatenate((ab * trust, trust))[None]


def loss(plain: Figures, quantized: Figures) -> str:
    """What is lost beyond the limits, in words; empty where nothing is."""
    db = plain.psnr - quantized.psnr
    colour = 1.0 - quantized.colourfulness_abs / plain.colourfulness_abs
    said = []
    if db > LOSS_DB:
        said.append(f"{db:.3f} dB of PSNR, more than {LOSS_DB}")
    if abs(colour) > LOSS_COLOUR:
        said.append(f"{100 * colour:.1f} % of colourfulness, more than {100 * LOSS_COLOUR:.0f}")
    return " and ".join(said)
