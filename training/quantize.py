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
from vidcolor.backends.openvino import core
from vidcolor.models.files import ModelFile

LOSS_DB = 0.1  # PSNR that 8 bits may cost
LOSS_COLOUR = 0.02  # share of the colourfulness
KEPT = 2  # convolutions before the output that stay in f32: the logits of the bins, and their decoding


def quantize(model: ModelFile, pictures: Sequence[np.ndarray]) -> ov.Model:
    """`model` after post-training quantisation by NNCF, calibrated on L* `pictures` ``(1, 1, h, w)``.

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
        nncf.Dataset(pictures),
        subset_size=len(pictures),
        preset=nncf.QuantizationPreset.MIXED,
        ignored_scope=nncf.IgnoredScope(names=convolutions(network)[-KEPT:]),
        advanced_parameters=AdvancedQuantizationParameters(
            overflow_fix=OverflowFix.ENABLE, activations_range_estimator_params=RangeEstimatorParametersSet.MINMAX
        ),
    )


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
