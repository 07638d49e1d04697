"""Templates of the README files: what they show where a result is missing, incomplete or has no figure."""

import json

import jinja2
import pytest

from benchmarks import report
from benchmarks.templating import environment, fmt, paragraph, sections
from engines import report as engines_report

FACTS = {"command": "python -m benchmarks memory", "commit": "abc1234", "date": "2026-01-02 03:04", "machine": "a PC"}
MEMORY = {"facts": FACTS, "rows": [{"seconds": 10.0, "frames": 240, "peak_mb": 763, "fps": 20.5}], "growth": 1.018}


def test_a_section_for_each_result_that_is_there_in_order_with_its_origin(tmp_path, monkeypatch):
    (tmp_path / "memory.json").write_text(json.dumps(MEMORY))
    (tmp_path / "memory.png").write_bytes(b"")
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    told = report.readme().split("## Memory", 1)[1]
    assert told == (
        "\n\n1080p, peak of the whole process.\n\n"
        "| film | frames | peak MB | fps |\n| --- | --- | --- | --- |\n| 10 s | 240 | 763 | 20.5 |\n\n"
        "Long / short: **1.02**.\n\n![chart of memory](results/memory.png)\n\n"
        "`python -m benchmarks memory`, commit abc1234, 2026-01-02 03:04, a PC.\n"
    )


def test_a_figure_that_a_result_lacks_is_an_error(tmp_path):
    (tmp_path / "memory.json").write_text(json.dumps({"facts": FACTS, "rows": []}))
    with pytest.raises(jinja2.UndefinedError, match="growth"):
        list(sections(environment(report.HERE / "templates"), tmp_path, {"memory": "memory"}))


@pytest.mark.parametrize("module", [report, engines_report])
def test_every_template_belongs_to_a_result(module):
    files = {path.name.removesuffix(".md.j2") for path in (module.HERE / "templates").iterdir()}
    assert files - {"README", "sections"} == set(module.TEMPLATES.values())


def test_speed_of_engines_is_shown(tmp_path):
    rows = [{"backend": "rtx", "profile": "film", "pictures_per_second": 812.5}]
    result = {"facts": FACTS, "rows": rows, "not_run": {"tensorrt": "no driver", "onnx": "not installed"}}
    (tmp_path / "bench.json").write_text(json.dumps(result))
    (found,) = sections(environment(engines_report.HERE / "templates"), tmp_path, engines_report.TEMPLATES)
    assert "| rtx | film | 812.5 |" in found.text
    assert found.text.endswith("Not run: tensorrt (no driver); onnx (not installed).")


def test_numbers_and_paragraphs():
    assert [fmt(0.5, ".0%"), fmt(1.25, "+.1f"), fmt(None, ".2f")] == ["50%", "+1.2", ""]
    assert paragraph("\nOne line\n  of two.\n") == "One line of two.\n"
