"""Where the frames of a film lie: in the CPU's memory, or on a card where network, decoder and encoder can use it."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from vidcolor.backends import Backend, cuda_present
from vidcolor.color.proxy import ProxySize
from vidcolor.options import ColorOptions
from vidcolor.video.info import FilmInfo

if TYPE_CHECKING:
    from vidcolor.frames.card import Card

QUEUE_BYTES = 32e6  # of frames between two threads; with the batch it bounds the memory of any film


def find_card(backend: Backend, notes: list[str]) -> Card | None:
    """The card that frames shall stay on; None where the network runs on none, or torch does not reach it."""
    if backend.device != "cuda":
        return None
    if importlib.util.find_spec("torch") is None or not cuda_present():
        notes.append("frames go through the CPU's memory: no torch with CUDA is installed")
        return None
    from vidcolor.frames.card import Card

    return Card(notes)


def queue_size(info: FilmInfo) -> int:
    """Frames that may wait between two threads."""
    frame = info.width * info.height * 2 * (1 if info.encoding.depth == 8 else 2)
    return int(min(16, max(2, QUEUE_BYTES // frame)))


def proxy_size(info: FilmInfo, options: ColorOptions) -> ProxySize:
    """The size of a film's luma proxies."""
    return ProxySize.fit(info.width, info.height, options.size, float(info.aspect or 1), info.turn)
