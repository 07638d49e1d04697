"""`python -m training`: train, evaluate, export."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import math
import sys
from pathlib import Path

import cv2
import torch

from training.data import load_photos
from training.loop import train
from training.presets import PRESETS


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("train", help="train a preset into a run folder; the same command again resumes")
    run.add_argument("--preset", choices=PRESETS, default="default")
    run.add_argument("--data", type=Path, nargs="+", required=True, help="tar shards of photographs")
    run.add_argument("--val", type=Path, nargs="+", required=True, help="tar shards to score on")
    run.add_argument("--out", type=Path, required=True, help="run folder")
    run.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    run.add_argument("--steps", type=int, help="instead of the preset's")
    run.add_argument("--time-limit", type=float, default=math.inf, help="minutes, then save and stop")
    run.add_argument("--limit", type=int, help="use only so many photographs")
    args = parser.parse_args(argv)

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    cv2.setNumThreads(1)  # the loader has its own threads
    preset = PRESETS[args.preset]
    if args.steps:
        preset = dataclasses.replace(preset, steps=args.steps)
    photos, held_out = load_photos(args.data, args.limit), load_photos(args.val)
    logging.info("%d photographs to train on, %d to score on", len(photos), len(held_out))
    done = train(preset, photos, held_out, args.out, device=args.device, time_limit=args.time_limit * 60)
    logging.info("finished" if done else "stopped by the time limit; run the same command to go on")
    return 0


if __name__ == "__main__":
    sys.exit(main())
