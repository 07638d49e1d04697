"""What a film's references say of each of its frames."""

from __future__ import annotations

import numpy as np

from vidcolor.conditions.carry import Carrier, grey_of
from vidcolor.conditions.known import Known, mixed
from vidcolor.conditions.store import Stretch, Survey


class Conditioner:
    """Gives what is known of a frame: from the reference before it in its shot, and from the one after it.

    Attributes:
        frames: numbers of the reference frames.
    """

    def __init__(self, survey: Survey) -> None:
        self.survey, self.carrier = survey, Carrier()
        self.frames = frozenset(stretch.reference for stretch in survey.stretches)

    def __call__(self, number: int, lightness: np.ndarray) -> Known | None:
        """What is known of frame `number` with L* ``(h, w)``, at half that size; None where nothing is."""
        shares = nearest([s for s in self.survey.stretches if s.first <= number <= s.last], number)
        grey = grey_of(lightness)
        return mixed([(self.carried(s, number, grey), part) for s, part in shares]) if shares else None

    def carried(self, stretch: Stretch, number: int, grey: np.ndarray) -> Known:
        move = self.survey.track(stretch).move(number)
        return self.carrier.carry(self.survey.view(stretch.reference), grey, move)


def nearest(stretches: list[Stretch], number: int) -> list[tuple[Stretch, float]]:
    """The stretches that speak of a frame, with their shares: they go over evenly from one reference to the next."""
    before = max((s for s in stretches if s.reference <= number), key=lambda s: s.reference, default=None)
    after = min((s for s in stretches if s.reference > number), key=lambda s: s.reference, default=None)
    if before is None or after is None:
        return [(s, 1.0) for s in (before, after) if s]
    part = (number - before.reference) / (after.reference - before.reference)
    return [(before, 1.0 - part), (after, part)] if part else [(before, 1.0)]
