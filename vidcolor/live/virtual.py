"""Coloured frames as a camera that other programs see, by pyvirtualcam."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vidcolor.errors import BackendError, OutputError
from vidcolor.live.session import Shown

if TYPE_CHECKING:
    from pyvirtualcam import Camera

RATE = 30.0  # frames a second that the camera announces


class VirtualCamera:
    """An output of `LiveSession`: a virtual camera of the size that the first frame has.

    `device` is a name for the driver (v4l2loopback's /dev/video2), or empty for the first that is free.

    Raises:
        BackendError: pyvirtualcam is not installed.
        OutputError: there is no virtual camera driver, from the first frame on.
    """

    def __init__(self, device: str = "") -> None:
        try:
            import pyvirtualcam
        except ImportError as error:
            raise BackendError("the virtual camera needs pyvirtualcam: pip install pyvirtualcam") from error
        self.library, self.device = pyvirtualcam, device
        self.camera: Camera | None = None

    def __call__(self, shown: Shown) -> None:
        frame = shown.frame
        if self.camera is None:
            self.camera = self.open(frame.width - frame.width % 2, frame.height - frame.height % 2)
        picture = frame.reformat(self.camera.width, self.camera.height, "yuv420p", dst_color_range=1)
        self.camera.send(np.ascontiguousarray(picture.to_ndarray()).reshape(-1))

    def open(self, width: int, height: int) -> Camera:
        try:
            return self.library.Camera(
                width, height, RATE, fmt=self.library.PixelFormat.I420, device=self.device or None
            )
        except (RuntimeError, ValueError) as error:
            which = f"{self.device} is none" if self.device else "there is none"
            raise OutputError(
                f"virtual camera: {which}; load v4l2loopback, or on macOS and Windows start OBS's virtual camera once"
            ) from error

    def close(self) -> None:
        if self.camera is not None:
            self.camera.close()
            self.camera = None
