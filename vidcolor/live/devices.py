"""Cameras: how they are named, listed and opened on each system, by FFmpeg's device of that system."""

from __future__ import annotations

import errno
import platform
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
from av.container import InputContainer

from vidcolor.errors import InputError
from vidcolor.live.options import CameraRequest
from vidcolor.video.faults import reason

APIS = {"Linux": "v4l2", "Darwin": "avfoundation", "Windows": "dshow"}  # FFmpeg's input device for cameras
WEBCAM = re.compile(r"webcam(?::(.+))?")
OPEN_SECONDS, READ_SECONDS = 10.0, 5.0  # time limits, after which a camera counts as gone


@dataclass(frozen=True)
class Camera:
    """A camera as FFmpeg opens it."""

    address: str
    name: str  # for people


def is_camera(source: str) -> bool:
    """Whether `source` names a camera: webcam, webcam:1, webcam:NAME or a device file."""
    return WEBCAM.fullmatch(source) is not None or source.startswith("/dev/video")


def api() -> str:
    """FFmpeg's input device for the cameras of this system.

    Raises:
        InputError: there is none.
    """
    found = APIS.get(platform.system())
    if found is None or not any(found in name.split(",") for name in av.formats_available):
        raise InputError(f"webcam: FFmpeg reaches no cameras on {platform.system()} here; give a file or a stream")
    return found


def list_cameras() -> list[Camera]:
    """The cameras of this machine, in the system's order."""
    name = api()
    try:
        found = [d for d in av.enumerate_input_devices(name) if "video" in (d.media_types or ["video"])]
    except (av.FFmpegError, NotImplementedError):  # a device that cannot list, or a driver that does not answer
        found = []
    cameras = [Camera(d.name, d.description or d.name) for d in found]
    if name == "v4l2" and not cameras:
        cameras = [Camera(str(p), p.name) for p in sorted(Path("/dev").glob("video*"))]
    return cameras


def find_camera(source: str) -> Camera:
    """The camera that `source` names.

    Raises:
        InputError: there is no such camera.
    """
    if source.startswith("/dev/"):
        return Camera(source, source)
    match = WEBCAM.fullmatch(source)
    assert match is not None
    wanted, cameras = match[1] or "0", list_cameras()
    if wanted.isdigit() and int(wanted) < len(cameras):
        return cameras[int(wanted)]
    for camera in cameras:
        if wanted.casefold() in (camera.address.casefold(), camera.name.casefold()):
            return camera
    if not cameras:
        raise InputError(f"{source}: no camera is connected; plug one in, or give a file or stream instead")
    raise InputError(f"{source}: there is no such camera; choose from {described(cameras)}")


def described(cameras: list[Camera]) -> str:
    return ", ".join(f"webcam:{i} ({c.name})" for i, c in enumerate(cameras))


def attempts(name: str, request: CameraRequest) -> Iterator[dict[str, str]]:
    """Options to open a camera with, the best first: compressed pictures, as raw ones are often too much for USB 2."""
    size, rate = {"video_size": f"{request.width}x{request.height}"}, {"framerate": f"{request.rate:g}"}
    if name == "v4l2":
        yield {**size, **rate, "input_format": "mjpeg"}
    if name == "dshow":
        yield {**size, **rate, "vcodec": "mjpeg", "rtbufsize": "64M"}
    if name == "avfoundation":
        yield {**size, **rate, "pixel_format": "nv12"}
    yield {**size, **rate}
    yield rate
    yield {}


def open_camera(source: str, request: CameraRequest) -> InputContainer:
    """Open the camera that `source` names, as close to the request as possible.

    Raises:
        InputError: it is missing, in use, not permitted, or gives no picture.
    """
    name, camera = api(), find_camera(source)
    address = f"video={camera.address}" if name == "dshow" else camera.address
    error: Exception | None = None
    for options in attempts(name, request):
        try:
            return av.open(address, "r", format=name, options=options, timeout=(OPEN_SECONDS, READ_SECONDS))
        except (av.FFmpegError, OSError, ValueError) as failure:
            error = failure
            if isinstance(failure, OSError) and failure.errno in REFUSALS:
                break  # other options will not help
    assert error is not None
    raise InputError(f"{source}: {refusal(error, camera)}") from error


REFUSALS = {
    errno.EBUSY: "is used by another program; close that, or choose another camera (vidcolor webcam --list)",
    errno.EACCES: "no permission to use it; allow the camera for this program, or join the group video",
    errno.EPERM: "no permission to use it; allow the camera for this program, or join the group video",
    errno.ENOENT: "there is no such camera; see vidcolor webcam --list",
    errno.ENODEV: "the camera is gone; plug it in again",
    errno.ENXIO: "the camera is gone; plug it in again",
}


def refusal(error: Exception, camera: Camera) -> str:
    """Why a camera cannot be used, and what to do."""
    number = getattr(error, "errno", None)
    if number in REFUSALS:
        return REFUSALS[number]
    return f"{camera.name} gives no picture, {reason(error)}; try other --video-size and --framerate"
