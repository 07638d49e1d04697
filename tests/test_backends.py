"""One conformance suite for every backend that is installed, against PyTorch in fp32."""

import av
import numpy as np
import pytest

from tests.conftest import SAMPLE
from vidcolor import options
from vidcolor.backends import BACKENDS, choose, make_backend, missing
from vidcolor.color import Encoding
from vidcolor.errors import BackendError, OptionError
from vidcolor.preview import SmallSize, make_small, network_input
from vidcolor.weights import open_model

TOLERANCE = {"f32": (0.02, 0.5), "bf16": (0.35, 8.0)}  # mean and greatest |dAB| by the precision of the engine
PRESENT = [name for name in BACKENDS if not missing(name)]


@pytest.fixture(scope="module")
def picture():
    """L* of a real frame as the network gets it, 256 x 352."""
    with av.open(str(SAMPLE)) as container:
        frame = next(container.decode(video=0))
    size = SmallSize.fit(frame.width, frame.height, 256)
    return network_input([make_small(frame.to_ndarray(format="gray"), size, Encoding()).lightness], size)


@pytest.fixture(scope="module")
def reference():
    pytest.importorskip("torch")
    from vidcolor.backends.pytorch import PyTorchBackend

    return PyTorchBackend(open_model(), device="cpu")


@pytest.fixture(scope="module", params=[("openvino", "f32"), ("openvino", "bf16"), ("pytorch", "f32")], ids="-".join)
def backend(request):
    name, precision = request.param
    if missing(name):
        pytest.skip(f"{name} is not installed")
    if name == "openvino":
        from vidcolor.backends.openvino import OpenVINOBackend

        made = OpenVINOBackend(open_model(), precision=precision)
    else:
        made = make_backend(name, open_model())[0]
    yield made, precision
    made.close()


def test_agrees_with_pytorch(backend, reference, picture):
    made, precision = backend
    expected = reference.predict(picture)
    difference = np.abs(made.predict(picture) - expected)
    mean, most = TOLERANCE[precision]
    assert np.abs(expected).max() > 10  # there is colour to agree on
    assert difference.mean() < mean
    assert difference.max() < most


@pytest.mark.parametrize("shape", [(1, 1, 32, 32), (3, 1, 64, 96), (2, 1, 96, 64)])
def test_any_multiple_of_32_in_any_batch(backend, shape):
    made, _ = backend
    lightness = np.random.default_rng(0).uniform(0, 100, shape).astype(np.float32)
    ab = made.predict(lightness)
    assert ab.shape == (shape[0], 2, shape[2] // made.stride, shape[3] // made.stride)
    assert ab.dtype == np.float32
    assert np.isfinite(ab).all()


def test_a_batch_gives_what_single_frames_give(backend, picture):
    made, precision = backend
    other = picture[:, :, ::-1].copy()
    together = made.predict(np.concatenate((picture, other)))
    alone = np.concatenate((made.predict(picture), made.predict(other)))
    assert np.abs(together - alone).mean() < TOLERANCE[precision][0]


def test_the_command_line_offers_every_backend():
    assert ("auto", *BACKENDS) == options.BACKENDS


def test_auto_says_what_it_took_and_why():
    name, why = choose()
    assert name in PRESENT
    assert why
    made, reason = make_backend("auto", open_model())
    assert (made.name, reason) == (name, why)
    assert made.description


def test_an_unknown_backend_lists_the_known():
    with pytest.raises(OptionError, match="openvino"):
        make_backend("caffe", open_model())


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BackendError, match="pip install openvino"):
        make_backend("openvino", open_model())
    with pytest.raises(BackendError, match="torch"):
        make_backend("pytorch", open_model())
    with pytest.raises(BackendError, match="no backend"):
        choose()


def test_without_cuda_a_cuda_device_is_refused():
    torch = pytest.importorskip("torch")
    from vidcolor.backends.pytorch import PyTorchBackend

    if torch.cuda.is_available():
        assert "float16" in PyTorchBackend(open_model(), device="cuda").description
    else:
        with pytest.raises(BackendError, match="CUDA"):
            PyTorchBackend(open_model(), device="cuda")
