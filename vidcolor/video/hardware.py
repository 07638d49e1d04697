"""NVDEC and NVENC: whether this machine and this film can use them, and if not, why."""

from __future__ import annotations

from dataclasses import replace

import av
from av.codec.hwaccel import HWAccel
from av.video.codeccontext import VideoCodecContext

from vidcolor.options import EncodeOptions
from vidcolor.video.device import cuda_accel
from vidcolor.video.encoder import VideoSettings, encoder_options
from vidcolor.video.faults import reason

NVENC = {"x264": "h264_nvenc"}  # what is taken in a codec's place where the user named none
ON_CARD = {"yuv420p": "nv12", "yuv420p10le": "p010le"}  # planar formats, as DLPack hands them to NVENC
FAULTS = (av.FFmpegError, ValueError, RuntimeError)


def find_decoder() -> tuple[HWAccel | None, str]:
    """Settings for NVDEC, or None and a line that says why the CPU decodes."""
    accel = cuda_accel()
    try:
        accel.create(av.Codec("h264", "r"))
    except FAULTS as error:
        return None, f"decoding on the CPU: NVDEC does not start here, {reason(error)}"
    return accel, ""


def choose_encoder(settings: VideoSettings, options: EncodeOptions, codec: str) -> tuple[VideoSettings, str]:
    """`settings` for NVENC where it can do them, else as they are; and a line that says which and why.

    A codec or preset that the user named belongs to an encoder on the CPU, and he gets that one.
    """
    why = unsuited(settings, options, codec)
    if not why:
        made = for_nvenc(settings, options, codec)
        fault = try_encoder(made)
        if not fault:
            return made, f"encoding on the card: {made.encoder}"
        why = f"NVENC does not start here, {fault}"
    return settings, f"encoding on the CPU ({settings.encoder}): {why}"


def unsuited(settings: VideoSettings, options: EncodeOptions, codec: str) -> str:
    """Why NVENC is out of the question, whatever the card; empty where it is not."""
    if options.codec is not None:
        return f"{codec} was asked for"
    if codec not in NVENC:
        return f"NVENC has no {codec}"
    if options.preset is not None:
        return f"preset {options.preset} is one of {codec}'s"
    if settings.pix_fmt not in ON_CARD:
        return f"NVENC takes no {settings.pix_fmt} from the card's memory"
    if settings.field_order is not None:
        return "the film is interlaced"
    return ""


def for_nvenc(settings: VideoSettings, options: EncodeOptions, codec: str) -> VideoSettings:
    """The same stream by NVENC, from frames on the card."""
    encoder = NVENC[codec]
    told = encoder_options(codec, encoder, options)
    return replace(settings, encoder=encoder, options=told, pix_fmt=ON_CARD[settings.pix_fmt], on_card=True)


def try_encoder(settings: VideoSettings) -> str:
    """Why no encoder with `settings` opens here; empty where one does."""
    try:
        context = av.CodecContext.create(settings.encoder, "w", settings.accel)
        assert isinstance(context, VideoCodecContext)
        settings.configure(context)
        context.open()
    except FAULTS as error:
        return reason(error)
    return ""
