"""`python -m benchmarks NAME`: measure, write results/NAME.json and README.md."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.cover import cover
from benchmarks.films import make_film
from benchmarks.gallery import gallery
from benchmarks.machine import RESULTS, save
from benchmarks.network import network
from benchmarks.plots import draw_all
from benchmarks.quality import quality
from benchmarks.references import references
from benchmarks.report import write_readme
from benchmarks.resume.run import resume
from benchmarks.segments import segments
from benchmarks.shots import shots
from benchmarks.soak import soak
from benchmarks.temporal.run import temporal
from benchmarks.throughput import CLIPS, SIZES, memory, throughput
from benchmarks.upsampling import upsampling


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--clips", type=Path, default=Path("../shared/video"), help="folder of colour clips")
    parser.add_argument("--work", type=Path, default=Path("/tmp/vidcolor-bench"), help="where films are made and kept")
    commands = parser.add_subparsers(dest="command", required=True)
    speed = commands.add_parser("throughput", help="colouring / plain transcode; a size alone is a result of its own")
    speed.add_argument("--sizes", nargs="+", choices=SIZES, default=["1080p"])
    speed.add_argument("--presets", nargs="+", default=["medium", "veryfast"])
    speed.add_argument("--seconds", type=float, default=30)
    speed.add_argument("--runs", type=int, default=3)
    commands.add_parser("network", help="pictures a second of every backend that runs here")
    others = commands.add_parser("peers", help="networks of other colourisers' size, and their way through files")
    others.add_argument("--frames", type=int, default=24)
    others.add_argument("--seconds", type=float, default=10, help="for each network (default: %(default)s)")
    parts = commands.add_parser("segments", help="what encoding in segments costs in bytes, time and colour")
    parts.add_argument("--seconds", type=float, default=300, help="of the film (default: %(default)s)")
    parts.add_argument("--runs", type=int, default=3)
    killed = commands.add_parser("resume", help="a film killed and without power at random moments, and its room")
    killed.add_argument("--kills", type=int, default=30)
    killed.add_argument("--cuts", type=int, default=20, help="of the power (default: %(default)s)")
    killed.add_argument("--seed", type=int, default=1, help="of the moments (default: %(default)s)")
    mutants = commands.add_parser("fuzz", help="damaged clips, odd files and cases through the command")
    mutants.add_argument("--first", type=int, default=0, help="number of the first mutant (default: %(default)s)")
    mutants.add_argument("--count", type=int, default=3000, help="of mutants (default: %(default)s)")
    mutants.add_argument("--seed", type=int, default=1, help="of all mutants (default: %(default)s)")
    mutants.add_argument("--lanes", type=int, default=2, help="commands at a time (default: %(default)s)")
    mutants.add_argument("--again", action="store_true", help="those of the result that were faults, as they are now")
    mutants.add_argument("--keep", type=Path, metavar="FOLDER", help="only write these mutants into a folder")
    carried = commands.add_parser("references", help="how well a clip's own frames carry through it, on the clips")
    carried.add_argument("--frames", type=int, default=200, help="of each clip at most (default: %(default)s)")
    worth = commands.add_parser("cover", help="how many frames are worth colouring, and what they buy, on the clips")
    worth.add_argument("--frames", type=int, default=200, help="of each clip at most (default: %(default)s)")
    long = commands.add_parser("soak", help="a film of hours and a live stream of a day, by a fast clock")
    long.add_argument("--hours", type=float, default=2, help="of the film (default: %(default)s)")
    long.add_argument("--rate", type=int, default=25, help="frames a second of the film (default: %(default)s)")
    long.add_argument("--live-hours", type=float, default=24, help="of the stream, a frame a second")
    commands.add_parser("memory", help="peak memory of a 10 s and a 60 s film")
    look = commands.add_parser("quality", help="colour and flicker on the clips")
    look.add_argument("--smoothings", nargs="+", type=float, default=[0.0, 0.75, 0.9, 0.95])
    look.add_argument("--net-sizes", nargs="+", type=int, default=[160, 192, 224, 256])
    look.add_argument("--paces", nargs="+", default=["1", "2", "4", "8", "auto"], help="values of --every")
    still = commands.add_parser("temporal", help="how steady colour is in time, on the clips")
    still.add_argument("--frames", type=int, default=60, help="of each clip at most (default: %(default)s)")
    still.add_argument("--draw", nargs="+", metavar="CLIP", help="only draw the flicker of these clips")
    still.add_argument("--out", type=Path, default=Path("docs/gallery"), help="folder of the drawings")
    small = commands.add_parser("int8", help="the network in 8-bit integers: speed, and what it costs in colour")
    small.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of photo shards")
    commands.add_parser("upsampling", help="ways to enlarge a*b* under the luma")
    now = commands.add_parser("live", help="delay and rate of a live picture, in the window and in a browser")
    now.add_argument("--seconds", type=float, default=30, help="of each path (default: %(default)s)")
    now.add_argument("--soak", type=float, default=0, metavar="MINUTES", help="a stream with sound for so long, too")
    commands.add_parser("shots", help="shot detectors on spliced clips with known cuts")
    show = commands.add_parser("gallery", help="middle frames of clips, grey | coloured | truth")
    show.add_argument("--names", nargs="+", help="of clips (default: all)")
    show.add_argument("--model", type=Path, help="ONNX file (default: the shipped one)")
    show.add_argument("--out", type=Path, default=Path("docs/gallery/clips.jpg"))
    commands.add_parser("report", help="README.md from the results")
    args = parser.parse_args(argv)

    missing = [c for c in CLIPS if not (args.clips / f"{c}.mp4").exists()]
    if missing and args.command != "report":
        print(f"benchmarks: {args.clips} lacks {', '.join(missing)}; name it by --clips", file=sys.stderr)
        return 1
    args.work.mkdir(parents=True, exist_ok=True)
    if args.command == "throughput":
        name = "throughput" if len(args.sizes) > 1 else f"throughput-{args.sizes[0]}"
        save(name, throughput(args.clips, args.work, sizes=args.sizes, presets=args.presets,
                              seconds=args.seconds, runs=args.runs))  # fmt: skip
    elif args.command == "network":
        save("network", network())
    elif args.command == "peers":
        from benchmarks.peers import peers  # torch

        film = make_film([args.clips / f"{c}.mp4" for c in CLIPS], args.work / "1080p-10s.mp4",
                         width=1920, height=1080, seconds=10)  # fmt: skip
        save("peers", peers(film, frames=args.frames, seconds=args.seconds))
    elif args.command == "segments":
        clip = args.clips / "his_girl_friday.mp4"
        save("segments", segments(clip, args.work, seconds=args.seconds, runs=args.runs))
    elif args.command == "resume":
        clip = args.clips / "his_girl_friday.mp4"
        save("resume", resume(clip, args.work / "resume", kills=args.kills, cuts=args.cuts, seed=args.seed))
    elif args.command == "soak":
        save("soak", soak(args.work, hours=args.hours, live_hours=args.live_hours, rate=args.rate))
    elif args.command == "fuzz":
        from benchmarks.fuzz.run import again, fuzz, keep, media

        sources = media(args.clips, args.work / "fuzz")
        if args.again:
            path = RESULTS / "fuzz.json"
            earlier = json.loads(path.read_text())
            earlier["again"] = again(sources, args.work / "fuzz", earlier)
            path.write_text(json.dumps(earlier, indent=1) + "\n")
            write_readme()
            return 0
        if args.keep:
            keep(sources, args.keep, first=args.first, count=args.count, seed=args.seed)
            return 0
        save("fuzz", fuzz(sources, args.work / "fuzz", first=args.first, count=args.count,
                          seed=args.seed, lanes=args.lanes))  # fmt: skip
    elif args.command == "references":
        save("references", references(colour_clips(args.clips), frames=args.frames))
    elif args.command == "cover":
        grey = [args.clips / "his_girl_friday.mp4", args.clips / "references" / "film_bw.mp4"]
        save("cover", cover(colour_clips(args.clips), grey, frames=args.frames))
    elif args.command == "memory":
        save("memory", memory(args.clips, args.work))
    elif args.command == "live":
        from benchmarks.live.run import live  # pygame, selenium

        save("live", live(args.clips, args.work, seconds=args.seconds, minutes=args.soak))
    elif args.command == "shots":
        save("shots", shots(args.clips))
    elif args.command == "gallery":
        names = args.names or sorted(c.stem for c in args.clips.glob("*.mp4"))
        gallery([args.clips / f"{n}.mp4" for n in names], args.out, args.model)
        return 0
    elif args.command == "temporal" and args.draw:
        from benchmarks.temporal.pictures import draw  # matplotlib

        for name in args.draw:
            draw(args.clips / f"{name}.mp4", args.out, frames=args.frames)
        return 0
    elif args.command == "temporal":
        save("temporal", temporal(colour_clips(args.clips), frames=args.frames))
    elif args.command == "int8":
        from benchmarks.int8 import int8  # torch, nncf

        save("int8", int8(args.data))
    elif args.command == "upsampling":
        save("upsampling", upsampling(colour_clips(args.clips)))
    elif args.command == "quality":
        clips = colour_clips(args.clips)
        save("quality", quality(clips, smoothings=args.smoothings, sizes=args.net_sizes, paces=args.paces))
    draw_all(RESULTS)
    write_readme()
    return 0


def colour_clips(folder: Path) -> list[Path]:
    return [c for c in sorted(folder.glob("*.mp4")) if c.stem != "his_girl_friday"]  # which is grey


if __name__ == "__main__":
    sys.exit(main())
