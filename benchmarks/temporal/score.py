"""One way of colouring one clip, in figures."""

from __future__ import annotations

import numpy as np

from benchmarks.temporal import bleeding, lag
from benchmarks.temporal.clips import Clip, Footage
from benchmarks.temporal.distribution import cdc
from benchmarks.temporal.flicker import changes, flicker, warp_error
from training.metrics import colourfulness, psnr

Row = dict[str, float | None]


def score(seen: Footage, clip: Clip, truth: Row | None = None) -> Row:
    """Every figure of `seen`, the coloured frames of `clip`; `truth` is this row of the truth itself.

    Errors are |dAB| in a*b* units; None where the clip has no such pixels or frames. The keys:
        psnr: of RGB to the truth, in dB; the luma is the original one.
        colourfulness, colourfulness_abs: Hasler & Susstrunk 2003, signed and with abs() taken first.
        cdc, cdc_off: see `distribution`, times 1000; its distance to the truth's.
        warp_error: see `flicker`, times 1000.
        flicker, flicker_per_colour, flicker_to_truth: a*b* units; over colourfulness_abs; that over the truth's.
        cut_early, cut_late, cut_lag: errors after cuts, and their ratio.
        cut_first_db: PSNR of the first frame after a cut minus its shot's, the mean over cuts.
        new_error, old_error, new_lag: errors of pixels new in view and of the others, and their ratio.
        edge_error, flat_error, bleeding: errors near edges and away from them, and their ratio.
        edge_excess: see `bleeding.excess`.
    """
    errors = [lag.distance(a, b) for a, b in zip(seen.ab, clip.truth.ab, strict=True)]
    psnrs = np.array([psnr(a, b) for a, b in zip(seen.rgb, clip.truth.rgb, strict=True)])
    signed, absolute = np.array([colourfulness(x) for x in seen.rgb]).mean(0)
    return {
        "psnr": float(psnrs.mean()),
        "colourfulness": float(signed),
        "colourfulness_abs": float(absolute),
        **steadiness(seen, clip, float(absolute), truth),
        **following(clip, errors, psnrs),
        **at_edges(seen, clip, errors),
    }


def steadiness(seen: Footage, clip: Clip, colour: float, truth: Row | None) -> Row:
    shaking = flicker(changes(seen.ab, clip.pairs))
    row: Row = {
        "cdc": 1000.0 * cdc(seen.histograms, clip.cuts),
        "cdc_off": 1000.0 * abs(cdc(seen.histograms, clip.cuts) - cdc(clip.truth.histograms, clip.cuts)),
        "warp_error": 1000.0 * warp_error(seen.rgb, clip.pairs),
        "flicker": shaking,
        "flicker_per_colour": ratio(shaking, colour),
    }
    return row | {"flicker_to_truth": ratio(row["flicker_per_colour"], (truth or row)["flicker_per_colour"])}


def following(clip: Clip, errors: list[np.ndarray], psnrs: np.ndarray) -> Row:
    cut = lag.after_cuts(np.array([x.mean() for x in errors]), clip.cuts) or (None, None)
    new = lag.at_disocclusions(errors, clip.pairs) or (None, None)
    first = lag.first_frames(psnrs, clip.cuts)
    return {
        "cut_early": cut[0],
        "cut_late": cut[1],
        "cut_lag": ratio(*cut),
        "cut_first_db": float(np.mean(first)) if first else None,
        "new_error": new[0],
        "old_error": new[1],
        "new_lag": ratio(*new),
    }


def at_edges(seen: Footage, clip: Clip, errors: list[np.ndarray]) -> Row:
    near, away = bleeding.near_and_away(errors, clip.edges) or (None, None)
    return {
        "edge_error": near,
        "flat_error": away,
        "bleeding": ratio(near, away),
        "edge_excess": bleeding.excess(seen.ab, clip.edges),
    }


def ratio(a: float | None, b: float | None) -> float | None:
    return a / b if a is not None and b else None
