"""`python -m training`: gather, train, evaluate, export, quantize."""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import math
import shutil
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

from training.card import facts_of, write_card, write_results
from training.decoding import learn, sweep
from training.distributed import join, leave
from training.evaluate import baselines, evaluate
from training.export import export_onnx, export_safetensors
from training.gather import gather
from training.loop import Options, train
from training.perceptual import SqueezeNet
from training.pictures import Pictures, hold_out, open_pictures, weighted, write_npy
from training.presets import PRESETS
from training.runs import load_checkpoint
from training.sheet import contact_sheet, square
from training.trainer import wants_bf16
from vidcolor.backends import make_backend
from vidcolor.backends.pytorch import load_generator
from vidcolor.models.files import ModelFile, open_model
from vidcolor.models.generators import BinsGenerator, GeneratorConfig, UNet, build

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

    out = commands.add_parser("export", help="learn the decoding, write ONNX file and model card")
    out.add_argument("--run-folder", type=Path, required=True)
    out.add_argument("--weights", type=Path, help="one of the run's kept weights (default: the newest)")
    out.add_argument(
        "--fit", type=Path, nargs="+", help="photographs to learn the decoding on, neither --data nor --val"
    )
    out.add_argument("--decoding", type=Path, help="ONNX file whose learnt decoding to take over, instead of --fit")
    out.add_argument("--colour", type=float, default=0.7, help="share of the truth's colourfulness that the decoding "
                     "aims at (default: %(default)s)")  # fmt: skip
    out.add_argument("--val", type=Path, nargs="+", required=True, help="photographs to score on")
    out.add_argument("--beside", type=labelled_file, nargs="*", default=[], metavar="LABEL=FILE",
                     help="model files to score beside it")  # fmt: skip
    out.add_argument("--out", type=Path, required=True, help="ONNX file; MODEL_CARD.md and results go beside it")
    out.add_argument("--before", type=Path, help="RESULTS.json of the model that the run started from")
    out.add_argument("--safetensors", type=Path, help="write the weights here too, unfolded, to train on from")
    out.set_defaults(run=run_export)

    small = commands.add_parser("quantize", help="write the model in 8-bit integers beside it, for CPUs without bf16")
    small.add_argument("--model", type=Path, help="ONNX file; default: the shipped one")
    small.add_argument(
        "--calibration", type=Path, nargs="+", required=True, help="photographs that give the range of every layer"
    )
    small.add_argument("--count", type=int, default=300, help="use only so many of them (default: %(default)s)")
    small.add_argument("--val", type=Path, nargs="+", required=True, help="photographs to score on")
    small.set_defaults(run=run_quantize)
    return parser


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


def labelled_file(text: str) -> tuple[str, Path]:
    label, _, file = text.partition("=")
    if not (label and file and Path(file).is_file()):
        raise argparse.ArgumentTypeError(f"{text}: not LABEL=FILE with a file that is there")
    return label, Path(file)


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


def same_size(photos: list[np.ndarray]) -> list[np.ndarray]:
    """Photographs as they are where all have one size, else their centre squares at 256 pixels."""
    return photos if len({p.shape for p in photos}) == 1 else [square(p, 256) for p in photos]


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


def run_export(args: argparse.Namespace) -> int:
    photos = same_size(open_pictures(args.val)[:])
    features = SqueezeNet()
    generator, step = load_run(args.run_folder, args.weights)
    before = json.loads(args.before.read_text()) if args.before else None
    learnt, curve = None, []
    if isinstance(generator, BinsGenerator):
        if args.decoding:
            if args.fit or not (before and before["learnt"]):
                raise ValueError("--decoding: goes without --fit, and with --before, which tells how it was learnt")
            take_decoding(generator, args.decoding)
            learnt = before["learnt"] | {"taken_over": True}
        if args.fit:
            learnt = learn(generator, same_size(open_pictures(args.fit)[:]), args.colour)
            log.info("learnt the decoding: %s", learnt)
        curve = [point.to_dict() for point in sweep(generator, photos)]
    scores = {name: row.to_dict() for name, row in baselines(photos, features).items()}
    export_onnx(generator, args.out, facts_of(args.run_folder, step, {}))  # scored as it will be run
    files = dict(args.beside) | {"model": args.out}
    for label, file in files.items():
        backend, _ = make_backend("openvino", open_model(file))
        scores[label] = evaluate(photos, backend.predict, features=features).to_dict()
    export_onnx(generator, args.out, facts_of(args.run_folder, step, scores["model"]))
    if args.safetensors:
        export_safetensors(generator, args.safetensors)
    write_card(args.out, args.run_folder, step, scores, curve, learnt, before)
    print(json.dumps(scores, indent=2))
    return 0


def run_quantize(args: argparse.Namespace) -> int:
    from training.quantize import lightness, loss, quantize, write  # openvino, nncf
    from vidcolor.backends.openvino import OpenVINOBackend

    model = open_model(args.model)
    photos, features = same_size(open_pictures(args.val)[:]), SqueezeNet()
    network = quantize(model, lightness(open_pictures(args.calibration, limit=args.count)[:]))
    with tempfile.TemporaryDirectory() as folder:
        trial = ModelFile(Path(folder, model.path.name), model.metadata)
        write(network, trial.int8)
        plain, small = (
            evaluate(photos, OpenVINOBackend(m, precision=p).predict, features=features)
            for m, p in ((model, "f32"), (trial, "int8"))
        )
        print(json.dumps({"f32": plain.to_dict(), "int8": small.to_dict()}, indent=2))
        if lost := loss(plain, small):
            raise ValueError(f"8 bits cost {lost}; nothing was written")
        for file in (trial.int8.with_suffix(".bin"), trial.int8):
            shutil.move(file, model.path.with_name(file.name))
    results = model.path.with_name("RESULTS.json")
    if results.exists():
        found = json.loads(results.read_text())
        found["scores"]["model, int8"] = small.to_dict()
        write_results(results, found)
    return 0


def take_decoding(generator: BinsGenerator, file: Path) -> None:
    """Give `generator` the learnt decoding of the model `file`.

    Raises:
        ValueError: the file's colour bins are others.
    """
    source = load_generator(open_model(file))
    if not isinstance(source, BinsGenerator) or not torch.equal(source.centres, generator.centres):
        raise ValueError(f"{file}: its colour bins are not those of the run; learn the decoding by --fit")
    generator.colours.copy_(source.colours)
    generator.offset.copy_(source.offset)
    plain = dataclasses.replace(generator.config, prior_correction=0.0, saturation=1.0)
    generator.config = dataclasses.replace(plain, temperature=source.config.temperature)


def load_run(folder: Path, weights: Path | None = None) -> tuple[BinsGenerator | UNet, int]:
    """The averaged generator of a run folder, the newest or the one kept at `weights`, and the step it is from."""
    state = load_checkpoint(folder / "last.pt")
    if state is None:
        raise FileNotFoundError(f"{folder}: holds no last.pt; train into it first")
    options = json.loads((folder / "options.json").read_text())
    config = GeneratorConfig.from_dict(options["generator"])
    generator = build(dataclasses.replace(config, folded=bool(options.get("init"))))
    if weights is None:
        generator.load_state_dict(state["average"])
        return generator.eval(), state["step"]
    generator.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in load_file(weights).items()})
    return generator.eval(), int(weights.stem)


if __name__ == "__main__":
    sys.exit(main())
