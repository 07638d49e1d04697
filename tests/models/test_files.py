import json
from pathlib import Path

import pytest

from vidcolor.errors import ModelError
from vidcolor.models.files import open_model, read_metadata


def test_the_shipped_model_describes_itself():
    model = open_model()
    for key in ("licence", "training_data", "metrics", "sha256", "config", "stride"):
        assert model.metadata[key], key
    assert {"temperature", "prior_correction", "saturation"} <= set(model.config)
    assert model.path.stat().st_size < 40e6
    metrics = json.loads(model.metadata["metrics"])
    assert metrics["psnr"] >= 23.2
    assert metrics["colourfulness_abs"] >= 24.0


def test_metadata_and_checksum_agree_with_the_onnx_library():
    onnx = pytest.importorskip("onnx")
    from training.export import weights_digest

    model = open_model()
    loaded = onnx.load(model.path)
    assert {p.key: p.value for p in loaded.metadata_props} == model.metadata
    assert weights_digest(loaded) == model.metadata["sha256"]


@pytest.mark.parametrize("content", [b"", b"not a model at all", bytes(range(256)) * 4])
def test_another_file_is_refused(tmp_path: Path, content):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="not made by vidcolor"):
        open_model(path)


@pytest.mark.parametrize("size", [b"\xff" * 7 + b"\x7f", b"\xff" * 8 + b"\x7f", b"\x80\x80\x80\x80\x40"])
def test_an_entry_longer_than_any_file_takes_no_memory(tmp_path: Path, size):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"\x72" + size + b"format")
    with pytest.raises(ModelError, match="not made by vidcolor"):
        open_model(path)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(ModelError, match=r"gone\.onnx"):
        open_model(tmp_path / "gone.onnx")


def test_a_stranger_without_our_mark_is_refused(tmp_path: Path):
    onnx = pytest.importorskip("onnx")
    path = tmp_path / "other.onnx"
    graph = onnx.helper.make_graph([], "empty", [], [])
    onnx.save(onnx.helper.make_model(graph), path)
    assert read_metadata(path) == {}
    with pytest.raises(ModelError):
        open_model(path)
