"""README.md of this folder, made from results/*.json and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.machine import RESULTS

HEAD = """# Benchmarks

Made by `python -m benchmarks report` from `results/*.json`; do not edit. Run one by `pip install -e '.[dev]'` and
`python -m benchmarks throughput` (or `memory`, `quality`), with a folder of colour clips in `--clips`. These machines
are shared: ratios are measured side by side in one run, times alone say little.
"""


def write_readme() -> None:
    (Path(__file__).parent / "README.md").write_text(readme())


def readme() -> str:
    sections = {"throughput": throughput, "memory": memory, "quality": quality}
    parts = [HEAD]
    for name, render in sections.items():
        path = RESULTS / f"{name}.json"
        if path.exists():
            result = json.loads(path.read_text())
            facts = result["facts"]
            parts.append(render(result))
            parts.append(f"`{facts['command']}`, commit {facts['commit']}, {facts['date']}, {facts['machine']}.\n")
    return "\n".join(parts)


def throughput(result: dict) -> str:
    rows = [
        [r["size"], r["preset"], f"**{r['ratio']:.2f}** ({min(r['ratios']):.2f} to {max(r['ratios']):.2f})",
         r["transcode_fps"], r["colorize_fps"], f"{r['peak_mb']['colorize']} / {r['peak_mb']['transcode']}"]
        for r in result["rows"]
    ]  # fmt: skip
    stages = list(result["rows"][0]["ms_per_frame"])
    times = [[r["size"], r["preset"], *(r["ms_per_frame"].get(s, "") for s in stages)] for r in result["rows"]]
    return (
        f"## Throughput\n\n{result['film']}; {result['rows'][0]['backend']}. Time of colouring (model loading included)"
        " / time of a plain decode and encode of the same file with x264 at the same settings.\n\n"
        + table(["size", "preset", "ratio", "transcode fps", "vidcolor fps", "peak MB, vidcolor / transcode"], rows)
        + "\n\nMilliseconds a frame that each stage was at work (three threads side by side, which share the cores with"
        " the codecs' own):\n\n" + table(["size", "preset", *stages], times) + "\n"
    )  # fmt: skip


def memory(result: dict) -> str:
    rows = [[f"{r['seconds']:g} s", r["frames"], r["peak_mb"], r["fps"]] for r in result["rows"]]
    return (
        "## Memory\n\n1080p, peak of the whole process.\n\n"
        + table(["film", "frames", "peak MB", "fps"], rows)
        + f"\n\nLong / short: **{result['growth']:.2f}**.\n"
    )


def quality(result: dict) -> str:
    rows = [
        [
            name,
            f"{m['psnr']:.2f}",
            f"{m['colourfulness_abs']:.1f}",
            f"{m['flicker']:.2f}",
            f"{m['flicker_per_colour']:.3f}",
        ]
        for name, m in result["mean"].items()
    ]
    return (
        f"## Colour and steadiness\n\n{len(result['clips'])} clips made grey, {result['frames']} frames each, means."
        " Flicker: RMS of the a\\*b\\* change along DIS flow where the luma agrees, in a\\*b\\* units.\n\n"
        + table(["", "PSNR dB", "colourfulness", "flicker", "flicker / colourfulness"], rows) + "\n"
    )  # fmt: skip


def table(head: list[str], rows: list[list]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
