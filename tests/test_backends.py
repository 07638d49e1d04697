"""One conformance suite for every backend that is installed, against PyTorch in fp32."""

import platform
import shutil
import subprocess
import sys

import av
import numpy as np
import pytest

from tests.conftest import SAMPLE
from vidcolor import options
from vidcolor.backends import BACKENDS, candidates, driver_present, make_backend, missing
from vidcolor.color.encoding import Encoding
from vidcolor.color.proxy import ProxySize, make_proxy, network_input
from vidcolor.errors import BackendError, ModelError, OptionError
from vidcolor.models.files import ModelFile, open_model

TOLERANCE = {
    "f32": (0.02, 0.5),
    "bf16": (0.35, 8.0),
    "f16": (0.1, 4.0),
    "int8": (1.2, 15.0),
}  # mean and greatest |dAB| by the precision of the engine
PRESENT = [name for name in BACKENDS if not missing(name)]


@pytest.fixture(scope="module")
def picture():
    """L* of a real frame as the network gets it, 256 x 352."""
    with av.open(str(SAMPLE)) as container:
        frame = next(container.decode(video=0))
    size = ProxySize.fit(frame.width, frame.height, 256)
    return network_input([make_proxy(frame.to_ndarray(format="gray"), size, Encoding()).lightness], size)


@pytest.fixture(scope="module")
def reference():
    pytest.importorskip("torch")
    from vidcolor.backends.pytorch import PyTorchBackend

    return PyTorchBackend(open_model(), device="cpu")


VARIANTS = [("openvino", "f32"), ("openvino", "bf16"), ("openvino", "int8"), ("onnx", "f32"), ("pytorch", "f32")]
CUDA = [("pytorch", "f16"), ("tensorrt", "f16"), ("rtx", "f16")]


@pytest.fixture(scope="module", params=VARIANTS + (CUDA if driver_present() else []), ids="-".join)
def backend(request):
    name, precision = request.param
    if missing(name) and precision != "f16":  # where there is a card, its backends must be there too
        pytest.skip(f"{name} is not installed")
    if name == "openvino":  # the precision is its choice, elsewhere it is fixed
        from vidcolor.backends.openvino import OpenVINOBackend

        made = OpenVINOBackend(open_model(), precision=precision)
    elif (name, precision) == ("pytorch", "f32"):
        from vidcolor.backends.pytorch import PyTorchBackend

        made = PyTorchBackend(open_model(), device="cpu")
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
    name, why = next(candidates())
    assert name in PRESENT
    made, reason = make_backend("auto", open_model())
    assert made.name == name or "backend " + name in reason
    assert reason.startswith(why)
    assert made.description
    assert made.device in ("cpu", "cuda")


def test_auto_passes_over_what_does_not_start_and_says_so(monkeypatch):
    def broken(model):
        raise BackendError("backend openvino: a part is missing; reinstall it")

    monkeypatch.setitem(BACKENDS, "openvino", broken)
    monkeypatch.setattr("vidcolor.backends.driver_present", lambda: False)
    made, why = make_backend("auto", open_model())
    assert made.name == "onnx"
    assert why.endswith("; backend openvino: a part is missing; reinstall it")
    with pytest.raises(BackendError, match="a part is missing"):
        make_backend("openvino", open_model())


def test_an_unknown_backend_lists_the_known():
    with pytest.raises(OptionError, match="openvino"):
        make_backend("caffe", open_model())


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BackendError, match="pip install openvino"):
        make_backend("openvino", open_model())
    with pytest.raises(BackendError, match="torch"):
        make_backend("pytorch", open_model())
    with pytest.raises(BackendError, match=r"pip install onnxruntime onnxruntime-ep-nv-tensorrt-rtx-cu13 onnx$"):
        make_backend("rtx", open_model())
    with pytest.raises(BackendError, match="torch-tensorrt"):
        make_backend("tensorrt", open_model())
    assert not list(candidates())
    with pytest.raises(BackendError, match="no backend can run here: pip install openvino"):
        make_backend("auto", open_model())


def test_without_cuda_a_cuda_device_is_refused():
    torch = pytest.importorskip("torch")
    from vidcolor.backends.pytorch import PyTorchBackend

    if torch.cuda.is_available():
        assert "float16" in PyTorchBackend(open_model(), device="cuda").description
    else:
        with pytest.raises(BackendError, match="CUDA"):
            PyTorchBackend(open_model(), device="cuda")


@pytest.mark.skipif(driver_present(), reason="there is a card: the suite above runs rtx on it")
def test_without_a_card_rtx_is_refused_in_one_line():
    pytest.importorskip("onnxruntime_ep_nv_tensorrt_rtx")
    with pytest.raises(BackendError) as told:
        make_backend("rtx", open_model())
    assert "NVIDIA driver" in str(told.value)
    assert "\n" not in str(told.value)


def test_a_batch_that_does_not_fit_is_halved():
    torch = pytest.importorskip("torch")
    from vidcolor.backends.memory import in_halves

    seen = []

    def run(batch):
        seen.append(len(batch))
        if len(batch) > 2:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return batch * 2

    batch = np.arange(7, dtype=np.float32).reshape(7, 1, 1, 1)
    np.testing.assert_array_equal(in_halves(run, batch), batch * 2)
    assert seen == [7, 3, 1, 2, 4, 2, 2]
    with pytest.raises(BackendError, match="one picture of 1 x 1"):
        in_halves(lambda batch: run(np.zeros((3, 1, 1, 1))), batch)


def test_a_signal_after_overlapping_engines_are_closed_does_no_harm():
    """Each OpenVINO core gives the main thread a signal stack, and the one closed last gives back one that is gone."""
    script = """
import gc, os, signal
import numpy as np
from vidcolor.backends import make_backend
from vidcolor.models.files import open_model
signal.signal(signal.SIGINT, signal.default_int_handler)
first, second = (make_backend("openvino", open_model())[0] for _ in range(2))
for backend in (first, second):
    backend.predict(np.zeros((1, 1, 32, 32), np.float32))
for name in ("first", "second"):
    globals().pop(name).close()
    backend = None
    gc.collect()
try:
    os.kill(os.getpid(), signal.SIGINT)
    signal.pause()
except KeyboardInterrupt:
    print("stopped")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout) == (0, "stopped\n"), done.stderr


def openvino_of(model, **settings):
    pytest.importorskip("openvino")
    from vidcolor.backends.openvino import OpenVINOBackend

    return OpenVINOBackend(model, **settings)


def test_openvino_takes_the_fastest_precision_of_the_processor():
    made = openvino_of(open_model())
    capable = made.core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if "BF16" in capable:
        assert made.description.endswith("bf16")
    elif platform.machine().lower() in ("x86_64", "amd64"):
        assert made.description.endswith("int8")


def test_integers_of_another_model_are_left_alone():
    shipped = open_model()
    other = ModelFile(shipped.path, shipped.metadata | {"sha256": "another"})
    assert not openvino_of(other).description.endswith("int8")
    with pytest.raises(ModelError, match=r"vidcolor-default\.onnx: has no vidcolor-default-int8\.xml of its own"):
        openvino_of(other, precision="int8")


def test_a_model_without_integers_runs_and_a_broken_file_of_them_is_named(tmp_path):
    shutil.copy(open_model().path, tmp_path / "mine.onnx")
    model = open_model(tmp_path / "mine.onnx")
    assert openvino_of(model).description.endswith(("bf16", "f32"))
    model.int8.write_text("<net>nothing")
    with pytest.raises(ModelError, match=r"mine-int8\.xml: cannot be read; make it anew"):
        openvino_of(model, precision="int8")
