"""`python -m engines build|verify|bench`: engines ahead of time, whether all backends agree, and how fast each is."""

from __future__ import annotations

import argparse
import json
import sys
import time
from functools import partial
from pathlib import Path

from benchmarks.machine import save
from benchmarks.network import backends, rate
from engines import rtx
from engines.profiles import PROFILES, RTX_CARDS
from engines.verify import Parity, verify
from training.pictures import open_pictures
from training.quantize import lightness
from vidcolor.backends.cache import EngineCache
from vidcolor.backends.shapes import Shapes
from vidcolor.errors import VidcolorError
from vidcolor.models.files import ModelFile, open_model

HERE = Path(__file__).parent
BUILT, RESULTS = HERE / "built", HERE / "results"
PICTURES = Path("../shared/data/val.tar")


def main(argv: list[str] | None = None) -> int:
    args = make_parser().parse_args(argv)
    try:
        return args.run(args, open_model(args.model))
    except (VidcolorError, ModuleNotFoundError, ValueError, OSError) as error:
        print(f"engines: {error}", file=sys.stderr)
        return 1


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m engines", description=__doc__)
    parser.add_argument("--model", type=Path, help="ONNX file (default: the shipped one)")
    commands = parser.add_subparsers(required=True)
    make = commands.add_parser("build", help="portable fp16 engines of TensorRT for RTX, on a machine without a GPU")
    make.add_argument("--target", choices=("rtx",), default="rtx")
    make.add_argument("--gpu", type=cards, default=list(RTX_CARDS), metavar="SM,SM", help=", ".join(RTX_CARDS))
    make.add_argument("--profile", choices=PROFILES, default="film")
    make.add_argument("--out", type=Path, default=BUILT, help="folder (default: %(default)s)")
    make.add_argument("--record", action="store_true", help="write results/build.json and README.md")
    make.set_defaults(run=run_build)
    check = commands.add_parser("verify", help="parity of every backend that runs here with PyTorch in fp32")
    check.add_argument("--pictures", type=Path, default=PICTURES, help="tar shard or folder (default: %(default)s)")
    check.add_argument("--count", type=int, default=40, help="pictures (default: %(default)s)")
    check.add_argument("--record", action="store_true", help="write results/verify.json and README.md")
    check.set_defaults(run=run_verify)
    speed = commands.add_parser("bench", help="pictures a second of every backend that runs here, at every profile")
    speed.add_argument("--seconds", type=float, default=2.0, help="for each (default: %(default)s)")
    speed.add_argument("--record", action="store_true", help="write results/bench.json and README.md")
    speed.set_defaults(run=run_bench)
    return parser


def cards(text: str) -> list[str]:
    names = text.lower().split(",")
    if unknown := [n for n in names if n not in RTX_CARDS]:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is not known; choose from {', '.join(RTX_CARDS)}")
    return names


def run_build(args: argparse.Namespace, model: ModelFile) -> int:
    from vidcolor.backends.half import half

    network = half(model.path).SerializeToString()
    cache, shapes, rows = EngineCache(args.out), PROFILES[args.profile], []
    for card in args.gpu:
        facts = {
            "engine": f"{model.metadata['name']}-{args.profile}-{card}",
            "model": model.metadata["sha256"],
            "shapes": str(shapes),
            "precision": "fp16",
            "tensorrt_rtx": rtx.version(),
            "card": card,
        }
        if cache.fault(facts) is None:
            print(f"{cache.path(facts)}: up to date")
            continue
        began = time.perf_counter()
        path = cache.get(facts, partial(write_engine, network, card, shapes))
        seconds, megabytes = time.perf_counter() - began, path.stat().st_size / 1e6
        print(f"{path}: {megabytes:.1f} MB, built in {seconds:.1f} s")
        rows.append({"card": card, "profile": args.profile, "seconds": round(seconds, 2), "mb": round(megabytes, 1)})
    if args.record and rows:
        record("build", model, {"tensorrt_rtx": rtx.version(), "rows": rows})
    return 0


def write_engine(network: bytes, card: str, shapes: Shapes, target: Path) -> None:
    target.write_bytes(rtx.build(network, card, shapes))


def run_verify(args: argparse.Namespace, model: ModelFile) -> int:
    photos = open_pictures([args.pictures], limit=args.count)[:]
    pictures = lightness(photos)
    found = verify(model, pictures)
    told = {k: v.to_dict() if isinstance(v, Parity) else v for k, v in found.items()}
    print(json.dumps(told, indent=1))
    if args.record:
        record("verify", model, {"pictures": len(pictures), "rows": told})
    failed = [k for k, v in found.items() if isinstance(v, Parity) and not v.holds]
    if failed:
        print(f"engines: beyond the limits: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def run_bench(args: argparse.Namespace, model: ModelFile) -> int:
    rows, absent = [], {}
    for name, backend, why in backends(model):
        if backend is None:
            absent[name] = why
            continue
        for profile, shapes in PROFILES.items():
            found = rate(backend, shapes.usual, seconds=args.seconds)
            rows.append({"backend": name, "profile": profile, "pictures_per_second": round(found, 1)})
            print(f"{name}, {profile}: {found:.1f} pictures/s")
    for name, why in absent.items():
        print(f"{name}: not run, {why}")
    if args.record:
        record("bench", model, {"rows": rows, "not_run": absent})
    return 0


def record(name: str, model: ModelFile, result: dict) -> None:
    """Save a result, and put it into the README."""
    from engines.report import write_readme  # which needs Jinja2; building alone does not

    save(name, folder=RESULTS, result={"model": model.metadata["sha256"], **result})
    write_readme()


if __name__ == "__main__":
    sys.exit(main())
