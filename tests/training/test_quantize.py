"""Quantisation for real, in small: the shipped model, calibrated on frames of the sample film."""

import dataclasses

import av
import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("nncf")

from tests.conditioned import some_conditions
from tests.conftest import SAMPLE
from tests.training.conftest import learnable
from training.data import to_lab
from training.evaluate import Figures
from training.quantize import convolutions, examples, fold_constants, lightness, loss, quantize, some_truth, write
from vidcolor.backends.openvino import OpenVINOBackend, core
from vidcolor.models.files import ModelFile, open_model

FIGURES = Figures(psnr=23.4, delta_ab=9.3, colourfulness=28.0, colourfulness_abs=27.0, fine=0.04)


@pytest.fixture(scope="module")
def pictures():
    with av.open(str(SAMPLE)) as container:
        frames = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)][::30]
    return frames


def test_the_quantised_file_is_taken_for_its_model_and_agrees_with_it(pictures, tmp_path):
    shipped = open_model()
    model = ModelFile(tmp_path / shipped.path.name, shipped.metadata)
    write(quantize(shipped, examples(shipped, pictures[1:])), model.int8)
    found = OpenVINOBackend(model, precision="int8")
    assert found.description.endswith("int8")
    (picture,) = lightness(pictures[:1])
    expected = OpenVINOBackend(shipped, precision="f32").predict(picture)
    difference = np.abs(found.predict(picture) - expected)
    assert 0.0 < difference.mean() < 0.15 * np.abs(expected).mean()


@pytest.mark.timeout(600)
def test_a_model_with_conditions_is_quantised_with_some_told(conditioned, tmp_path):
    photos = [learnable(i, 96, 128) for i in range(6)]
    given = examples(conditioned, photos)
    assert [bool(x["conditions"].any()) for x in given] == [False, True] * 3
    model = ModelFile(tmp_path / conditioned.path.name, conditioned.metadata)
    write(quantize(conditioned, given), model.int8)
    found, exact = OpenVINOBackend(model, precision="int8"), OpenVINOBackend(conditioned, precision="f32")
    (picture,) = lightness(photos[:1])
    told = some_conditions(picture.shape)
    for conditions in (None, told):
        expected = exact.predict(picture, conditions)
        assert 0.0 < np.abs(found.predict(picture, conditions) - expected).mean() < 0.3 * np.abs(expected).mean()
    sure = told.copy()
    sure[:, 2] = sure[:, 2] > 0.5
    out = found.predict(picture, sure)
    assert np.abs(out - sure[:, :2])[:, :, sure[0, 2] == 1.0].max() < 1.5  # known colours in 8 bits
    colours, _ = found.likely(picture, told)
    assert np.isfinite(colours).all()


def test_what_is_told_for_calibration_is_the_truth():
    photo = learnable(3, 70, 100)
    told = some_truth(photo, 1)
    assert told.shape == (1, 3, 16, 24)
    assert 0.1 < told[0, 2].mean() < 0.3
    assert not told[0, :2, told[0, 2] == 0].any()
    cell = to_lab(photo)[:4, :4, 1:].mean((0, 1))
    every = [some_truth(photo, seed)[0, :, 0, 0] for seed in range(20)]
    np.testing.assert_allclose(next(x[:2] for x in every if x[2]), cell, atol=1e-3)


def test_the_last_convolutions_stay_in_f32(pictures):
    network = quantize(open_model(), examples(open_model(), pictures[:1]))
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


def test_the_first_shard_there_is_calibrates(tmp_path):
    from benchmarks.int8 import first_shard

    with pytest.raises(FileNotFoundError, match="holds no shard of training photographs"):
        first_shard(tmp_path)
    for name in ("val.tar", "val_film.tar", "pictures-01.tar", "pictures-00.tar"):
        (tmp_path / name).touch()
    assert first_shard(tmp_path).name == "pictures-00.tar"
