"""Quantisation for real, in small: the shipped model, calibrated on frames of the sample film."""

import dataclasses

import av
import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("nncf")

from tests.conftest import SAMPLE
from training.evaluate import Figures
from training.quantize import convolutions, fold_constants, lightness, loss, quantize, write
from vidcolor.backends.openvino import OpenVINOBackend, core
from vidcolor.models.files import ModelFile, open_model

FIGURES = Figures(psnr=23.4, delta_ab=9.3, colourfulness=28.0, colourfulness_abs=27.0, fine=0.04)


@pytest.fixture(scope="module")
def pictures():
    with av.open(str(SAMPLE)) as container:
        frames = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)][::30]
    return lightness(frames)


def test_the_quantised_file_is_taken_for_its_model_and_agrees_with_it(pictures, tmp_path):
    shipped = open_model()
    model = ModelFile(tmp_path / shipped.path.name, shipped.metadata)
    write(quantize(shipped, pictures[1:]), model.int8)
    found = OpenVINOBackend(model, precision="int8")
    assert found.description.endswith("int8")
    expected = OpenVINOBackend(shipped, precision="f32").predict(pictures[0])
    difference = np.abs(found.predict(pictures[0]) - expected)
    assert 0.0 < difference.mean() < 0.15 * np.abs(expected).mean()


def test_the_last_convolutions_stay_in_f32(pictures):
    network = quantize(open_model(), pictures[:1])
    names = convolutions(network)
    nodes = [n for n in network.get_ordered_ops() if n.get_friendly_name() in names]
    *rest, logits, decoding = (n.input_value(1).get_node().get_type_name() for n in nodes)
    assert set(rest) == {"Multiply"}  # of integers by their step
    assert (logits, decoding) == ("Constant", "Constant")


def test_folding_leaves_no_bias_that_nncf_would_not_see():
    network = fold_constants(core().read_model(str(open_model().path)))
    for node in network.get_ordered_ops():
        if node.get_friendly_name() in convolutions(network):
            (user,) = node.output(0).get_target_inputs()
            add = user.get_node()
            assert add.get_type_name() == "Add"
            assert add.input_value(1).get_node().get_type_name() == "Constant"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, ""),
        ({"psnr": 23.25}, "0.150 dB of PSNR, more than 0.1"),
        ({"colourfulness_abs": 26.0}, "3.7 % of colourfulness, more than 2"),
        ({"colourfulness_abs": 28.0}, "-3.7 % of colourfulness, more than 2"),
    ],
)
def test_what_is_lost_is_said(change, words):
    assert loss(FIGURES, dataclasses.replace(FIGURES, **change)) == words
