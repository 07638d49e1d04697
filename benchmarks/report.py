"""README.md of this folder, made from results/*.json and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from benchmarks.machine import RESULTS
from benchmarks.throughput import SIZES

HEAD = """# Benchmarks

Made by `python -m benchmarks report` from `results/*.json`; do not edit. Run one by `pip install -e '.[dev]'` and
`python -m benchmarks throughput` (or `memory`, `quality`, `temporal`), with a folder of colour clips in `--clips`.
These machines are shared: ratios are measured side by side in one run, times alone say little.
"""


def write_readme() -> None:
    (Path(__file__).parent / "README.md").write_text(readme())


def readme() -> str:
    sections = {
        "throughput": throughput,
        **{f"throughput-{size}": one_size for size in SIZES},
        "network": network,
        "int8": int8,
        "peers": peers,
        "memory": memory,
        "quality": quality,
        "temporal": temporal,
        "shots": shots,
        "upsampling": upsampling,
        "live": live,
    }
    return "\n".join([HEAD, *rendered(RESULTS, sections)])


def rendered(folder: Path, sections: Mapping[str, Callable[[dict], str]]) -> Iterator[str]:
    """A section for each result in `folder` that is there, and where it comes from."""
    for name, render in sections.items():
        path = folder / f"{name}.json"
        if path.exists():
            result = json.loads(path.read_text())
            facts = result["facts"]
            yield render(result)
            if (folder / f"{name}.png").exists():
                yield f"![chart of {name}](results/{name}.png)\n"
            yield f"`{facts['command']}`, commit {facts['commit']}, {facts['date']}, {facts['machine']}.\n"


def throughput(result: dict) -> str:
    rows = [
        [r["size"], r["preset"], r["frames"],
         f"**{r['ratio']:.2f}** ({min(r['ratios']):.2f} to {max(r['ratios']):.2f})", f"{r['cpu_ratio']:.2f}",
         f"{r['ratio_in_colour']:.2f}", r["colorize_fps"], r["transcode_fps"],
         *(r["limits_fps"][n] for n in ("decode", "encode")),
         f"{r['predicted']:.0%}", f"{r['peak_mb']['colorize']} / {r['peak_mb']['transcode']}"]
        for r in result["rows"]
    ]  # fmt: skip
    stages = list(result["rows"][0]["ms_per_frame"])
    times = [[r["size"], r["preset"], *(r["ms_per_frame"].get(s, "") for s in stages)] for r in result["rows"]]
    return (
        f"## Throughput\n\n{result['film']}; {result['rows'][0]['backend']}. Time of colouring (model loading included)"
        " / time of a plain decode and encode of the same grey file with x264 at the same crf and preset, which keeps"
        " x264's own chroma settings (ours are in docs/design.md); the same for CPU seconds of all threads, which other"
        " work on the machine disturbs less; and the ratio to the time of the same"
        " clips with their own colour, because colour costs an encoder time as well, whoever makes it.\n\n"
        + table(["size", "preset", "frames", "ratio", "CPU time", "to colour's", "vidcolor fps", "transcode fps",
                 "decode only", "encode only", "frames predicted", "peak MB, vidcolor / transcode"], rows)
        + "\n\nMilliseconds a frame that each stage was at work (three threads side by side, which share the cores with"
        " the codecs' own):\n\n" + table(["size", "preset", *stages], times) + "\n"
    )  # fmt: skip


def one_size(result: dict) -> str:
    rows = [
        [r["size"], r["preset"], r["frames"], f"**{r['ratio']:.3f}**", ", ".join(f"{x:.3f}" for x in r["ratios"]),
         f"{r['cpu_ratio']:.3f}", f"{r['ratio_in_colour']:.3f}"]
        for r in result["rows"]
    ]  # fmt: skip
    return (
        f"### {result['rows'][0]['size']} more often\n\nThe same in more runs, because other work on the machine"
        " moves the ratio of a single one by several per cent.\n\n"
        + table(["size", "preset", "frames", "ratio", "of each run", "CPU time", "to colour's"], rows)
        + "\n"
    )


def live(result: dict) -> str:
    rows = [
        [r["path"], r["size"], r["camera_fps"], f"**{r['fps']:.1f}**", r["frames"],
         *(f"{r['latency_ms'][p]:.0f}" for p in ("p50", "p95", "p99"))]
        for r in result["rows"]
    ]  # fmt: skip
    text = (
        "## Live\n\nFrom a clock burnt into the camera's picture to the same clock read from what is shown: in the"
        " window (drawn by SDL on a display that is not there), and in headless Chromium on the same cores, there and"
        " back over WebRTC. Milliseconds.\n\n"
        + table(["path", "size", "camera fps", "shown fps", "frames", "p50", "p95", "p99"], rows)
        + "\n"
    )
    if soak := result.get("soak"):
        text += (
            f"\nA stream with sound for {soak['minutes']:g} minutes ({soak['way']}): {soak['received']} of"
            f" {soak['sent']} frames came back, {soak['dropped']} were dropped on the way, the rest were sent before"
            f" the program had started; memory {soak['memory_mb']['first']} MB after a minute and"
            f" {soak['memory_mb']['last']} MB at the end; sound against picture moved by"
            f" {soak['drift_ms']['stamps']:.1f} ms by the time stamps and {soak['drift_ms']['arrival']:.1f} ms on"
            " arrival.\n"
        )
    return text


def network(result: dict) -> str:
    rows = [
        [r["way"], "x".join(map(str, r["shape"])), r["pictures_per_second"], f"**{r['times_eager']:.2f}**", r["gmac"],
         f"{r['share_of_roof']:.0%}"]
        for r in result["rows"]
    ]  # fmt: skip
    return (
        "## Network\n\nPictures a second, medians of rounds in which every way is measured once. Eager: PyTorch in fp32"
        " at the same shape, in the same round. Roof: GMAC/s of a 2048 x 2048 matrix product on the same cores, "
        + " and ".join(f"{v:g} in {k}" for k, v in result["roof_gmac_per_second"].items())
        + "; Winograd's 3x3 convolutions need fewer than are counted, so a share above 100 % is possible.\n\n"
        + table(["way", "batch x height x width", "pictures / s", "times eager", "GMAC a picture", "of the roof"], rows)
        + "\n\nNot run: " + "; ".join(f"{k} ({v})" for k, v in result["not_run"].items()) + ".\n"
    )  # fmt: skip


def int8(result: dict) -> str:
    shapes = list(result["rows"][0]["pictures_per_second"])
    rows = [[r["way"], r["psnr"], r["colourfulness_abs"], *r["pictures_per_second"].values()] for r in result["rows"]]
    return (
        "## 8-bit integers\n\nThe shipped file of 8-bit integers (`python -m training quantize`), which OpenVINO runs"
        " where the processor computes in no bf16, beside the network it was made from, and plainer quantisations,"
        f" calibrated on {result['calibration']} photographs; scored on the {result['pictures']} pictures of val.tar;"
        f" pictures a second at {' and '.join(shapes)}. It may lose 0.1 dB and 2 % of colourfulness.\n\n"
        + table(["", "PSNR dB", "colourfulness", *shapes], rows) + "\n"
    )  # fmt: skip


def peers(result: dict) -> str:
    rows = [[r["name"], r["parameters_m"], r["gmac"], r["input"], r["pictures_per_second"]] for r in result["rows"]]
    ours = result["vidcolor"]
    files = [[f"frames as {f['image']} files, without any network", f["frames"], round(f["total"], 1),
              round(f["peak_bytes"] / 1e6)] for f in result["frame_by_frame"]]  # fmt: skip
    return (
        "## Beside others\n\nNetworks of other colourisers' architecture and size with random weights, for speed only;"
        " fp32 where nothing else is said.\n\n"
        + table(["network", "M parameters", "GMAC", "input", "pictures / s"], rows)
        + "\n\nThe way through RGB files on disk, without a network, and all of vidcolor, with one; 1080p, x264.\n\n"
        + table(["way", "frames", "seconds", "MB on disk"], [*files, ["vidcolor", ours["frames"], ours["seconds"], 0]])
        + "\n"
    )


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
            f"{m['predicted']:.0%}" if m.get("predicted") else "",
        ]
        for name, m in result["mean"].items()
    ]
    return (
        f"## Colour and steadiness\n\n{len(result['clips'])} clips made grey, {result['frames']} frames each, means."
        " Flicker: RMS of the a\\*b\\* change along DIS flow where the luma agrees, in a\\*b\\* units.\n\n"
        + table(["", "PSNR dB", "colourfulness", "flicker", "flicker / colourfulness", "frames predicted"], rows) + "\n"
    )  # fmt: skip


STEADINESS = [  # column, key, format
    ("PSNR dB", "psnr", ".2f"),
    ("colourfulness", "colourfulness", ".1f"),
    ("its abs() variant", "colourfulness_abs", ".1f"),
    ("CDC x 1000", "cdc", ".2f"),
    ("off the truth's", "cdc_off", ".2f"),
    ("warp error x 1000", "warp_error", ".3f"),
    ("flicker", "flicker", ".2f"),
    ("flicker / colourfulness", "flicker_per_colour", ".3f"),
    ("that / the truth's", "flicker_to_truth", ".2f"),
    ("clips at most 0.8", "steady_clips", "d"),
    ("frames predicted", "predicted", ".0%"),
]
PLACES = [
    ("after cuts", "cut_early", ".2f"),
    ("later", "cut_late", ".2f"),
    ("ratio", "cut_lag", ".3f"),
    ("first frame, dB", "cut_first_db", "+.2f"),
    ("new in view", "new_error", ".2f"),
    ("others", "old_error", ".2f"),
    ("ratio", "new_lag", ".3f"),
    ("near edges", "edge_error", ".2f"),
    ("away", "flat_error", ".2f"),
    ("ratio", "bleeding", ".3f"),
    ("width of edges", "edge_excess", ".3f"),
]


def temporal(result: dict) -> str:
    def rows(columns: list[tuple[str, str, str]]) -> str:
        cells = [[name, *(shown(m.get(key), how) for _, key, how in columns)] for name, m in result["mean"].items()]
        return table(["", *(head for head, _, _ in columns)], cells)

    size, took = result["smoother_ms"]["size"], {k: v for k, v in result["smoother_ms"].items() if k != "size"}
    each = zip(result["clips"], *result["each"].values(), strict=True)
    return (
        f"## Steadiness\n\n{len(result['clips'])} clips made grey, at most {result['frames']} frames each, at half"
        " their size (CDC: at full size); means over clips. Nothing is measured across cuts. Flow: DIS, medium preset,"
        " on the truth's luma. Flicker: as above. CDC: after TCVC; warp error: after Lai et al. 2018.\n\n"
        + rows(STEADINESS)
        + f"\n\nMilliseconds a frame of the smoother alone, small picture of {' x '.join(map(str, size))}, one core: "
        + ", ".join(f"{name} {ms:.2f}" for name, ms in took.items())
        + "."
        + "\n\nWhere colour has to be found anew, and where it ends. Errors are mean distances to the truth's a\\*b\\*:"
        " in the first 5 frames after a cut and later in the shot; of pixels that came into view in the last 5 frames"
        " and of others; within 3 pixels of edges of the luma and farther away. First frame: its PSNR less its shot's."
        " Frames and pixels may be harder in themselves: compare with unsmoothed. Width of edges: slope of a\\*b\\*"
        " beside edges over that on them, 0 is sharp, 1 is wide.\n\n"
        + rows(PLACES)
        + "\n\nFlicker over colourfulness, that / the truth's, clip by clip:\n\n"
        + table(["", *result["each"]], [[clip, *(shown(r["flicker_to_truth"], ".2f") for r in f)] for clip, *f in each])
        + "\n\n"
        + "\n\n".join(
            f"![{kind} of one clip](../docs/gallery/{kind}-film_faces_cuts.png)" for kind in ("flicker", "xt")
        )
        + "\n"
    )


def shown(value: float | None, how: str) -> str:
    return "" if value is None else format(value, how)


def upsampling(result: dict) -> str:
    rows = [[r["way"], r["near"], r["away"], r["ms"]] for r in result["rows"]]
    return (
        "## Enlargement\n\nThe truth's own a\\*b\\*, averaged down to the network's grid and enlarged again under the"
        f" full luma; mean distance to the truth in {result['frames']} frames of each of {len(result['clips'])} clips,"
        " within 3 pixels of edges of the luma and farther away. Milliseconds to the chroma of a 1080p frame, on one"
        " thread.\n\n" + table(["", "near edges", "away", "ms"], rows) + "\n"
    )


def shots(result: dict) -> str:
    names = list(result["rows"][0]["detectors"])
    rows = [
        [r["clips"], r["joints"], r["fault"],
         *(f"{d['f1']:.3f} ({d['precision']:.2f} / {d['recall']:.2f}), {d['false']}"
           for d in (r["detectors"][n] for n in names))]
        for r in result["rows"]
    ]  # fmt: skip
    rows.append(["", "", "ms a frame", *(result["ms"][n] for n in names)])
    tuned = ", ".join(f"{name} {threshold:g}" for name, threshold in result["thresholds"].items())
    return (
        "## Shots\n\nF1 (precision / recall) and the number of false starts on films spliced from clips, with cuts that"
        " are known to the frame. Where joints are dissolves of 8 to 24 frames (seven in ten of them), one counts as"
        " found within half its length of its middle, and the causal detector is not made to find it. Seeds"
        f" {result['seeds']}, {result['pieces']} pieces a film. Constants were chosen on"
        f" {', '.join(result['tuned_on']['clips'])} and on other seeds; \"unseen\" are the other five clips. Faults:"
        " camera flashes of 1 to 3 frames, brightness flicker of 15 %, gate weave of 4 pixels of 384, grain, scratches"
        " and specks; old film has all but the flashes. PySceneDetect"
        f" {result['pyscenedetect'] or '(not installed)'} on luma alone, as shipped and with thresholds chosen like"
        f" ours ({tuned or 'none'}) and scenes of at least 4 frames.\n\n"
        + table(["clips", "joints", "fault", *names], rows) + "\n"
    )  # fmt: skip


def table(head: list[str], rows: list[list]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
