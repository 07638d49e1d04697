"""Frames that stay on an NVIDIA card: NVDEC, torch and NVENC share its memory by DLPack.

Only the luma proxy comes to the CPU, where smoother and network input work on it as always, and the filter's
coefficients go back. All kernels run on the default stream, as NVDEC's copies and NVENC's reads do, so that no step has
to wait for another one; only downloads have a stream of their own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace

import av
import numpy as np
import torch
from av.video.frame import CudaContext
from torch import Tensor
from torch.utils.dlpack import from_dlpack

from vidcolor.color.encoding import Encoding, luma_to_lightness
from vidcolor.color.proxy import LumaProxy, make_proxy
from vidcolor.frames.host import HostFrames
from vidcolor.frames.item import Colored
from vidcolor.merge.chroma import chroma_coefficients
from vidcolor.merge.tensors import Fused, Shape, code_values, color_planes, proxy_codes
from vidcolor.options import EncodeOptions
from vidcolor.video.device import SEMIPLANAR
from vidcolor.video.encoder import VideoSettings, source_encoding
from vidcolor.video.formats import FULL_RANGE, LIMITED_RANGE, STEPS, copy_properties, layout, plane
from vidcolor.video.hardware import choose_encoder, find_decoder
from vidcolor.video.reader import Reader

AHEAD = 1  # frames whose download goes on while the one before is encoded
WORTH_COMPILING = 1000  # frames: the compiler takes some seconds, and saves a fraction of a millisecond a frame


class Card:
    """What the card does for one film; `notes` gets a line for each step that runs elsewhere, and why."""

    def __init__(self, notes: list[str], device: str = "cuda") -> None:
        self.device, self.notes = torch.device(device), notes
        self.fused = Fused(color_planes, compiles=False)
        torch.zeros(1, device=self.device)  # makes torch's context the thread's current one, which FFmpeg takes
        self.hwaccel, why = find_decoder()
        if why:
            notes.append(why)

    def settings(self, reader: Reader, settings: VideoSettings, options: EncodeOptions, codec: str) -> VideoSettings:
        """`settings`, for NVENC where it can do them."""
        if self.hwaccel is not None and reader.no_card:
            self.notes.append(f"decoding on the CPU: {reader.no_card}")
        chosen, why = choose_encoder(settings, options, codec)
        self.notes.append(why)
        return chosen

    def frames(self, host: HostFrames, count: int) -> CardFrames:
        """The frames of a film of about `count` of them (0: unknown)."""
        if self.device.type == "cuda" and not 0 < count < WORTH_COMPILING:
            self.fused = Fused(color_planes, compiles=True)
        return CardFrames(host, self.device, self.fused)

    def report(self, reader: Reader) -> None:
        """Note what was found out on the way."""
        for why, count in reader.off_card.items():
            self.notes.append(f"{count} frames went through the CPU's memory: {why}")
        if self.fused.fault:
            self.notes.append(f"merging without torch.compile: {self.fused.fault}")


class CardFrames:
    """`HostFrames` for frames on the card; it gets those that are not there, where the encoder is not there either.

    `merge` may hold a frame back while it is downloaded, and so may give none or several; `finish` gives the rest.
    """

    def __init__(
        self, host: HostFrames, device: torch.device, merge: Callable[..., tuple[tuple[Tensor, ...], Tensor]]
    ) -> None:
        self.host, self.device, self.merge_planes = host, device, merge
        self.size = host.size
        is_cuda = device.type == "cuda"
        self.context = CudaContext(device.index or 0, primary_ctx=False, current_ctx=True) if is_cuda else None
        self.side = torch.cuda.Stream(device) if is_cuda else None
        self.downloads: deque[Download] = deque()
        self.past: Tensor | None = None  # chroma of the frame before, within the shot

    def prepare(self, frame: av.VideoFrame) -> LumaProxy:
        host = self.host
        if not is_semiplanar(frame):
            return host.prepare(frame)
        luma, shift = samples(frame, host.encoding.depth)
        kind = np.uint8 if host.encoding.depth == 8 else np.uint16
        if frame.height < host.size.height or frame.width < host.size.width:  # enlarged, which OpenCV is left to do
            return make_proxy(code_values(luma, shift).cpu().numpy().astype(kind), host.size, host.encoding)
        codes = proxy_codes(luma, shift, host.size).cpu().numpy().astype(kind)
        return LumaProxy(codes, luma_to_lightness(codes, host.encoding))

    def merge(self, item: Colored) -> Iterator[av.VideoFrame]:
        settings = self.host.settings
        if not (is_semiplanar(item.frame) or settings.on_card):
            yield from self.finish()  # in order
            yield from self.host.merge(item)
            return
        parts = self.color(item)
        if settings.on_card:
            yield self.on_card(parts[0], item.frame)
            return
        self.downloads.append(Download(parts, item.frame, settings, self.side))
        while len(self.downloads) > AHEAD:
            yield self.downloads.popleft().frame()

    def finish(self) -> Iterator[av.VideoFrame]:
        while self.downloads:
            yield self.downloads.popleft().frame()

    @torch.inference_mode()
    def color(self, item: Colored) -> tuple[Tensor, ...]:
        """The planes of the output frame, on the card."""
        host = self.host
        source = self.encoding_of(item.frame)
        luma, shift = samples(item.frame, source.depth)
        steps = STEPS[layout(host.settings.pix_fmt).chroma or "420"]
        shape = Shape(source, host.settings.encoding, steps, shift, host.compare, self.size.turn, host.settings.on_card)
        proxy, height = item.proxy, -(-host.settings.height // steps[1])
        if host.compare and self.size.turn % 2:  # two pictures lie above each other
            height = height // 2 if self.size.turn == 3 else height - height // 2
        coefficients = torch.from_numpy(
            chroma_coefficients(proxy.luma, proxy.lightness, item.ab, source, host.settings.encoding, height)
        )
        past = None if item.anew else self.past
        parts, self.past = self.merge_planes(luma.to(self.device), coefficients.to(self.device), shape, past)
        return parts

    def encoding_of(self, frame: av.VideoFrame) -> Encoding:
        if is_semiplanar(frame):  # whose format does not tell twelve bits from sixteen
            return replace(self.host.settings.encoding, depth=self.host.encoding.depth)
        return source_encoding(frame, self.host.settings)

    def on_card(self, rows: Tensor, source: av.VideoFrame) -> av.VideoFrame:
        """A frame for NVENC in the memory of `rows`: those of luma, then those of interleaved chroma."""
        settings = self.host.settings
        luma, chroma = rows[: settings.height, : settings.width], rows[settings.height :, : settings.width]
        frame = av.VideoFrame.from_dlpack((luma, chroma), format=settings.pix_fmt, cuda_context=self.context)
        describe(frame, source, settings)
        return frame


class Download:
    """The planes of a frame on their way to pinned memory, on the stream `side`; on the CPU they are there already."""

    def __init__(
        self, parts: tuple[Tensor, ...], source: av.VideoFrame, settings: VideoSettings, side: torch.cuda.Stream | None
    ) -> None:
        self.parts, self.source, self.settings = parts, source, settings  # kept: `side` reads them until it is done
        self.host = [landing(part, pinned=side is not None) for part in parts]
        self.done = torch.cuda.Event() if side is not None else None
        if side is not None and self.done is not None:
            side.wait_stream(torch.cuda.current_stream(side.device))
            with torch.cuda.stream(side):
                self.copy()
                self.done.record()
        else:
            self.copy()

    def copy(self) -> None:
        for target, part in zip(self.host, self.parts, strict=True):
            target.copy_(part, non_blocking=True)

    def frame(self) -> av.VideoFrame:
        """The frame in the CPU's memory, as soon as it is there."""
        if self.done is not None:
            self.done.synchronize()
        frame = host_frame([part.numpy() for part in self.host], self.settings)
        describe(frame, self.source, self.settings)
        return frame


def landing(part: Tensor, *, pinned: bool) -> Tensor:
    """Room for `part` in the CPU's memory, with a spare row: encoders read on past the last sample."""
    height, width = part.shape
    return torch.empty((height + 1, width), dtype=part.dtype, pin_memory=pinned)[:height]


def host_frame(rows: list[np.ndarray], settings: VideoSettings) -> av.VideoFrame:
    """A frame of the padded `rows` of its planes; in their memory, or copied for odd sizes and alpha."""
    form = layout(settings.pix_fmt)
    across, down = STEPS[form.chroma or "420"]
    widths = settings.width, *[-(-settings.width // across)] * 2
    planes = tuple(part[:, :width] for part, width in zip(rows, widths, strict=True))
    if not (settings.width % across or settings.height % down or form.alpha):
        return av.VideoFrame.from_dlpack(planes, format=settings.pix_fmt)
    frame = av.VideoFrame(settings.width, settings.height, settings.pix_fmt)
    for i, part in enumerate(planes):
        plane(frame, i)[:] = part
    if form.alpha:
        plane(frame, 3)[:] = 2**form.depth - 1
    return frame


def describe(frame: av.VideoFrame, source: av.VideoFrame, settings: VideoSettings) -> None:
    """Time stamps and tags of `source`."""
    copy_properties(source, frame)
    frame.color_range = FULL_RANGE if settings.encoding.full_range else LIMITED_RANGE


def is_semiplanar(frame: av.VideoFrame) -> bool:
    """Whether a frame comes from NVDEC: the reader gives planar ones otherwise."""
    return (frame.sw_format or frame.format).name in SEMIPLANAR.values()


def samples(frame: av.VideoFrame, depth: int) -> tuple[Tensor, int]:
    """A frame's luma as a tensor in the memory it is in, and the number of empty bits below its samples."""
    # the capsule itself, because PyAV does not take the stream that torch would ask for
    luma = from_dlpack(frame.planes[0].__dlpack__())
    return luma, 16 - depth if is_semiplanar(frame) and depth > 8 else 0
