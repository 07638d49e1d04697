"""`python -m training`: gather, train, evaluate, hints, curve, export, quantize."""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import math
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from training.curve import curve
from training.curve import table as curve_table
from training.distributed import join, leave
from training.evaluate import baselines, evaluate
from training.gather import gather
from training.hints import hints
from training.hints import table as hints_table
from training.loop import Options, train
from training.perceptual import SqueezeNet
from training.pictures import Pictures, hold_out, open_pictures, weighted, write_npy
from training.presets import PRESETS
from training.sheet import contact_sheet, same_size, square
from training.shipping import add_commands
from training.trainer import wants_bf16
from training.weights import load_weights
from vidcolor.backends import make_backend
from vidcolor.models.files import open_model

log = logging.getLogger("training")

HELD_OUT = 200  # photographs to score on where none are named


def main(argv: list[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    if argv and argv[0].startswith("--") and argv[0] != "--help":  # `python -m training --preset ...` trains
        argv = ["train", *argv]
    args = make_parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    cv2.setNumThreads(1)  # the loader has its own threads
    try:
        return args.run(args)
    except (OSError, ModuleNotFoundError, ValueError, FloatingPointError) as error:
        print(f"training: {error}", file=sys.stderr)
        return 1


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(required=True)

    run = commands.add_parser("train", help="train a preset into a run folder; the same command again resumes")
    add_training(run)

    pack = commands.add_parser("pack", help="write pictures in the npy layout of the Kaggle set")
    pack.add_argument("--data", type=Path, nargs="+", required=True, help="tar shards or folders of pictures")
    pack.add_argument("--out", type=Path, required=True, help="folder to make; gets l/ and ab/")
    pack.add_argument("--side", type=int, default=224, help="pixels (default: %(default)s)")
    pack.add_argument("--part", type=int, default=10_000, help="pictures in one ab file (default: %(default)s)")
    pack.add_argument("--limit", type=int, help="use only so many pictures")
    pack.add_argument("--min-chroma", type=float, default=0.0, help="leave out what is greyer (default: %(default)s)")
    pack.set_defaults(run=run_pack)

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

    add_commands(commands)

    told = commands.add_parser("hints", help="what knowing some of the colours is worth: points, the whole truth")
    add_measuring(told)
    told.set_defaults(run=run_hints)

    points = commands.add_parser("curve", help="PSNR over colourfulness of plain decodings, by which networks compare")
    add_measuring(points)
    points.set_defaults(run=run_curve)
    return parser


def add_measuring(command: argparse.ArgumentParser) -> None:
    command.add_argument("--weights", "--model", type=Path, help="average.safetensors of a run, or an ONNX file "
                         "(default: the shipped one)")  # fmt: skip
    command.add_argument("--val", type=Path, nargs="+", required=True, help="tar shards to score on, each by itself")
    command.add_argument("--limit", type=int, help="use only so many photographs of each")
    command.add_argument("--out", type=Path, help="JSON file to write")


def add_training(run: argparse.ArgumentParser) -> None:
    data = run.add_argument_group("data")
    data.add_argument("--data", type=Path, nargs="+", required=True, help="tar shards, folders, or one npy folder")
    data.add_argument("--val", type=Path, nargs="+", help="photographs to score on, the same ways "
                      "(default: some of --data, set aside)")  # fmt: skip
    data.add_argument("--set-aside", type=int, help="score on so many of --data, which are then not trained on")
    data.add_argument("--min-chroma", type=float, default=6.0, help="leave out what is greyer (default: %(default)s)")
    data.add_argument("--parts", type=int, nargs="+", help="ab files of an npy folder to use, from 1 (default: all)")
    data.add_argument("--by-part", action="store_true", help="go through one part after the other: least memory")
    data.add_argument("--keep", choices=("auto", "device", "memory", "stream"), default="auto",
                      help="where decoded photographs lie; stream: nowhere (default: whichever fits)")  # fmt: skip
    data.add_argument("--limit", type=int, help="use only so many photographs")
    data.add_argument("--val-limit", type=int, help="score on only so many")
    how = run.add_argument_group("run")
    how.add_argument("--preset", choices=PRESETS, default="default")
    how.add_argument("--out", type=Path, required=True, help="run folder")
    how.add_argument(
        "--init", type=Path, help="model file (ONNX) to start from, or a run's average.safetensors to go on from"
    )
    how.add_argument("--anew", action="store_true", help="begin at step 0 with the weights of --init")
    how.add_argument("--steps", type=int, help="instead of the preset's")
    how.add_argument("--score-every", type=int, help="steps, instead of the preset's")
    how.add_argument("--time-limit", type=float, default=math.inf, help="minutes, then save and stop")
    how.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    how.add_argument("--precision", choices=("auto", "bf16", "fp32"), default="auto",
                     help="auto: bf16 where it is faster (default)")  # fmt: skip
    how.add_argument("--compile", action="store_true", help="torch.compile: a slow first step, then faster on a GPU")
    how.add_argument("--save-every", type=float, default=180.0, help="seconds (default: %(default)s)")
    how.add_argument("--log-every", type=int, default=50, help="steps (default: %(default)s)")
    how.add_argument("--sample-every", type=int, default=500, help="steps (default: %(default)s)")
    how.add_argument("--keep-weights", action="store_true", help="keep the averaged weights of every scoring")
    run.set_defaults(run=run_train)


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
    group = join(args.device)
    try:
        asked = {"steps": args.steps, "score_every": args.score_every}
        preset = dataclasses.replace(PRESETS[args.preset], **{k: v for k, v in asked.items() if v})
        photos = open_pictures(
            args.data,
            min_chroma=args.min_chroma,
            parts=args.parts,
            limit=args.limit,
            decoded={"auto": None, "stream": False}.get(args.keep, True),
        )
        if args.set_aside:
            photos, aside = hold_out(photos, args.set_aside)
            held_out = same_size(aside)
        elif args.val:
            held_out = same_size(open_pictures(args.val, limit=args.val_limit)[:])
        else:
            photos, aside = hold_out(photos, min(args.val_limit or HELD_OUT, len(photos) // 10))
            held_out = same_size(aside)
        photos = weighted(photos, preset.weights) if preset.weights else photos
        log.info("%d photographs to train on, %d to score on", len(photos), len(held_out))
        options = Options(
            device=args.device,
            bf16=wants_bf16(args.device) if args.precision == "auto" else args.precision == "bf16",
            compiled=args.compile,
            resident=args.keep == "device" or (args.keep == "auto" and fits_on(args.device, photos)),
            by_part=args.by_part,
            time_limit=args.time_limit * 60,
            save_every=args.save_every,
            log_every=args.log_every,
            sample_every=args.sample_every,
            keep=args.keep_weights,
            init=args.init,
            anew=args.anew,
        )
        done = train(preset, photos, held_out, args.out, options, group)
        log.info("finished" if done else "stopped by the time limit; run the same command to go on")
    finally:
        leave(group)
    return 0


def fits_on(device: str, photos: Pictures) -> bool:
    """Whether `photos` take at most half of what is free on a GPU; a CPU's memory they are in already."""
    if not device.startswith("cuda"):
        return False
    return photos[0].nbytes * len(photos) < 0.5 * torch.cuda.mem_get_info()[0]


def run_pack(args: argparse.Namespace) -> int:
    if args.out.exists():
        raise ValueError(f"{args.out}: exists; choose another folder")
    photos = open_pictures(args.data, limit=args.limit, min_chroma=args.min_chroma, decoded=False)
    parts = write_npy(photos, args.out, side=args.side, part=args.part)
    log.info("%d pictures in %d parts", len(photos), parts)
    return 0


def run_evaluate(args: argparse.Namespace) -> int:
    photos = open_pictures(args.val)[:]
    backend, why = make_backend(args.backend, open_model(args.model))
    log.info("%s (%s), %d photographs", backend.description, why, len(photos))
    features = SqueezeNet()
    rows = baselines(photos, features) | {"model": evaluate(photos, backend.predict, features=features)}
    print(json.dumps({name: row.to_dict() for name, row in rows.items()}, indent=2))
    if args.sheet:
        Image.fromarray(contact_sheet(photos, backend.predict, rows=8, side=112)).save(args.sheet, quality=85)
    return 0


def run_hints(args: argparse.Namespace) -> int:
    generator, sets = load_weights(args.weights), open_sets(args)
    return tell(args, {name: hints(generator, photos) for name, photos in sets.items()}, hints_table)


def run_curve(args: argparse.Namespace) -> int:
    found = curve(load_weights(args.weights), open_sets(args))
    return tell(args, {"plain decodings": found}, curve_table)


def open_sets(args: argparse.Namespace) -> dict[str, list[np.ndarray]]:
    """The centre squares of each of --val, by the file's name."""
    return {p.stem: [square(x, 256) for x in open_pictures([p], limit=args.limit)] for p in args.val}


def tell(args: argparse.Namespace, found: dict[str, dict], table: Callable[[dict], str]) -> int:
    """Figures as tables, and as JSON into --out."""
    for name, figures in found.items():
        print(f"{name}\n{table(figures)}\n")
    if args.out:
        facts = {"weights": args.weights.name if args.weights else "shipped", "threads": torch.get_num_threads()}
        args.out.write_text(json.dumps(facts | found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
