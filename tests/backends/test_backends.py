"""One conformance suite for every backend that is installed, against PyTorch in fp32."""

import os
import platform
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import av
import numpy as np
import pytest

from tests.conditioned import some_conditions
from tests.conftest import ROOT, SAMPLE
from vidcolor.backends import BACKENDS, candidates, cuda_present, driver_present, make_backend, missing
from vidcolor.backends.likely import NEAR, ranked
from vidcolor.cli import colorize, serve, webcam
from vidcolor.color.encoding import Encoding
from vidcolor.color.proxy import ProxySize, make_proxy, network_input
from vidcolor.errors import BackendError, ModelError, OptionError
from vidcolor.models.files import ModelFile, open_model

pytestmark = pytest.mark.timeout(600)  # a model is exported for some of them
TOLERANCE = {
    "f32": (0.02, 0.5),
    "bf16": (0.35, 8.0),
    "f16": (0.1, 4.0),
    "int8": (1.2, 15.0),
}  # mean and greatest |dAB| by the precision of the engine


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


def start(model, name, precision):
    if missing(name) and precision != "f16":  # where there is a card, its backends must be there too
        pytest.skip(f"{name} is not installed")
    if name == "openvino":  # the precision is its choice, elsewhere it is fixed
        from vidcolor.backends.openvino import OpenVINOBackend

        return OpenVINOBackend(model, precision=precision)
    if (name, precision) == ("pytorch", "f32"):
        from vidcolor.backends.pytorch import PyTorchBackend

        return PyTorchBackend(model, device="cpu")
    return make_backend(name, model)[0]


@pytest.fixture(scope="module", params=VARIANTS + (CUDA if driver_present() else []), ids="-".join)
def backend(request):
    made = start(open_model(), *request.param)
    yield made, request.param[1]
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


# The same backends with a model that takes conditions; it has no file of integers.
TOLD = [v for v in VARIANTS if v[1] != "int8"]


@pytest.fixture(scope="module", params=TOLD + (CUDA if driver_present() else []), ids="-".join)
def told(request, conditioned):
    made = start(conditioned, *request.param)
    yield made, request.param[1]
    made.close()


@pytest.fixture(scope="module")
def told_reference(conditioned):
    from vidcolor.backends.pytorch import PyTorchBackend

    return PyTorchBackend(conditioned, device="cpu")


def test_what_is_known_changes_the_answer_as_in_pytorch(told, told_reference, picture):
    made, precision = told
    conditions = some_conditions(picture.shape)
    expected, alone = told_reference.predict(picture, conditions), told_reference.predict(picture)
    mean, most = TOLERANCE[precision]
    assert made.takes_conditions
    assert np.abs(expected - alone).mean() > 5 * mean  # it matters
    difference = np.abs(made.predict(picture, conditions) - expected)
    assert difference.mean() < mean
    assert difference.max() < most
    assert np.abs(made.predict(picture) - alone).mean() < mean


def test_nothing_known_is_noughts(told, picture):
    made, precision = told
    n, _, h, w = picture.shape
    noughts = made.predict(picture, np.zeros((n, 3, h // 4, w // 4), np.float32))
    assert np.abs(noughts - made.predict(picture)).mean() < 0.1 * TOLERANCE[precision][0]


def test_what_is_certain_comes_out_as_it_went_in(told, picture):
    made, precision = told
    conditions = some_conditions(picture.shape)
    conditions[:, 2] = conditions[:, 2] > 0.5
    sure = conditions[0, 2] == 1.0
    out = made.predict(picture, conditions)
    limit = {"f32": 1e-3, "f16": 0.1, "bf16": 0.5}[precision]  # of numbers up to 100
    assert np.abs(out[0] - conditions[0, :2])[:, sure].max() < limit


def test_a_told_batch_gives_what_single_frames_give(told, picture):
    made, precision = told
    pictures = np.concatenate((picture, picture[:, :, ::-1]))
    conditions = some_conditions(pictures.shape)
    together = made.predict(pictures, conditions)
    alone = np.concatenate([made.predict(pictures[i : i + 1], conditions[i : i + 1]) for i in (0, 1)])
    assert np.abs(together - alone).mean() < TOLERANCE[precision][0]


def test_likely_colours_are_ranked_and_pytorchs(told, told_reference, picture):
    made, precision = told
    n, _, h, w = picture.shape
    colours, probabilities = made.likely(picture, some_conditions(picture.shape), 4)
    assert colours.shape == (n, 4, 2, h // 4, w // 4)
    assert probabilities.shape == (n, 4, h // 4, w // 4)
    assert colours.dtype == probabilities.dtype == np.float32
    assert (np.diff(probabilities, axis=1) <= 1e-6).all()
    assert (probabilities.sum(1) <= 1 + 1e-5).all()
    expected = told_reference.likely(picture, some_conditions(picture.shape), 4)
    limit = {"f32": 1e-3, "f16": 0.02, "bf16": 0.05}[precision]
    assert np.abs(probabilities - expected[1]).mean() < limit
    best = np.abs(colours[:, 0] - expected[0][:, 0]).max(1)
    assert np.median(best) < 20 * limit  # now and then two are equally likely


def test_conditions_that_do_not_fit_are_refused(told, backend, picture):
    n, _, h, w = picture.shape
    wrong = np.zeros((n, 3, h // 8, w // 8), np.float32)
    for made, _ in (told, backend):
        with pytest.raises(ValueError, match=r"conditions of shape \(1, 3, 32, 44\) do not belong to L\*"):
            made.predict(picture, wrong)


def test_a_model_without_conditions_refuses_them_and_takes_noughts(backend, picture):
    made, _ = backend
    conditions = some_conditions(picture.shape)
    assert not made.takes_conditions
    for ask in (made.predict, made.likely):
        with pytest.raises(ModelError, match=r"vidcolor-default\.onnx: t"):  # takes no hints, tells no likely colours
            ask(picture, conditions)
    nothing = made.predict(picture, np.zeros_like(conditions))
    np.testing.assert_array_equal(nothing, made.predict(picture))


def test_likely_colours_are_apart_and_add_up_shades():
    """Two groups of bins, the wider of which holds the single best bin of neither."""
    centres = np.array([[0, 0], [10, 0], [0, 10], [60, 0], [-50, -50]], np.float32)
    share = np.array([0.2, 0.2, 0.2, 0.3, 0.1], np.float32)
    logits = np.log(share).reshape(1, 5, 1, 1).repeat(6, 3)
    colours, probabilities = ranked(logits, centres, 4)
    assert colours.shape == (1, 4, 2, 1, 6)
    np.testing.assert_allclose(probabilities[0, :, 0, 2], [0.6, 0.3, 0.1, 0.0], atol=1e-6)
    np.testing.assert_allclose(colours[0, :, :, 0, 2], [[10 / 3, 10 / 3], [60, 0], [-50, -50], [0, 0]], atol=1e-4)
    spread = np.random.default_rng(0).normal(0, 1, (2, 5, 3, 4)).astype(np.float32)
    found, _ = ranked(spread, centres * 2, 2)
    assert (np.hypot(*(found[:, 0] - found[:, 1]).swapaxes(0, 1)) > NEAR / 2).all()


@pytest.mark.parametrize("command", [colorize, webcam, serve], ids=lambda c: c.__name__.rpartition(".")[2])
def test_the_command_line_offers_every_backend(command):
    """The parser takes its names from options.py, so that `--help` imports no backend."""
    (offered,) = (a.choices for a in command.make_parser()._actions if a.dest == "backend")
    assert list(offered) == ["auto", *BACKENDS]


EVERY = ("tensorrt", "rtx", "openvino", "onnx", "pytorch")


@pytest.mark.parametrize(
    ("driver", "cuda", "installed", "expected"),
    [
        (True, True, EVERY, ["tensorrt", "rtx", "pytorch", "openvino", "onnx"]),  # PyTorch once, and on the card
        (True, False, EVERY, ["tensorrt", "rtx", "openvino", "onnx", "pytorch"]),
        (False, True, EVERY, ["openvino", "onnx", "pytorch"]),
        (True, True, ("openvino", "pytorch"), ["pytorch", "openvino"]),
        (False, False, ("onnx", "pytorch"), ["onnx", "pytorch"]),
        (True, True, ("pytorch",), ["pytorch"]),
        (True, True, ("onnx",), ["onnx"]),
        (True, True, (), []),
    ],
)
def test_candidates_best_one_first(monkeypatch, driver, cuda, installed, expected):
    monkeypatch.setattr("vidcolor.backends.driver_present", lambda: driver)
    monkeypatch.setattr("vidcolor.backends.cuda_present", lambda: cuda)
    monkeypatch.setattr("vidcolor.backends.missing", lambda name: [] if name in installed else ["a package"])
    found = dict(candidates())
    assert [name for name, _ in candidates()] == expected
    on_card = {"tensorrt", "rtx", *(["pytorch"] if cuda else [])} if driver else set()
    assert {name for name, why in found.items() if why.startswith("an NVIDIA card, ")} == on_card & set(installed)


def test_a_torch_that_cannot_be_imported_finds_no_card(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # importing it raises ImportError then
    assert not cuda_present()


def test_auto_says_what_it_took_and_why(monkeypatch):
    monkeypatch.setattr("vidcolor.backends.driver_present", lambda: False)
    made, why = make_backend("auto", open_model())
    assert (made.name, made.device) == ("openvino", "cpu")
    assert why == "no NVIDIA card in use, OpenVINO is the fastest on a CPU"


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


class Processor:
    """OpenVINO's core on a processor that says it computes in `capabilities`."""

    def __init__(self, core, *capabilities):
        self.core, self.capabilities = core, list(capabilities)

    def __getattr__(self, name):
        return getattr(self.core, name)

    def get_property(self, device, name):
        assert (device, name) == ("CPU", "OPTIMIZATION_CAPABILITIES")
        return self.capabilities


def run_on(monkeypatch, machine, *capabilities):
    """Have OpenVINO find a processor of that kind."""
    pytest.importorskip("openvino")
    from vidcolor.backends.openvino import core

    here = Processor(core(), *capabilities)
    monkeypatch.setattr("vidcolor.backends.openvino.core", lambda: here)
    monkeypatch.setattr(platform, "machine", lambda: machine)


@pytest.mark.parametrize(
    ("capabilities", "machine", "expected"),
    [
        (("FP32", "INT8", "BF16"), "x86_64", "bf16"),
        (("FP32", "INT8"), "x86_64", "int8"),
        (("FP32", "INT8"), "AMD64", "int8"),  # Windows
        (("FP32", "INT8"), "aarch64", "f32"),  # there integers are slower
        (("FP32",), "x86_64", "f32"),
    ],
)
def test_openvino_takes_the_fastest_precision_of_the_processor(monkeypatch, capabilities, machine, expected):
    run_on(monkeypatch, machine, *capabilities)
    made = openvino_of(open_model())
    assert made.description.endswith(f", CPU, {expected}")
    assert made.options["INFERENCE_PRECISION_HINT"] == ("bf16" if expected == "bf16" else "f32")
    assert openvino_of(open_model(), precision="f32").description.endswith(", CPU, f32")  # asked for, so taken


def test_integers_of_another_model_are_left_alone(monkeypatch):
    shipped = open_model()
    other = ModelFile(shipped.path, shipped.metadata | {"sha256": "another"})
    run_on(monkeypatch, "x86_64", "INT8")
    assert openvino_of(shipped).description.endswith("int8")
    assert openvino_of(other).description.endswith("f32")
    with pytest.raises(ModelError, match=r"vidcolor-default\.onnx: has no vidcolor-default-int8\.xml of its own"):
        openvino_of(other, precision="int8")


def test_a_model_without_integers_runs_and_a_broken_file_of_them_is_named(monkeypatch, tmp_path):
    shutil.copy(open_model().path, tmp_path / "mine.onnx")
    model = open_model(tmp_path / "mine.onnx")
    run_on(monkeypatch, "x86_64", "INT8")
    assert openvino_of(model).description.endswith("f32")
    model.int8.write_text("<net>nothing")
    for precision in (None, "int8"):
        with pytest.raises(ModelError, match=r"mine-int8\.xml: cannot be read; make it anew"):
            openvino_of(model, precision=precision)


def test_threads_have_answers_of_their_own(conditioned):
    """Of one shape and of several, told and not: what each thread gets is what it would get alone."""
    made = openvino_of(conditioned, precision="f32", threads=1)
    rng = np.random.default_rng(0)
    asked = []
    for i in range(24):
        shape = (1, 1, 64, 64 + 32 * (i % 3))
        lightness = rng.uniform(0, 100, shape).astype(np.float32)
        asked.append((lightness, some_conditions(shape, seed=i) if i % 2 else None))
    expected = [made.predict(*x) for x in asked]
    with ThreadPoolExecutor(6) as pool:
        for _ in range(3):
            for found, right in zip(pool.map(lambda x: made.predict(*x), asked), expected, strict=True):
                np.testing.assert_allclose(found, right, atol=1e-3)


def test_an_answer_stays_when_the_next_one_comes(picture):
    made = openvino_of(open_model())
    first = made.predict(picture)
    kept = first.copy()
    made.predict(picture[:, :, ::-1].copy())
    np.testing.assert_array_equal(first, kept)
    assert first.flags.owndata
    first[:] = 0.0  # it is the caller's


def test_few_compiled_shapes_are_kept():
    made = openvino_of(open_model())
    first = np.full((1, 1, 32, 32), 50, np.float32)
    expected = made.predict(first)
    for i in range(6):
        made.predict(np.full((1, 1, 32, 64 + 32 * i), 50, np.float32))
        assert len(made.compiled.kept) <= 4
    np.testing.assert_array_equal(made.predict(first), expected)


def run_python(script, **environment):
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT,
        env=os.environ | environment,
    )  # fmt: skip


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the peak of memory from /proc")
def test_photographs_of_many_shapes_take_no_more_memory():
    """With all networks kept, 16 shapes take over 1 GB."""
    pytest.importorskip("openvino")
    done = run_python("""
import numpy as np
from vidcolor.backends import make_backend
from vidcolor.models.files import open_model
backend = make_backend("openvino", open_model())[0]
for i in range(16):
    backend.predict(np.full((1, 1, 224, 224 + 32 * i), 50, np.float32))
print(next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith("VmHWM")) // 1024)
""")
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 700


def test_no_socket_is_opened_and_nothing_is_written_at_home(tmp_path, short_film):
    """OpenVINO's own telemetry would do both at each start."""
    (tmp_path / "home").mkdir()
    done = run_python(
        f"""
import sys
seen = []
sys.addaudithook(lambda event, args: seen.append((event, args)) if event.startswith("socket.") else None)
from vidcolor import ColorizeOptions, colorize
colorize({str(short_film)!r}, {str(tmp_path / "out.mp4")!r}, ColorizeOptions(backend="openvino", size=96))
import openvino
assert "openvino_telemetry" in sys.modules and sys.modules["openvino_telemetry"] is None
assert not seen, seen
""",
        HOME=str(tmp_path / "home"),
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.mp4").exists()
    assert not list(tmp_path.glob("home/**/*intel*"))
    assert not list(tmp_path.glob("home/**/*cid*"))
