"""Colours the frames of a live picture one by one; none is held back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import av

from vidcolor.backends import Backend
from vidcolor.color.encoding import UNSPECIFIED
from vidcolor.color.proxy import ProxySize
from vidcolor.frames.colorizer import FrameColorizer
from vidcolor.frames.host import HostFrames
from vidcolor.frames.network import Network
from vidcolor.frames.workers import OneCvThread
from vidcolor.options import ColorOptions
from vidcolor.temporal.clock import Clock
from vidcolor.video.encoder import VideoSettings
from vidcolor.video.formats import FULL_RANGE, LIMITED_RANGE, choose_format, layout, to_native
from vidcolor.video.probe import encoding_of

CLOCK_RATE = 90_000  # ticks a second, for frames without a time base
FORMATS = ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le", "yuv420p12le", "yuv422p12le",
           "yuv444p12le"]  # fmt: skip


@dataclass(frozen=True)
class Look:
    """What two consecutive frames must have in common for colour to carry over."""

    width: int
    height: int
    pix_fmt: str
    matrix: int
    color_range: int
    aspect: Fraction
    turn: int


class LiveColorizer:
    """Colours the consecutive frames of one live picture; one thread at a time.

    Frames may be left out. A new size, pixel format or pixel aspect begins anew, as a new film does. The backend is
    shared, so it is not closed here.

    Attributes:
        strength: amount of colour, 0 to 2; can be changed between frames.
        clock: seconds of work in each stage.
        resets: how often the size, format or aspect has changed.
    """

    def __init__(self, backend: Backend, options: ColorOptions | None = None) -> None:
        self.backend = backend
        self.options = options or ColorOptions()
        self.strength = self.options.strength
        self.clock = Clock()
        self.number = 0  # of the next frame
        self.resets = -1
        self.look: Look | None = None

    def color(self, frame: av.VideoFrame, aspect: Fraction = Fraction(1)) -> av.VideoFrame:
        """Returns the frame with new chroma, tagged with matrix and range; luma and time stamps are untouched.

        A frame without a luma plane (RGB, MJPEG's full-range formats) is converted to a planar format first; a grey one
        becomes 4:2:0. The given frame may be overwritten. `aspect` is the width of a pixel over its height.
        """
        native = to_native(frame)
        turn = round(frame.rotation / 90) % 4
        look = Look(native.width, native.height, native.format.name, frame.colorspace, frame.color_range, aspect, turn)
        if look != self.look:
            self.begin(frame, native, look)
        self.colorizer.strength = self.strength
        with OneCvThread():
            (item,) = self.colorizer.push(self.colorizer.prepare(self.number, native))
            done: av.VideoFrame
            (done,) = self.colorizer.merge(item)
        self.number += 1
        encoding = self.memory.settings.encoding
        done.colorspace = encoding.matrix
        done.color_range = FULL_RANGE if encoding.full_range else LIMITED_RANGE
        return done

    def begin(self, frame: av.VideoFrame, native: av.VideoFrame, look: Look) -> None:
        """Start a new picture: keep nothing of the one before."""
        width, height, name = look.width, look.height, look.pix_fmt
        encoding = encoding_of(frame.format.name, name, width, height, look.matrix, look.color_range)
        pix_fmt = choose_format(FORMATS, name, None, "live")
        settings = VideoSettings(
            "", (), width, height, pix_fmt, replace(encoding, depth=layout(pix_fmt).depth),
            frame.time_base or Fraction(1, CLOCK_RATE), None, look.aspect, None, UNSPECIFIED, UNSPECIFIED,
        )  # fmt: skip
        size = ProxySize.fit(width, height, self.options.size, float(look.aspect), look.turn)
        self.memory = HostFrames(encoding, size, settings, compare=False)
        network, clocks = Network(self.backend, size), (self.clock,) * 3
        self.colorizer = FrameColorizer(self.memory, network, self.options, live=True, clocks=clocks)
        self.look, self.resets = look, self.resets + 1
