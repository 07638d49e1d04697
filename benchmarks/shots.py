"""Shot detectors on spliced films with known cuts: precision, recall, F1 and cost, our own beside PySceneDetect's."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import cv2
import numpy as np

from benchmarks.splices import FAULTS, Film, read_small, splice
from vidcolor.shots.detector import CutDetector, ShotDetector

# Constants were chosen on these clips and seeds below 300; the figures are of other seeds, and of the other clips.
TUNED = ("bear", "bmx_fast_pan", "city_pan", "dog_park", "film_faces_cuts", "kids_bedroom", "street_cut")
TUNING_SEEDS, SEEDS = range(12), range(300, 320)  # PySceneDetect's thresholds on the first
PIECES = 8  # of a film
MIXED = 0.7  # share of joints that are dissolves, in the films with dissolves
THRESHOLDS = {"content": (5, 8, 11, 14, 17, 20, 24, 27), "adaptive": (1.5, 2, 2.5, 3, 4, 5)}

Detector = Callable[[Film], list[int]]  # first frames of shots, without the film's first


def causal(film: Film) -> list[int]:
    detector = CutDetector()
    return [i for i, x in enumerate(film.lightness) if detector.update(x)][1:]


def ahead(film: Film) -> list[int]:
    detector = ShotDetector()
    decided = [d for x in film.lightness for d in detector.push(x)] + detector.finish()
    return [d.frame for d in decided if d.kind][1:]


def pyscenedetect(name: str, threshold: float | None = None) -> Detector:
    """PySceneDetect's content or adaptive detector on luma alone, as shipped; or with `threshold` and a shortest scene
    of 4 frames, because the films' shots are shorter than the 15 frames it ships with.
    """
    from scenedetect import AdaptiveDetector, ContentDetector, FrameTimecode

    def make():
        if threshold is None:
            return {"content": ContentDetector, "adaptive": AdaptiveDetector}[name](luma_only=True)
        if name == "content":
            return ContentDetector(luma_only=True, min_scene_len=4, threshold=threshold)
        return AdaptiveDetector(luma_only=True, min_scene_len=4, adaptive_threshold=threshold)

    def found(film: Film) -> list[int]:
        detector = make()
        cuts = []
        for i, luma in enumerate(film.luma):
            cuts += detector.process_frame(FrameTimecode(i, fps=24.0), cv2.cvtColor(luma, cv2.COLOR_GRAY2BGR))
        cuts += detector.post_process(FrameTimecode(len(film.luma) - 1, fps=24.0))
        return sorted({c.frame_num for c in cuts})

    return found


def count(film: Film, found: list[int]) -> np.ndarray:
    """Hard cuts found and in all, dissolves found and in all, and false ones.

    A hard cut must be found to the frame, a dissolve within half its length of its middle, and once.
    """
    rest = [i for i in found if i not in film.cuts]
    mixed = 0
    for first, last in film.dissolves:
        within = [i for i in rest if first <= i <= last + 1]
        mixed += bool(within)
        rest = [i for i in rest if i not in within[:1]]
    return np.array([len(found) - len([i for i in found if i not in film.cuts]), len(film.cuts),
                     mixed, len(film.dissolves), len(rest)])  # fmt: skip


def scores(counts: np.ndarray) -> dict:
    """Figures of summed counts; precision, recall and F1 are of cuts and dissolves together."""
    cuts, all_cuts, mixed, all_mixed, false = (int(x) for x in counts)
    hits, wanted = cuts + mixed, all_cuts + all_mixed
    precision, recall = hits / max(hits + false, 1), hits / max(wanted, 1)
    return {
        "cuts": all_cuts, "cuts_found": cuts, "dissolves": all_mixed, "dissolves_found": mixed, "false": false,
        "precision": round(precision, 4), "recall": round(recall, 4),
        "f1": round(2 * precision * recall / max(precision + recall, 1e-9), 4),
    }  # fmt: skip


def film_of(clips: dict[str, np.ndarray], seed: int, fault: str, dissolve: float) -> Film:
    film = splice(clips, np.random.default_rng(seed), pieces=PIECES, dissolve=dissolve)
    return FAULTS[fault](film, np.random.default_rng(seed + 10_000))


def detectors(clips: dict[str, np.ndarray]) -> tuple[dict[str, Detector], dict[str, float]]:
    """All that can be run here, and the thresholds found for PySceneDetect on the tuning clips and seeds."""
    own: dict[str, Detector] = {"vidcolor, causal": causal, "vidcolor, 4 frames ahead": ahead}
    try:
        version("scenedetect-headless")
    except PackageNotFoundError:
        print("shots: scenedetect-headless is not installed, so only our own detectors are measured", file=sys.stderr)
        return own, {}
    tuning = {k: v for k, v in clips.items() if k in TUNED}
    films = [film_of(tuning, s, f, 0.0) for s in TUNING_SEEDS for f in ("none", "flash", "old film")]
    best = {}
    for name, thresholds in THRESHOLDS.items():
        f1 = {t: scores(np.sum([count(x, pyscenedetect(name, t)(x)) for x in films], 0))["f1"] for t in thresholds}
        best[name] = max(f1, key=lambda t: f1[t])
        own[f"PySceneDetect {name}"] = pyscenedetect(name)
        own[f"PySceneDetect {name}, tuned"] = pyscenedetect(name, best[name])
    return own, best


def shots(folder: Path) -> dict:
    """Scores of every detector on films of all clips and on films of clips that no constant was chosen on."""
    cv2.setNumThreads(1)
    clips = {c.stem: read_small(c) for c in sorted(folder.glob("*.mp4")) if c.stem != "his_girl_friday"}
    ways, best = detectors(clips)
    sets = {"all": clips, "unseen": {k: v for k, v in clips.items() if k not in TUNED}}
    rows = [
        {"clips": name, "joints": "dissolves" if dissolve else "cuts", "fault": fault}
        | {"detectors": run(chosen, fault, dissolve, ways)}
        for name, chosen in sets.items()
        for dissolve, faults in ((0.0, tuple(FAULTS)), (MIXED, ("none", "old film")))
        for fault in faults
    ]
    return {"tuned_on": {"clips": TUNED, "seeds": "below 300"}, "seeds": f"{SEEDS[0]} to {SEEDS[-1]}", "pieces": PIECES,
            "thresholds": best, "pyscenedetect": version("scenedetect-headless") if best else None, "rows": rows,
            "ms": cost(clips, ways)}  # fmt: skip


def run(clips: dict[str, np.ndarray], fault: str, dissolve: float, ways: dict[str, Detector]) -> dict:
    counts = {name: np.zeros(5, int) for name in ways}
    for seed in SEEDS:
        film = film_of(clips, seed, fault, dissolve)
        for name, way in ways.items():
            counts[name] += count(film, way(film))
    found = {name: scores(c) for name, c in counts.items()}
    print(fault, dissolve, {k: (v["f1"], v["false"]) for k, v in found.items()}, file=sys.stderr)
    return found


def cost(clips: dict[str, np.ndarray], ways: dict[str, Detector], rounds: int = 5) -> dict:
    """Milliseconds a frame on one core, the least of some rounds; L* is made beforehand, the pipeline has it anyway."""
    film = film_of(clips, SEEDS[0], "none", 0.0)
    least, frames = {}, len(film.lightness)  # which makes L*
    for name, way in ways.items():
        times = []
        for _ in range(rounds):
            began = time.perf_counter()
            way(film)
            times.append(time.perf_counter() - began)
        least[name] = round(1e3 * min(times) / frames, 3)
    return least
