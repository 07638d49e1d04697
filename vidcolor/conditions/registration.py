"""A reference laid on a frame: found coarse to fine by local contrast, refused where the lumas do not agree."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vidcolor.color.resize import shrink
from vidcolor.conditions.luma import (
    COLUMNS,
    PLAIN,
    ROWS,
    Box,
    box_of,
    correlations,
    laid,
    local_contrast,
    places,
    within,
)
from vidcolor.conditions.reference import Picture, Reference, stated

AGREES = 0.7  # correlation of local contrast from which a reference belongs to a frame
SURE = 0.8  # the same of thumbnails, from which no crop is looked for
TRIES = 3  # places that are refined where one is
FINE, FINE_REACH = 240, 0.06  # long side of the pictures that are registered, and what is local in them
GRAIN = 1.0  # radius in which grain is averaged there: interpolation must not gain by averaging it
ROUNDS = ((40, 3), (20, 5))  # iterations and blur of the registration: of thumbnails, of those pictures
TURN = 0.03  # slope by which a line may turn, 2 degrees: more is no frame of a film
LARGEST, SMALLEST = 1.7, 0.6  # spans of a reference on a frame
PART = 0.25  # share of a picture below which it is a part that is moved, not scaled
LIKE = 0.02  # how far the aspects of a part and of the film may differ, as a logarithm, where luma cannot tell
COVERED = 0.02  # share of the frame that must be covered


@dataclass(frozen=True)
class Placed:
    """A reference on a frame of the film, at the size of the frame's proxy."""

    name: str
    number: int
    ab: np.ndarray  # (h, w, 2) float32 a*b*; 0 where nothing is known
    confidence: np.ndarray  # (h, w) float32, 0..1: alpha, within the picture and its bars, where a colour is stated
    score: float  # 0..1, how far the two lumas agree


@dataclass(frozen=True)
class Look:
    """A picture as it is compared: local contrast, and which pixels count (float32 in 0..1), at two sizes."""

    aspect: float  # width to height, in pixels
    box: Box
    share: float  # of the picture that counts
    contrasts: tuple[np.ndarray, ...]  # a thumbnail (ROWS, COLUMNS), and a picture with a long side of FINE
    masks: tuple[np.ndarray, ...]

    @classmethod
    def at(cls, lightness: np.ndarray, shown: np.ndarray | None = None) -> Look:
        """Of L* ``(h, w)``; `shown` ``(h, w)`` in 0..1 says which of it counts."""
        height, width = lightness.shape
        box = box_of(lightness, shown)
        mask = within(box, height, width)
        if shown is not None:
            mask = mask * shown
        scale = FINE / max(height, width)
        sizes = (COLUMNS, ROWS), (max(ROWS, round(width * scale)), max(ROWS, round(height * scale)))
        masks = tuple(resized(mask, size) for size in sizes)
        small, fine = (
            resized(lightness * mask, size) / np.maximum(m, 1e-3) for size, m in zip(sizes, masks, strict=True)
        )
        contrast = cv2.GaussianBlur(local_contrast(fine, masks[1], FINE_REACH), (0, 0), GRAIN)
        return cls(width / height, box, float(mask.mean()), (local_contrast(small, masks[0]), contrast), masks)


def resized(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A plane at `size`, ``(width, height)``, averaged where it shrinks."""
    if plane.shape[0] >= size[1] and plane.shape[1] >= size[0]:
        return shrink(plane, size)
    return cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR)


def place(reference: Reference, lightness: np.ndarray, *, number: int | None = None) -> Placed | None:
    """Lay a reference on a frame's L* ``(h, w)`` float32, or refuse it: None.

    The two may differ in size, shape of pixels, bars, grain and grade, and be shifted; one may be a crop of the other,
    of three quarters or more. `number` is the frame's, the reference's own where it is not given. A small part, such as
    a hat that was painted over the frame of its number, stays where it lies if its luma cannot tell, and so does a
    reference of chroma alone.

    Raises:
        ValueError: neither gives a number.
    """
    number = reference.number if number is None else number
    if number is None:
        raise ValueError(f"{reference.name} has no number; give that of the frame")
    picture = reference.picture()
    look, frame = Look.at(picture.lightness, picture.alpha), Look.at(lightness)
    warp, score = (np.eye(3), 0.0) if reference.chroma else register(look, frame)
    if score < AGREES or not is_sound(warp, look.aspect, frame.aspect):
        may_stay = number == reference.number and (reference.chroma or look.share < PART)
        if not may_stay or abs(np.log(look.aspect / frame.aspect)) > LIKE:
            return None
        warp = np.eye(3)
    ab, confidence = spread(picture, look, warp, lightness.shape)
    if not reference.neutral:
        confidence = confidence * stated(ab)
    return Placed(reference.name, number, ab, confidence, max(0.0, score))


def register(look: Look, frame: Look) -> tuple[np.ndarray, float]:
    """Where a reference lies on a frame, ``(3, 3)`` from shares of that to shares of it, and how far they agree."""
    warps = candidates(look, frame)
    refined = [refine(look, frame, warp, 0) for warp in warps]
    best = max(refined, key=lambda warp: agreement(look, frame, warp, 0))
    warp = refine(look, frame, best, 1)
    return warp, agreement(look, frame, warp, 1)


def candidates(look: Look, frame: Look) -> list[np.ndarray]:
    """The most likely places; crops are looked for only where the whole does not fit."""
    spots = places(look.box, frame.box, look.aspect / frame.aspect)
    if look.share < PART:
        return [from_window(spot) for spot in spots[:PLAIN]]
    plain = [from_window(spot) for spot in spots[:PLAIN]]
    scores = [agreement(look, frame, warp, 0) for warp in plain]
    best = int(np.argmax(scores))
    if scores[best] >= SURE:
        return [plain[best]]
    half = (COLUMNS // 2, ROWS // 2)
    values, weights = (laid(x[0], spots, half) for x in (look.contrasts, look.masks))
    seen = correlations(shrink(frame.contrasts[0], half).reshape(1, -1), values, weights)[0]
    return [plain[best], *(from_window(spots[i]) for i in np.argsort(seen)[: -TRIES - 1 : -1])]


def from_window(spot: np.ndarray) -> np.ndarray:
    """A window of `places` as ``(3, 3)`` from shares of the frame to shares of the reference."""
    left, across, top, down = spot
    return np.array([[1.0 / across, 0.0, -left / across], [0.0, 1.0 / down, -top / down], [0.0, 0.0, 1.0]])


def in_pixels(warp: np.ndarray, frame: tuple[int, ...], reference: tuple[int, ...]) -> np.ndarray:
    """The same ``(2, 3)`` from pixels of a frame ``(h, w)`` to those of a reference ``(h, w)``, as OpenCV has them."""
    pixels: np.ndarray = (shares_to_pixels(reference) @ warp @ np.linalg.inv(shares_to_pixels(frame)))[:2]
    return pixels.astype(np.float32)


def in_shares(pixels: np.ndarray, frame: tuple[int, ...], reference: tuple[int, ...]) -> np.ndarray:
    """The reverse."""
    whole = np.vstack((pixels, (0.0, 0.0, 1.0)))
    shares: np.ndarray = np.linalg.inv(shares_to_pixels(reference)) @ whole @ shares_to_pixels(frame)
    return shares


def shares_to_pixels(shape: tuple[int, ...]) -> np.ndarray:
    return np.array([[shape[1], 0.0, -0.5], [0.0, shape[0], -0.5], [0.0, 0.0, 1.0]])


def refine(look: Look, frame: Look, warp: np.ndarray, level: int) -> np.ndarray:
    """`warp` brought to the greatest correlation nearby (ECC, Evangelidis and Psarakis 2008), or left as it is."""
    fixed, moving = frame.contrasts[level], look.contrasts[level]
    mask = (look.masks[level] > 0.5).astype(np.uint8)
    motion = cv2.MOTION_TRANSLATION if look.share < PART else cv2.MOTION_AFFINE
    rounds, blur = ROUNDS[level]
    start = in_pixels(warp, fixed.shape, moving.shape)
    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, rounds, 1e-5)
    try:
        _, pixels = cv2.findTransformECC(fixed, moving, start, motion, stop, mask, blur)
    except cv2.error:  # nothing to go by, or it did not converge
        return warp
    found = in_shares(pixels, fixed.shape, moving.shape)
    return found if agreement(look, frame, found, level) > agreement(look, frame, warp, level) else warp


def agreement(look: Look, frame: Look, warp: np.ndarray, level: int) -> float:
    """Correlation of the two where the reference covers the frame; 0 where that is next to nothing."""
    fixed, moving = frame.contrasts[level], look.contrasts[level]
    pixels = in_pixels(warp, fixed.shape, moving.shape)
    size, how = fixed.shape[::-1], cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    mask = (cv2.warpAffine(look.masks[level], pixels, size, flags=how) > 0.9) & (frame.masks[level] > 0.9)
    if np.count_nonzero(mask) < COVERED * mask.size:
        return 0.0
    one, other = fixed[mask], cv2.warpAffine(moving, pixels, size, flags=how)[mask]
    one, other = one - one.mean(), other - other.mean()
    return float(one @ other / max(np.sqrt((one @ one) * (other @ other)), 1e-6))


def is_sound(warp: np.ndarray, aspect: float, frame: float) -> bool:
    """Whether a warp is one of a film's frame: hardly turned, and of no other size than a crop makes."""
    slopes = warp[0, 1] / warp[0, 0] / frame, warp[1, 0] / warp[1, 1] * frame
    spans = 1.0 / warp[0, 0], 1.0 / warp[1, 1]
    return max(abs(s) for s in slopes) <= TURN and all(SMALLEST <= s <= LARGEST for s in spans)


def spread(picture: Picture, look: Look, warp: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """a*b* ``(h, w, 2)`` and alpha ``(h, w)`` of a reference on a frame of this shape; its bars have none."""
    height, width = picture.alpha.shape
    alpha = picture.alpha * within(look.box, height, width)
    span = 1.0 / warp[0, 0] * shape[1], 1.0 / warp[1, 1] * shape[0]  # of the reference in the frame's pixels
    size = max(1, min(width, round(span[0]))), max(1, min(height, round(span[1])))
    planes = [shrink(np.ascontiguousarray(plane), size)
              for plane in (alpha, picture.ab[..., 0] * alpha, picture.ab[..., 1] * alpha)]  # fmt: skip
    pixels, how = in_pixels(warp, shape, size[::-1]), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    alpha, a, b = (cv2.warpAffine(plane, pixels, (shape[1], shape[0]), flags=how) for plane in planes)
    ab = np.dstack((a, b)) / np.maximum(alpha, 1e-3)[..., None]
    return ab, alpha.clip(0.0, 1.0)
