"""The engine cache, the fp16 network, and real TensorRT engines built without a GPU."""

import json
import multiprocessing
import platform
import time
from pathlib import Path

import numpy as np
import pytest

from tests.commands import vidcolor
from tests.conditioned import some_conditions
from vidcolor.backends import driver_present
from vidcolor.backends.cache import EngineCache, sidecar
from vidcolor.backends.shapes import ANY, Shapes
from vidcolor.errors import BackendError
from vidcolor.models.files import open_model

pytestmark = pytest.mark.timeout(600)  # a model is exported for some of them
FACTS = {"engine": "made", "model": "abc", "card": "RTX 4090"}


@pytest.fixture
def cache(tmp_path):
    return EngineCache(tmp_path / "engines")


def maker(text="engine"):
    calls = []

    def build(path):
        calls.append(path)
        path.write_text(text)

    return build, calls


def test_an_engine_is_built_once(cache):
    build, calls = maker()
    path = cache.get(FACTS, build)
    assert path.read_text() == "engine"
    assert cache.get(FACTS, build) == path
    assert len(calls) == 1
    assert [(e.path, e.facts, e.bytes) for e in cache.entries()] == [(path, FACTS, 6)]
    assert json.loads(sidecar(path).read_text())["facts"] == FACTS


@pytest.mark.parametrize("key", FACTS)
def test_other_facts_have_an_engine_of_their_own(cache, key):
    build, calls = maker()
    assert cache.get(FACTS, build) != cache.get(FACTS | {key: "other"}, build)
    assert len(calls) == 2


@pytest.mark.parametrize("harm", ["engine cut", "engine gone", "sidecar gone", "sidecar cut", "other facts"])
def test_what_is_stale_or_damaged_is_built_again_and_said(cache, caplog, harm):
    caplog.set_level("INFO")
    build, calls = maker()
    path = cache.get(FACTS, build)
    match harm:
        case "engine cut":
            path.write_text("eng")
        case "engine gone":
            path.unlink()
        case "sidecar gone":
            sidecar(path).unlink()
        case "sidecar cut":
            sidecar(path).write_text('{"facts": {')
        case "other facts":
            told = json.loads(sidecar(path).read_text())
            sidecar(path).write_text(json.dumps(told | {"facts": FACTS | {"card": "H100"}}))
    caplog.clear()
    assert cache.get(FACTS, build).read_text() == "engine"
    assert len(calls) == 2
    assert cache.fault(FACTS) is None
    assert caplog.messages[0].startswith("building an engine")
    assert "the engine is built: " in caplog.messages[1]


def test_a_build_that_fails_leaves_nothing(cache):
    def build(path):
        path.write_text("half an eng")
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError):
        cache.get(FACTS, build)
    assert not [p for p in cache.folder.iterdir() if p.suffix != ".lock"]


def slow_build(folder, log):
    def build(path):
        with open(log, "a") as file:
            file.write("built\n")
        time.sleep(0.5)
        path.write_text("engine")

    assert EngineCache(folder).get(FACTS, build).read_text() == "engine"


def test_two_processes_build_one_engine(tmp_path):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=slow_build, args=(tmp_path / "e", tmp_path / "log")) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert (tmp_path / "log").read_text() == "built\n"


def test_the_command_lists_and_clears(tmp_path, monkeypatch):
    monkeypatch.setenv("VIDCOLOR_CACHE", str(tmp_path))
    assert "no engines" in vidcolor("engines").stdout
    EngineCache().get(FACTS, maker()[0])
    assert "RTX 4090" in vidcolor("engines").stdout
    listed = json.loads(vidcolor("engines", "--json").stdout)
    assert listed["engines"][0]["card"] == "RTX 4090"
    kept_by_a_provider = EngineCache().folder / "rtx-runtime"
    kept_by_a_provider.mkdir()
    (kept_by_a_provider / "kernels.bin").write_bytes(b"x")
    interrupted = EngineCache().folder / ".vidcolor-01234567.part"
    interrupted.write_text("half an eng")
    assert "1 engines removed" in vidcolor("engines", "clear").stderr
    assert not interrupted.exists()
    assert not kept_by_a_provider.exists()
    assert json.loads(vidcolor("engines", "list", "--json").stdout)["engines"] == []


@pytest.mark.skipif(driver_present(), reason="there is a card: the next test builds on it")
def test_the_command_says_why_an_engine_cannot_be_built_here(tmp_path, monkeypatch):
    monkeypatch.setenv("VIDCOLOR_CACHE", str(tmp_path))
    refused = vidcolor("engines", "build", "--backend", "tensorrt")
    assert refused.returncode == 1
    (line,) = refused.stderr.splitlines()
    assert line.startswith("vidcolor: backend tensorrt: ")
    assert "no engines" in vidcolor("engines").stdout


@pytest.mark.skipif(not driver_present(), reason="needs an NVIDIA card; where there is one this must not be skipped")
def test_the_command_builds_an_engine_on_this_card(tmp_path, monkeypatch):
    monkeypatch.setenv("VIDCOLOR_CACHE", str(tmp_path))
    built = vidcolor("engines", "build", "--backend", "tensorrt")
    assert built.returncode == 0, built.stderr
    assert len(json.loads(vidcolor("engines", "--json").stdout)["engines"]) == 1


def test_shapes_are_checked():
    ANY.check("rtx", (1, 1, 224, 384))
    with pytest.raises(BackendError, match="smaller --size"):
        ANY.check("rtx", (1, 1, 1024, 2048))
    with pytest.raises(ValueError, match="multiples of 32"):
        Shapes((1, 30, 32), (4, 224, 384), (8, 224, 384))
    with pytest.raises(ValueError, match="order"):
        Shapes((4, 224, 384), (1, 224, 384), (8, 224, 384))


@pytest.fixture(scope="module")
def half_network(tmp_path_factory):
    onnx = pytest.importorskip("onnx")
    from vidcolor.backends.half import half

    path = tmp_path_factory.mktemp("half") / "half.onnx"
    onnx.save(half(open_model().path), path)
    return path


def test_the_network_in_fp16_agrees_with_fp32(half_network):
    """ONNX Runtime computes fp16 on the CPU too, slowly."""
    ort = pytest.importorskip("onnxruntime")
    rows = np.linspace(0, 100, 96, dtype=np.float32)
    lightness = np.stack([np.tile(rows, (64, 1)), 100 - np.tile(rows, (64, 1))])[:, None]
    ours, truth = (
        ort.InferenceSession(str(p), providers=["CPUExecutionProvider"]).run(None, {"lightness": lightness})[0]
        for p in (half_network, open_model().path)
    )
    assert ours.dtype == np.float32
    assert np.abs(truth).max() > 3
    assert np.abs(ours - truth).mean() < 0.1
    assert np.abs(ours - truth).max() < 3.0


def test_every_weight_is_stored_in_fp16(half_network):
    onnx = pytest.importorskip("onnx")
    graph = onnx.load(half_network).graph
    big = [t for t in graph.initializer if t.data_type == onnx.TensorProto.FLOAT and np.prod(t.dims) > 1]
    assert not big
    assert sum(n.op_type == "Cast" for n in graph.node) == 2


@pytest.fixture(scope="module")
def half_conditioned(conditioned, tmp_path_factory):
    onnx = pytest.importorskip("onnx")
    from vidcolor.backends.half import half

    path = tmp_path_factory.mktemp("half") / "half.onnx"
    onnx.save(half(conditioned.path), path)
    return path


def test_conditions_in_fp16_agree_with_fp32(conditioned, half_conditioned):
    ort = pytest.importorskip("onnxruntime")
    lightness = np.tile(np.linspace(0, 100, 96, dtype=np.float32), (2, 1, 64, 1))
    given = {"lightness": lightness, "conditions": some_conditions(lightness.shape)}
    ours, truth = (
        ort.InferenceSession(str(p), providers=["CPUExecutionProvider"]).run(["ab"], given)[0]
        for p in (half_conditioned, conditioned.path)
    )
    assert ours.dtype == np.float32
    assert np.abs(truth).max() > 10
    assert np.abs(ours - truth).mean() < 0.1
    assert np.abs(ours - truth).max() < 3.0
    nothing = given | {"conditions": np.zeros_like(given["conditions"])}
    session = ort.InferenceSession(str(half_conditioned), providers=["CPUExecutionProvider"])
    assert np.isfinite(session.run(["ab"], nothing)[0]).all()  # nought over nought has a way out in fp16 too


@pytest.fixture(scope="module")
def rtx():
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        pytest.skip("TensorRT for RTX has no builder here")
    from engines import rtx

    return rtx


@pytest.mark.parametrize("card", ["sm86", "sm89", "sm120"])
def test_the_shipped_model_compiles_to_tensorrt_without_a_gpu(rtx, half_network, card):
    """A real engine of TensorRT for RTX: it fails where a layer of the generator stops compiling."""
    from engines.profiles import PROFILES

    engine = rtx.build(half_network.read_bytes(), card, PROFILES["film"])
    assert len(engine) > 5e6


def test_a_model_with_conditions_compiles_too(rtx, half_conditioned):
    from engines.profiles import PROFILES

    assert len(rtx.build(half_conditioned.read_bytes(), "sm89", PROFILES["film"])) > 1e6


def test_what_does_not_compile_is_told_in_one_line(rtx, half_network):
    from engines.profiles import PROFILES

    with pytest.raises(rtx.BuildError) as told:
        rtx.build(half_network.read_bytes()[:5000], "sm86", PROFILES["film"])
    assert "\n" not in str(told.value)
    with pytest.raises(ValueError, match="sm86"):
        rtx.build(b"", "sm52", PROFILES["film"])


def test_the_command_builds_engines_with_sidecars(rtx, tmp_path, capsys):
    from engines.__main__ import main

    assert main(["build", "--target", "rtx", "--gpu", "sm89", "--out", str(tmp_path)]) == 0
    engine = next(tmp_path.glob("*.engine"))
    told = json.loads(Path(f"{engine}.json").read_text())["facts"]
    assert told["model"] == open_model().metadata["sha256"]
    assert told["card"] == "sm89"
    capsys.readouterr()
    assert main(["build", "--gpu", "sm89", "--out", str(tmp_path)]) == 0
    assert "up to date" in capsys.readouterr().out


def test_the_generator_exports_in_fp16_for_torch_tensorrt():
    """What torch-tensorrt is given; the compilation itself needs a card."""
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        import torch_tensorrt  # noqa: F401  where there is a card, it must be there too
    from vidcolor.backends.export import export_half

    program = export_half(open_model(), ANY, "cpu")
    x = torch.rand(2, 1, 64, 96).half() * 100
    ab = program.module()(x)
    assert ab.dtype == torch.float16
    assert ab.shape == (2, 2, 16, 24)


def test_with_conditions_it_exports_in_fp16_too(conditioned):
    torch = pytest.importorskip("torch")
    from vidcolor.backends.export import export_half

    program = export_half(conditioned, ANY, "cpu")
    x = torch.rand(2, 1, 64, 96).half() * 100
    ab = program.module()(x, torch.from_numpy(some_conditions((2, 1, 64, 96))).half())
    assert ab.shape == (2, 2, 16, 24)
    assert ab.isfinite().all()


def test_the_provider_is_told_the_shapes_of_both_inputs(conditioned, tmp_path):
    pytest.importorskip("onnxruntime")
    from vidcolor.backends.onnxruntime import provider_options

    told = provider_options(conditioned, ANY, tmp_path)
    assert told["nv_profile_min_shapes"] == "lightness:1x1x32x32,conditions:1x3x8x8"
    assert told["nv_profile_max_shapes"] == "lightness:32x1x576x1056,conditions:32x3x144x264"
    assert provider_options(open_model(), ANY, tmp_path)["nv_profile_min_shapes"] == "lightness:1x1x32x32"


def test_bench_tells_what_runs_here_and_what_does_not(monkeypatch, capsys):
    from benchmarks import network
    from engines.__main__ import main

    here = {k: network.WAYS[k] for k in ("openvino f32", "tensorrt")}
    monkeypatch.setattr(network, "WAYS", here)
    assert main(["bench", "--seconds", "0.05"]) == 0
    told = capsys.readouterr().out
    assert "openvino f32, film: " in told
    assert ("tensorrt, film: " if driver_present() else "tensorrt: not run, no NVIDIA driver") in told
