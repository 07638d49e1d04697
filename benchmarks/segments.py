"""What it costs to encode a film in segments: bytes, time, and colour where a long shot is cut within."""

from __future__ import annotations

import statistics
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from vidcolor.api import Colorizer
from vidcolor.atomic import AtomicFile
from vidcolor.film.plan import FilmPlan, Segment
from vidcolor.film.rules import Rules
from vidcolor.film.run import colorize_film
from vidcolor.options import ColorizeOptions

WHOLE = Rules(shortest=1e9, longest=1e9)
CUT = Rules(shortest=1e9, longest=15.0)  # every shot cut within, as only those of over a minute are


def joined(clip: Path, target: Path, *, seconds: float) -> Path:
    """The packets of `clip`, picture alone, again and again until `seconds` are full; made once."""
    if target.exists():
        return target
    with AtomicFile(target, overwrite=True) as partial, av.open(str(partial), "w", format="mp4") as out:
        stream, offset = None, Fraction(0)
        while offset < seconds:
            with av.open(str(clip)) as source:
                video, end = source.streams.video[0], Fraction(0)
                stream = stream or out.add_stream_from_template(video)
                for packet in source.demux(video):
                    if packet.dts is None or packet.pts is None:
                        continue
                    base = packet.time_base
                    end = max(end, ((packet.pts or 0) + (packet.duration or 0)) * base)
                    shift = round(offset / base)
                    packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
                    out.mux(packet)
            offset += end
    return target


def segments(clip: Path, work: Path, *, seconds: float, runs: int) -> dict:
    """Figures of `clip` joined to `seconds`: in one segment, in segments by the rules, and with its shots cut."""
    film = joined(clip, work / f"{clip.stem}-{seconds:g}s.mp4", seconds=seconds)
    rows: dict[str, list] = {"whole": [], "segments": []}
    with Colorizer() as colorizer:
        for run in range(runs):
            order = list(rows.items()) if run % 2 == 0 else list(reversed(rows.items()))
            for name, found in order:
                found.append(timed(colorizer, film, work / "out.mp4", WHOLE if name == "whole" else Rules()))
        ratios = [b[0] / a[0] for a, b in zip(rows["whole"], rows["segments"], strict=True)]
        whole, parts = rows["whole"][0], rows["segments"][0]
        seam = seams(colorizer, joined(clip, work / f"{clip.stem}-40s.mp4", seconds=40), work)
    return {
        "film": {"clip": clip.stem, "seconds": seconds, "codec": "x264, crf 18, medium"},
        "segments": parts[2],
        "bytes": {"whole": whole[1], "segments": parts[1], "more": round(parts[1] / whole[1] - 1, 5)},
        "time": {"ratio": round(statistics.median(ratios), 4), "each": [round(r, 4) for r in ratios]},
        "seam": seam,
    }


def timed(colorizer: Colorizer, film: Path, target: Path, rules: Rules) -> tuple[float, int, int]:
    """Seconds, bytes of the picture's packets, and number of segments."""
    began = time.perf_counter()
    count = len(colored(colorizer, film, target, rules, ColorizeOptions(overwrite=True)))
    seconds = time.perf_counter() - began
    with av.open(str(target)) as container:
        size = sum(packet.size for packet in container.demux(video=0))
    target.unlink()
    return seconds, size, count


def colored(colorizer: Colorizer, film: Path, target: Path, rules: Rules, options: ColorizeOptions) -> list[Segment]:
    """Colour `film`; the segments that it was made of."""
    done: list[Segment] = []
    add = FilmPlan.add

    def kept(self: FilmPlan, segment: Segment, **more) -> None:
        done.append(segment)
        add(self, segment, **more)

    FilmPlan.add = kept  # type: ignore[method-assign]
    try:
        colorize_film(film, target, colorizer.backend, options, rules=rules)
    finally:
        FilmPlan.add = add  # type: ignore[method-assign]
    return done


def seams(colorizer: Colorizer, film: Path, work: Path) -> dict:
    """How far chroma is from that of the film in one piece, from 12 frames before each cut within a shot to 48 after.

    In code values: mean and greatest difference of a frame, the worst frame of all cuts; and the step between the two
    frames at the cut, beside the same step in one piece.
    """
    options = ColorizeOptions(codec="ffv1", overwrite=True)
    cuts = [s.first for s in colored(colorizer, film, work / "cut.mkv", CUT, options) if s.lead_in]
    colored(colorizer, film, work / "whole.mkv", WHOLE, options)
    near = {n for cut in cuts for n in range(cut - 12, cut + 49)}
    one, many = (chroma(work / name, near | {c - 1 for c in cuts}) for name in ("whole.mkv", "cut.mkv"))
    for name in ("whole.mkv", "cut.mkv"):
        (work / name).unlink()
    apart = {n: np.abs(one[n] - many[n]) for n in near if n in one}
    steps = {name: [float(np.abs(planes[c] - planes[c - 1]).mean()) for c in cuts] for name, planes in
             (("whole", one), ("cut", many))}  # fmt: skip
    return {
        "cuts": len(cuts),
        "mean": round(max(float(x.mean()) for x in apart.values()), 3),
        "greatest": int(max(x.max() for x in apart.values())),
        "step": {name: round(statistics.mean(values), 3) for name, values in steps.items()},
    }


def chroma(film: Path, numbers: set[int]) -> dict[int, np.ndarray]:
    """Both chroma planes of the frames `numbers`, one above the other."""
    found = {}
    with av.open(str(film)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number in numbers:
                planes = [np.frombuffer(memoryview(p), np.uint8).reshape(p.height, -1)[:, : p.width]
                          for p in frame.planes[1:3]]  # fmt: skip
                found[number] = np.concatenate(planes).astype(np.int16)
    return found
