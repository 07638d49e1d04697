"""`python -m training export` and `quantize`: trained weights become the files that ship."""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import shutil
import tempfile
from pathlib import Path

import torch

from training.card import facts_of, write_card, write_results
from training.decoding import learn, sweep
from training.evaluate import baselines, evaluate
from training.export import add_facts, export_onnx, export_safetensors
from training.perceptual import SqueezeNet
from training.pictures import open_pictures
from training.runs import load_checkpoint
from training.sheet import same_size
from training.weights import Run, load_average, read_run, run_of
from vidcolor.backends import make_backend
from vidcolor.backends.pytorch import load_generator
from vidcolor.models.files import ModelFile, open_model
from vidcolor.models.generators import BinsGenerator, Generator, GeneratorConfig, build

log = logging.getLogger("training")


def add_commands(commands) -> None:
    """The parsers of both commands."""
    out = commands.add_parser("export", help="learn the decoding, write ONNX file and model card")
    out.add_argument(
        "--run-folder", type=Path, help="of the run; not needed for weights that tell how they were trained"
    )
    out.add_argument("--weights", type=Path, help="average.safetensors, or one of the run's kept weights "
                     "(default: the newest of the run folder)")  # fmt: skip
    out.add_argument(
        "--fit", type=Path, nargs="+", help="photographs to learn the decoding on, neither --data nor --val"
    )
    out.add_argument("--sure", action="store_true", help="learn a temperature and a strength for each cell")
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


def labelled_file(text: str) -> tuple[str, Path]:
    label, _, file = text.partition("=")
    if not (label and file and Path(file).is_file()):
        raise argparse.ArgumentTypeError(f"{text}: not LABEL=FILE with a file that is there")
    return label, Path(file)


def run_export(args: argparse.Namespace) -> int:
    photos = same_size(open_pictures(args.val)[:])
    features = SqueezeNet()
    generator, run = load_run(args.run_folder, args.weights)
    before = json.loads(args.before.read_text()) if args.before else None
    learnt, curve = decode_as_asked(generator, args, before), []
    if isinstance(generator, BinsGenerator):
        curve = [point.to_dict() for point in sweep(generator, photos)]
    scores = {name: row.to_dict() for name, row in baselines(photos, features).items()}
    export_onnx(generator, args.out, facts_of(run, {}))  # scored as it will be run
    for label, file in (dict(args.beside) | {"model": args.out}).items():
        backend, _ = make_backend("openvino", open_model(file))
        scores[label] = evaluate(photos, backend.predict, features=features).to_dict()
    add_facts(args.out, facts_of(run, scores["model"]))
    if args.safetensors:
        export_safetensors(generator, args.safetensors, run)
    write_card(args.out, run, scores, curve, learnt, before)
    print(json.dumps(scores, indent=2))
    return 0


def decode_as_asked(generator: Generator, args: argparse.Namespace, before: dict | None) -> dict | None:
    """Learn the decoding, or take it over, as the options say; and how it was learnt."""
    if not isinstance(generator, BinsGenerator):
        return None
    if args.decoding:
        if args.fit or not (before and before["learnt"]):
            raise ValueError("--decoding: goes without --fit, and with --before, which tells how it was learnt")
        take_decoding(generator, args.decoding)
        return before["learnt"] | {"taken_over": True}
    if not args.fit:
        return None
    learnt = learn(generator, same_size(open_pictures(args.fit)[:]), args.colour, sure=args.sure)
    log.info("learnt the decoding: %s", learnt)
    return learnt


def run_quantize(args: argparse.Namespace) -> int:
    from training.quantize import examples, loss, quantize, write  # openvino, nncf
    from vidcolor.backends.openvino import OpenVINOBackend

    model = open_model(args.model)
    photos, features = same_size(open_pictures(args.val)[:]), SqueezeNet()
    network = quantize(model, examples(model, open_pictures(args.calibration, limit=args.count)[:]))
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
    generator.config = dataclasses.replace(
        plain, temperature=source.config.temperature, sureness=source.config.sureness
    )


def load_run(folder: Path | None, weights: Path | None = None) -> tuple[Generator, Run]:
    """The averaged generator at `weights`, or the newest one of a run folder, and what it was trained by.

    Raises:
        ValueError: neither is given, or the weights do not tell how they were trained and no folder does.
        FileNotFoundError: the folder holds no checkpoint.
    """
    if weights is not None:
        return load_average(weights)[0].eval(), run_of(weights, folder)
    if folder is None:
        raise ValueError("nothing to export; give --run-folder or --weights")
    state = load_checkpoint(folder / "last.pt")
    if state is None:
        raise FileNotFoundError(f"{folder}: holds no last.pt; train into it first")
    run = read_run(folder, state["step"])
    config = GeneratorConfig.from_dict(run.preset["generator"])
    generator = build(dataclasses.replace(config, folded=bool(run.preset.get("init"))))
    generator.load_state_dict(state["average"])
    return generator.eval(), run
