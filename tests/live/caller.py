"""A real WebRTC peer: a film as its camera, and what comes back of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import av
import numpy as np
from aiortc import AudioStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack
from aiortc.mediastreams import MediaStreamError

from tests.conftest import SAMPLE


class Camera(VideoStreamTrack):
    """The sample's frames, grey, 30 a second, again and again."""

    def __init__(self) -> None:
        super().__init__()
        self.resize(320, 240)
        self.sent = 0

    def resize(self, width: int, height: int) -> None:
        with av.open(str(SAMPLE)) as film:
            self.frames = [f.reformat(width, height, "gray").reformat(format="yuv420p") for f in film.decode(video=0)]

    async def recv(self) -> av.VideoFrame:
        pts, base = await self.next_timestamp()
        frame = self.frames[self.sent % len(self.frames)]
        frame.pts, frame.time_base = pts, base
        self.sent += 1
        return frame


class Caller:
    """A visitor's side of a live picture."""

    def __init__(self, *, sound: bool = False, picture: bool = True) -> None:
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.heard: list[dict] = []
        self.back = None
        self.connection.on("track", self.take)
        self.camera = Camera()
        if picture:
            self.connection.addTrack(self.camera)
        if sound:
            self.connection.addTrack(AudioStreamTrack())
        self.channel = self.connection.createDataChannel("control")
        self.channel.on("message", lambda text: self.heard.append(json.loads(text)))

    def take(self, track) -> None:
        if track.kind == "video":
            self.back = track

    async def offer(self) -> dict:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return {"sdp": self.connection.localDescription.sdp, "type": "offer", "strength": 1.0}

    async def call(self, visitor: aiohttp.ClientSession) -> dict:
        async with visitor.post("/api/live", json=await self.offer()) as response:
            assert response.status == 201, await response.text()
            answer = await response.json()
        await self.connection.setRemoteDescription(RTCSessionDescription(answer["sdp"], answer["type"]))
        return answer

    async def frame(self) -> np.ndarray:
        """The next frame that comes back, RGB."""
        assert self.back is not None
        return (await asyncio.wait_for(self.back.recv(), 30)).to_ndarray(format="rgb24")

    def say(self, message: object) -> None:
        self.channel.send(message if isinstance(message, str | bytes) else json.dumps(message))

    async def vanish(self) -> None:
        """As if the cable were pulled: no goodbye, no packet any more."""
        for line in self.connection.getTransceivers():
            for protocol in line.sender.transport.transport._connection._protocols:
                protocol.transport.abort()


@asynccontextmanager
async def calling(visitor: aiohttp.ClientSession, *, sound: bool = False) -> AsyncIterator[Caller]:
    caller = Caller(sound=sound)
    try:
        caller.answer = await caller.call(visitor)
        yield caller
    finally:
        await caller.connection.close()


def colourfulness(rgb: np.ndarray) -> float:
    """Hasler and Suesstrunk's."""
    r, g, b = np.moveaxis(rgb.astype(np.float64), -1, 0)
    rg, yb = r - g, (r + g) / 2 - b
    return float(np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean()))


async def until_seen(caller: Caller, check, what: str) -> np.ndarray:
    for _ in range(300):
        rgb = await caller.frame()
        if check(rgb):
            return rgb
    raise AssertionError(f"300 frames without {what}")


async def until_over(caller: Caller) -> None:
    for _ in range(300):
        try:
            await caller.frame()
        except MediaStreamError:
            return
    raise AssertionError("frames still come back")
