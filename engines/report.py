"""README.md of this folder, made from results/*.json by templates/*.md.j2 and nothing else."""

from __future__ import annotations

from pathlib import Path

from benchmarks.templating import environment, sections
from engines.profiles import PROFILES, RTX_CARDS

HERE = Path(__file__).parent
RESULTS = HERE / "results"
TEMPLATES = {name: name for name in ("build", "verify", "bench")}  # of each result, in the order of the README


def write_readme() -> None:
    (HERE / "README.md").write_text(readme())


def readme() -> str:
    templates = environment(HERE / "templates")
    templates.globals["cards"] = RTX_CARDS
    made = list(sections(templates, RESULTS, TEMPLATES))
    return templates.get_template("README.md.j2").render(profiles=PROFILES, sections=made)
