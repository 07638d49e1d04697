"""Frames in a card's memory, as PyAV knows them: how to get them there, and which may stay."""

from __future__ import annotations

import av
from av.codec.hwaccel import HWAccel

from vidcolor.video.sidedata import carries

SEMIPLANAR = {8: "nv12", 10: "p010le", 12: "p016le"}  # what NVDEC gives by the depth of the luma; samples at the top
CUDA = 2  # AV_HWDEVICE_TYPE_CUDA


def cuda_accel() -> HWAccel:
    """Settings that keep frames on the card, in the CUDA context that is current on the calling thread.

    FFmpeg refuses the primary context once torch has made it, because it wants other scheduling flags; the current one
    is the same context and is taken as it is.
    """
    options: dict[str, object] = {"primary_ctx": "0", "current_ctx": "1"}
    return HWAccel("cuda", allow_software_fallback=True, options=options, is_hw_owned=True)


def no_nvdec(ctx: av.VideoCodecContext) -> str:
    """Why FFmpeg's decoder cannot hand its work to NVDEC; empty where it can, though the card may refuse a size."""
    if not any(config.device_type == CUDA and config.is_supported for config in ctx.codec.hardware_configs):
        return f"FFmpeg's {ctx.codec.name} decoder has no NVDEC"
    if ctx.name == "h264" and "4:4:4" in (ctx.profile or ""):  # lossless H.264 has it too: FFmpeg does not ask the card
        return f"NVDEC has no H.264 of the profile {ctx.profile}"
    return ""


def off_card(frame: av.VideoFrame, width: int, height: int, depth: int) -> str:
    """Why a decoded frame of a film of that size and depth cannot stay on the card; empty where it can.

    What a frame carries beside its samples cannot be put on one that is made anew from the card's memory.
    """
    held = frame.sw_format
    if held is None:
        return "NVDEC refuses them"
    if held.name != SEMIPLANAR.get(depth):
        return f"{held.name} cannot be handed over"
    if (frame.width, frame.height) != (width, height):
        return "they came in another size"
    if frame.interlaced_frame:
        return "they are interlaced"
    if carries(frame, "A53_CC"):
        return "they carry captions"
    return ""
