"""Fills Markdown templates (Jinja2) from results: for the README files of benchmarks/ and engines/."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined


@dataclass(frozen=True)
class Section:
    """The text of one result, and where it comes from."""

    name: str
    text: str
    facts: Mapping[str, Any]  # machine, commit, command and date
    has_chart: bool


def environment(folder: Path) -> Environment:
    """Templates in `folder`, which may use those of benchmarks/templates; a name that a result lacks is an error."""
    loader = FileSystemLoader([folder, Path(__file__).parent / "templates"])
    made = Environment(loader=loader, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.keep_trailing_newline = True
    made.filters |= {"fmt": fmt, "paragraph": paragraph}
    return made


def sections(templates: Environment, results: Path, names: Mapping[str, str]) -> Iterator[Section]:
    """A section for each result that is there; `names` are results and their templates, in order."""
    for name, template in names.items():
        path = results / f"{name}.json"
        if path.exists():
            result = json.loads(path.read_text())
            text = templates.get_template(f"{template}.md.j2").render(result)
            yield Section(name, text.rstrip("\n"), result["facts"], (results / f"{name}.png").exists())


def fmt(value: float | None, how: str) -> str:
    """A number as Python formats it; empty where there is none."""
    return "" if value is None else format(+value, how)  # the plus makes Jinja name a value that is missing


def paragraph(text: str) -> str:
    """Lines of a template as one line of Markdown."""
    return " ".join(text.split()) + "\n"
