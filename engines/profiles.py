"""What engines are built for, as data."""

from __future__ import annotations

from vidcolor.backends.shapes import ANY, Shapes

PROFILES = {
    # 1080p is seen at 224 x 384, 4:3 film at 224 x 320, CinemaScope at 224 x 544.
    "film": Shapes((1, 224, 288), (8, 224, 384), (32, 224, 576)),
    "any": ANY,
}
# Compute capabilities that TensorRT for RTX builds for ahead of time, and cards that have them.
RTX_CARDS = {"sm75": "RTX 20", "sm80": "A100", "sm86": "RTX 30", "sm89": "RTX 40", "sm120": "RTX 50"}
