"""README.md of this folder, made from results/*.json by templates/*.md.j2 and nothing else."""

from __future__ import annotations

from pathlib import Path

from benchmarks.machine import RESULTS
from benchmarks.templating import environment, sections
from benchmarks.throughput import SIZES

HERE = Path(__file__).parent
TEMPLATES = {  # of each result, in the order of the README
    "throughput": "throughput",
    **{f"throughput-{size}": "one_size" for size in SIZES},
    "network": "network",
    "int8": "int8",
    "peers": "peers",
    "segments": "segments",
    "resume": "resume",
    "fuzz": "fuzz",
    "soak": "soak",
    "memory": "memory",
    "quality": "quality",
    "temporal": "temporal",
    "references": "references",
    "cover": "cover",
    "shots": "shots",
    "upsampling": "upsampling",
    "live": "live",
}


def write_readme() -> None:
    (HERE / "README.md").write_text(readme())


def readme() -> str:
    templates = environment(HERE / "templates")
    return templates.get_template("README.md.j2").render(sections=list(sections(templates, RESULTS, TEMPLATES)))
