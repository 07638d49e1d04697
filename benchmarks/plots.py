"""Charts of the results, for README.md."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

PAGE = {"dpi": 96, "pil_kwargs": {"optimize": True}}
TRUTH = 0.8  # of the truth's flicker: the aim


def draw_all(results: Path) -> None:
    """Write NAME.png beside each NAME.json that has a chart."""
    for name, chart in CHARTS.items():
        if (path := results / f"{name}.json").exists():
            chart(json.loads(path.read_text())).savefig(path.with_suffix(".png"), **PAGE)  # type: ignore[arg-type]


def throughput(result: dict) -> Figure:
    """Frames a second: the codecs' limits, a plain transcode, and colouring."""
    rows = result["rows"]
    names = [f"{r['size']}\n{r['preset']}" for r in rows]
    bars = {
        "encode only": [r["limits_fps"]["encode"] for r in rows],
        "transcode": [r["transcode_fps"] for r in rows],
        "vidcolor": [r["colorize_fps"] for r in rows],
    }
    page, axes = sheet("frames a second, x264")
    grouped(axes, names, bars)
    axes.set_yscale("log")
    page.legend(loc="outside lower center", ncols=3, fontsize=9, frameon=False)
    return page


def network(result: dict) -> Figure:
    """Pictures a second of each way at the first shape."""
    shape = result["rows"][0]["shape"]
    rows = [r for r in result["rows"] if r["shape"] == shape]
    page, axes = sheet(f"pictures a second, {' x '.join(map(str, shape))}")
    axes.barh([r["way"] for r in rows][::-1], [r["pictures_per_second"] for r in rows][::-1], color="C0")
    return page


def temporal(result: dict) -> Figure:
    """Flicker over colourfulness of every clip, as a multiple of the truth's."""
    ways = [name for name in ("unsmoothed", "flow", "lookahead") if name in result["each"]]
    page, axes = sheet("flicker / colourfulness, multiple of the truth's", height=3.6)
    grouped(axes, result["clips"], {w: [r["flicker_to_truth"] for r in result["each"][w]] for w in ways})
    axes.axhline(TRUTH, color="grey", linestyle=":")
    axes.tick_params(axis="x", rotation=40)
    page.legend(loc="outside lower center", ncols=3, fontsize=9, frameon=False)
    return page


def sheet(title: str, *, height: float = 3.0):
    page = Figure(figsize=(9, height), layout="constrained")
    axes = page.add_subplot()
    axes.set_title(title, fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    return page, axes


def grouped(axes, names: list[str], bars: dict[str, list[float]]) -> None:
    """One group a name, one bar of each kind in it."""
    width = 0.8 / len(bars)
    for i, (kind, heights) in enumerate(bars.items()):
        axes.bar(np.arange(len(names)) + (i - (len(bars) - 1) / 2) * width, heights, width, label=kind)
    axes.set_xticks(np.arange(len(names)), names, fontsize=9)


CHARTS = {"throughput": throughput, "network": network, "temporal": temporal}
