"""The docs name files that are there, decisions have reasons, and their figures stand in committed results."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterator

import pytest

from tests.conftest import ROOT
from tests.test_architecture import LAYERS

DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
NOTES = ("README.md", "CONTRIBUTING.md", "SECURITY.md")
PAGES = [*(ROOT / name for name in NOTES), *sorted((ROOT / "docs").glob("*.md")), *DECISIONS]
OURS = ("vidcolor/", "training/", "benchmarks/", "engines/", "tests/", "docs/")
TO_BE_MADE = ("NAME", "TARGET")  # in recipes
FIRST_DAY = datetime.date(2026, 11, 23)


def numbers(value: object) -> Iterator[float]:
    """All numbers of a result but those of single clips, among which any figure can be found."""
    if isinstance(value, (int, float)):
        yield value
    elif isinstance(value, (list, dict)):
        for inner in [v for k, v in value.items() if k != "each"] if isinstance(value, dict) else value:
            yield from numbers(inner)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_files_that_are_named_are_there(page):
    named = re.findall(r"`([\w./-]+/[\w./-]*)`", page.read_text())
    named += re.findall(r"(?<![\w/])\w+/[\w/-]+\.(?:py|md|json|j2)", page.read_text())
    for name in named:
        if name.startswith(OURS) and not any(word in name for word in TO_BE_MADE):
            assert (ROOT / name).exists(), f"{page.name} names {name}"
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links {target}"


def test_decisions_are_numbered_and_all_linked():
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    linked = re.findall(r"- \[(.+)\]\(decisions/(.+)\)", (ROOT / "docs" / "design.md").read_text())
    titles = [(path.read_text().splitlines()[0].removeprefix("# "), path.name) for path in DECISIONS]
    assert sorted(linked) == sorted(titles)


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_a_date_a_reason_and_a_figure(path):
    title, date, *parts = re.split(r"\n\n+", path.read_text().strip())
    assert title.startswith(f"# {int(path.name[:4])}. ")
    assert datetime.date.fromisoformat(date.removeprefix("Date: ")) >= FIRST_DAY
    assert [part.split("**")[1] for part in parts] == ["Decision.", "Reason.", "Figure."]
    figure = " ".join(parts[2].split())
    results = [ROOT / name for name in re.findall(r"`([\w./-]+\.json)`", figure)]
    told = re.findall(r"(?<![\w.])-?\d+\.\d+(?![\w.])|\d+%", re.sub(r"`[^`]*`", "", figure))
    assert results or not told, f"{told} without a result"
    known = [x for result in results for x in numbers(json.loads(result.read_text()))]
    for text in told:
        number, places = float(text.removesuffix("%")), len(text.partition(".")[2])
        scale = 100 if text.endswith("%") else 1
        assert any(round(scale * x, places) == number for x in known), f"{text} is not in {results}"


def test_contributing_shows_every_room_in_the_order_of_imports():
    block = (ROOT / "CONTRIBUTING.md").read_text().split("```")[3]
    shown = re.findall(r"^  ([a-z]+)(?:/|\.py)", block.split("training/")[0], re.MULTILINE)
    rooms = [p.name for p in (ROOT / "vidcolor").iterdir() if p.is_dir() and (p / "__init__.py").exists()]
    assert set(rooms) <= set(shown)
    order = [name for name in LAYERS if name in shown]
    assert [name for name in shown if name in order[1:]] == [name for name in order if name in shown][1:]


@pytest.mark.parametrize(
    ("file", "names"),
    [
        ("vidcolor/options.py", ["CODECS", "SMOOTHERS", "BACKENDS"]),
        ("vidcolor/video/encoder.py", ["OPTIONS", "EVEN_ONLY"]),
        ("vidcolor/live/streams/settings.py", ["LIVE"]),
        ("vidcolor/temporal/smoothers.py", ["SMOOTHERS"]),
        ("vidcolor/backends/__init__.py", ["BACKENDS", "NEEDS", "candidates"]),
        ("vidcolor/cli/main.py", ["COMMANDS"]),
        ("vidcolor/cli/colorize.py", ["EPILOG"]),
        ("benchmarks/network.py", ["WAYS"]),
        ("benchmarks/temporal/run.py", ["WAYS"]),
        ("benchmarks/report.py", ["TEMPLATES"]),
        ("training/reveal.py", ["Reveal"]),
    ],
)
def test_recipes_name_what_is_there(file, names):
    text = (ROOT / file).read_text()
    recipes = (ROOT / "CONTRIBUTING.md").read_text()
    for name in names:
        assert re.search(rf"^(class |def )?{name}\b", text, re.MULTILINE), f"{file} has no {name}"
        assert f"`{name}`" in recipes
