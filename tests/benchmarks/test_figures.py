"""No figure in the docs that a committed result does not back."""

import json

import pytest

from tests.conftest import ROOT
from vidcolor.models.files import open_model

WEIGHTS = ROOT / "vidcolor" / "models" / "weights"


def test_the_benchmarks_readme_is_made_from_the_results():
    from benchmarks.report import readme

    assert (ROOT / "benchmarks" / "README.md").read_text() == readme()
    for path in (ROOT / "benchmarks" / "results").glob("*.json"):
        facts = json.loads(path.read_text())["facts"]
        assert facts["machine"]
        assert facts["commit"]
        assert facts["command"].startswith("python -m benchmarks")


def test_the_engines_readme_is_made_from_the_results():
    from engines.report import readme

    assert (ROOT / "engines" / "README.md").read_text() == readme()
    for path in (ROOT / "engines" / "results").glob("*.json"):
        result = json.loads(path.read_text())
        assert result["facts"]["command"].startswith("python -m engines")
        assert result["model"] == open_model().metadata["sha256"]


def test_the_model_card_is_made_from_its_results():
    pytest.importorskip("torch")
    from training.card import card

    results = json.loads((WEIGHTS / "RESULTS.json").read_text())
    assert (WEIGHTS / "MODEL_CARD.md").read_text() == card(results)
    assert json.loads(open_model().metadata["metrics"]) == results["scores"]["model"]
    if learnt := results["learnt"]:
        assert open_model().config["temperature"] == pytest.approx(learnt["temperature"], abs=1e-4)


def test_the_shipped_integers_keep_the_colour_of_the_model_they_were_made_from():
    pytest.importorskip("openvino")
    from vidcolor.backends.openvino import OpenVINOBackend

    model = open_model()
    assert OpenVINOBackend(model, precision="int8").description.endswith("int8")  # made from this very model
    assert model.int8.with_suffix(".bin").stat().st_size < 40e6
    scores = json.loads((WEIGHTS / "RESULTS.json").read_text())["scores"]
    assert scores["model, int8"]["psnr"] > scores["model"]["psnr"] - 0.1
    share = scores["model, int8"]["colourfulness_abs"] / scores["model"]["colourfulness_abs"]
    assert share == pytest.approx(1.0, abs=0.02)


def test_every_chart_is_drawn_from_its_result(tmp_path):
    pytest.importorskip("matplotlib")
    from benchmarks.plots import CHARTS, draw_all

    def scaled(value, key=""):
        """The same result with other figures."""
        if isinstance(value, dict):
            return {k: scaled(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return value if key == "shape" else [scaled(v) for v in value]
        return 1.7 * value + 0.1 if isinstance(value, float) else value

    for folder in ("as it is", "again", "other"):
        (tmp_path / folder).mkdir()
        for name in CHARTS:
            result = json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text())
            (tmp_path / folder / f"{name}.json").write_text(json.dumps(scaled(result) if folder == "other" else result))
        draw_all(tmp_path / folder)
    for name in CHARTS:
        drawn, again, other = (
            (tmp_path / folder / f"{name}.png").read_bytes() for folder in ("as it is", "again", "other")
        )
        assert drawn == again
        assert drawn != other
        assert f"results/{name}.png" in (ROOT / "benchmarks" / "README.md").read_text()
