"""`python -m training`: gather, train, evaluate, export."""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import math
import sys
from pathlib import Path

import cv2
import torch

from training import checkpoint
from training.card import facts_of, write_card
from training.data import load_photos
from training.decoding import choose, sweep
from training.evaluate import baselines, evaluate
from training.export import export_onnx
from training.gather import gather
from training.loop import train
from training.presets import PRESETS
from training.sheet import contact_sheet
from vidcolor.backends import make_backend
from vidcolor.model import BinsGenerator, GeneratorConfig, UNet, build
from vidcolor.weights import open_model

log = logging.getLogger("training")


def main(argv: list[str] | None = None) -> int:
    parser = make_parser()
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    cv2.setNumThreads(1)  # the loader has its own threads
    try:
        return args.run(args)
    except (FileNotFoundError, ModuleNotFoundError, ValueError, FloatingPointError) as error:
        print(f"training: {error}", file=sys.stderr)
        return 1


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(required=True)

    run = commands.add_parser("train", help="train a preset into a run folder; the same command again resumes")
    run.add_argument("--preset", choices=PRESETS, default="default")
    run.add_argument("--data", type=Path, nargs="+", required=True, help="tar shards of photographs")
    run.add_argument("--val", type=Path, nargs="+", required=True, help="tar shards to score on")
    run.add_argument("--out", type=Path, required=True, help="run folder")
    run.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    run.add_argument("--steps", type=int, help="instead of the preset's")
    run.add_argument("--time-limit", type=float, default=math.inf, help="minutes, then save and stop")
    run.add_argument("--limit", type=int, help="use only so many photographs")
    run.set_defaults(run=run_train)

    more = commands.add_parser("gather", help="pack folders of pictures into a shard, without grey ones and duplicates")
    more.add_argument("--source", type=labelled, nargs="+", required=True, metavar="LABEL=FOLDER")
    more.add_argument(
        "--training", type=Path, nargs="*", default=[], help="tar shards that the new one must not repeat"
    )
    more.add_argument("--val", type=Path, nargs="*", default=[], help="tar shards to stay well away from")
    more.add_argument("--cap", type=int, default=2000, help="most photographs from one source (default: %(default)s)")
    more.add_argument("--out", type=Path, required=True, help="tar file to write")
    more.set_defaults(run=run_gather)

    test = commands.add_parser("evaluate", help="score a model file, beside grey and the truth")
    test.add_argument("--model", type=Path, help="ONNX file; default: the shipped one")
    test.add_argument("--backend", default="auto")
    test.add_argument("--val", type=Path, nargs="+", required=True, help="tar shards to score on")
    test.add_argument("--sheet", type=Path, help="write a contact sheet grey | ours | truth here")
    test.set_defaults(run=run_evaluate)

    out = commands.add_parser("export", help="choose the decoding by figures and write ONNX file and model card")
    out.add_argument("--run-folder", type=Path, required=True)
    out.add_argument("--val", type=Path, nargs="+", required=True, help="tar shards to choose and score on")
    out.add_argument("--psnr", type=float, default=23.2, help="least PSNR the decoding may have; colour comes next")
    out.add_argument("--out", type=Path, required=True, help="ONNX file; MODEL_CARD.md and results go beside it")
    out.set_defaults(run=run_export)
    return parser


def labelled(text: str) -> tuple[str, Path]:
    label, _, folder = text.partition("=")
    if not (label.isalnum() and folder and Path(folder).is_dir()):
        raise argparse.ArgumentTypeError(
            f"{text}: not LABEL=FOLDER with letters and digits before a folder that is there"
        )
    return label, Path(folder)


def run_gather(args: argparse.Namespace) -> int:
    found = gather(dict(args.source), args.out, training=args.training, evaluation=args.val, cap=args.cap)
    print(json.dumps(dict(found.most_common()), indent=2))
    return 0


def run_train(args: argparse.Namespace) -> int:
    preset = PRESETS[args.preset]
    if args.steps:
        preset = dataclasses.replace(preset, steps=args.steps)
    photos, held_out = load_photos(args.data, args.limit), load_photos(args.val)
    log.info("%d photographs to train on, %d to score on", len(photos), len(held_out))
    done = train(preset, photos, held_out, args.out, device=args.device, time_limit=args.time_limit * 60)
    log.info("finished" if done else "stopped by the time limit; run the same command to go on")
    return 0


def run_evaluate(args: argparse.Namespace) -> int:
    photos = load_photos(args.val)
    backend, why = make_backend(args.backend, open_model(args.model))
    log.info("%s (%s), %d photographs", backend.description, why, len(photos))
    rows = baselines(photos) | {"model": evaluate(photos, backend.predict)}
    print(json.dumps({name: row.to_dict() for name, row in rows.items()}, indent=2))
    if args.sheet:
        cv2.imwrite(str(args.sheet), contact_sheet(photos, backend.predict), [cv2.IMWRITE_JPEG_QUALITY, 88])
    return 0


def run_export(args: argparse.Namespace) -> int:
    photos = load_photos(args.val)
    generator, step = load_run(args.run_folder)
    chosen, curve = None, []
    if isinstance(generator, BinsGenerator):
        for point in sweep(generator, photos):
            log.info("%s", {k: v for k, v in point.to_dict().items() if k != "halves"})
            curve.append(point)
        chosen = choose(curve, args.psnr)
        keep = ("temperature", "prior_correction", "saturation")
        generator.config = dataclasses.replace(generator.config, **{k: getattr(chosen, k) for k in keep})
        for half in (0, 1):
            crossed = choose(curve, args.psnr, half=half).halves[1 - half]
            log.info("chosen on one half of the photographs, scored on the other: %s", crossed.to_dict())
    scores = {name: row.to_dict() for name, row in baselines(photos).items()}
    export_onnx(generator, args.out, facts_of(args.run_folder, step, {}))  # scored as it will be run
    scores["model"] = evaluate(photos, make_backend("openvino", open_model(args.out))[0].predict).to_dict()
    export_onnx(generator, args.out, facts_of(args.run_folder, step, scores["model"]))
    write_card(args.out, args.run_folder, step, scores, [p.to_dict() for p in curve], args.psnr)
    print(json.dumps(scores, indent=2))
    return 0


def load_run(folder: Path) -> tuple[BinsGenerator | UNet, int]:
    """The averaged generator of a run folder and the step it is from."""
    state = checkpoint.load(folder / "last.pt")
    if state is None:
        raise FileNotFoundError(f"{folder}: holds no last.pt; train into it first")
    config = GeneratorConfig.from_dict(json.loads((folder / "options.json").read_text())["generator"])
    generator = build(config)
    generator.load_state_dict(state["average"])
    return generator.eval(), state["step"]


if __name__ == "__main__":
    sys.exit(main())
