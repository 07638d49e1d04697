"""Live pictures over WebRTC: a visitor's camera in, the same in colour back, newest frame first."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
import time
from collections import deque
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import av
from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack
from aiortc.codecs import h264, vpx
from aiortc.exceptions import InvalidStateError
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from vidcolor.backends import Backend
from vidcolor.live.colorizer import LiveColorizer
from vidcolor.live.serve.backend import Priority
from vidcolor.live.serve.limits import NO_STRENGTH, Limits, is_number, is_strength
from vidcolor.options import ColorOptions

LOG = logging.getLogger(__name__)
BITRATE, HIGHEST_BITRATE = 2_000_000, 6_000_000  # of the coloured picture, bits a second
SDP_BYTES, SDP_LINES = 32 * 1024, 4  # of an offer; media in it, each of which may take sockets of its own
CANDIDATES = 100  # addresses in an offer, to each of which packets go
UNSENT_BYTES = 64 * 1024  # that may wait in a control channel before it is no longer written to
LATEST = 1e15  # ms, of a ping
REPORT_SECONDS = 1.0


def raise_bitrates() -> None:
    """aiortc begins at half a megabit, which smears a picture of 480 lines for its first seconds."""
    for codec in (vpx, h264):
        for name, value in (("DEFAULT_BITRATE", BITRATE), ("MAX_BITRATE", HIGHEST_BITRATE)):
            setattr(codec, name, value)


class ColouredTrack(VideoStreamTrack):
    """The frames of `source` in colour; those that come too fast are dropped and counted."""

    def __init__(
        self, source: MediaStreamTrack, colorizer: LiveColorizer, pool: ThreadPoolExecutor, priority: Priority,
        max_pixels: int,
    ) -> None:  # fmt: skip
        super().__init__()
        self.max_pixels = max_pixels
        self.source, self.colorizer, self.pool, self.priority = source, colorizer, pool, priority
        self.newest: tuple[av.VideoFrame, float] | None = None
        self.came = asyncio.Event()
        self.dropped, self.size = 0, (0, 0)
        self.times: deque[tuple[float, float]] = deque(maxlen=60)  # when sent, and seconds within the server
        self.reading = asyncio.ensure_future(self.read())

    async def read(self) -> None:
        try:
            while True:
                frame = await self.source.recv()
                assert isinstance(frame, av.VideoFrame)
                if frame.width * frame.height > self.max_pixels:
                    LOG.warning("a live picture of %sx%s is larger than the server takes", frame.width, frame.height)
                    raise MediaStreamError
                self.dropped += self.newest is not None
                self.newest = (frame, time.monotonic())
                self.came.set()
        except MediaStreamError:
            self.stop()
            self.came.set()

    async def recv(self) -> av.VideoFrame:
        await self.came.wait()
        if self.newest is None:
            raise MediaStreamError
        (frame, came), self.newest = self.newest, None
        if self.readyState == "live":
            self.came.clear()
        pts, base = frame.pts, frame.time_base
        self.priority.mark_live()
        try:
            done = await asyncio.get_running_loop().run_in_executor(self.pool, self.colorizer.color, frame)
        except Exception as error:  # a picture that cannot be coloured ends this live picture, and nothing else
            LOG.warning("a live picture ended: %s: %s", type(error).__name__, error)
            self.stop()
            raise MediaStreamError from error
        done.pts, done.time_base = pts, base
        self.size = done.width, done.height
        now = time.monotonic()
        self.times.append((now, now - came))
        return done

    def stop(self) -> None:
        super().stop()
        self.reading.cancel()

    def report(self) -> dict[str, Any]:
        """Rate and delay of the last frames."""
        now = time.monotonic()
        last = [(t, d) for t, d in self.times if now - t < 3.0]
        span = last[-1][0] - last[0][0] if len(last) > 1 else 0.0
        return {
            "fps": round((len(last) - 1) / span, 1) if span > 0 else 0.0,
            "server_ms": round(1000 * sum(d for _, d in last) / len(last)) if last else None,
            "dropped": self.dropped, "width": self.size[0], "height": self.size[1],
        }  # fmt: skip


class Peer:
    """One live picture."""

    def __init__(self, visitor: str, colorizer: LiveColorizer) -> None:
        self.id, self.visitor, self.colorizer = secrets.token_urlsafe(12), visitor, colorizer
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))  # aiortc would ask a server of Google's
        self.track: ColouredTrack | None = None
        self.waiting: asyncio.Future[None] | None = None
        self.reporting: asyncio.Future[None] | None = None
        self.closing = False


class Peers:
    """All live pictures of the server; one thread colours them all, one frame at a time."""

    def __init__(self, backend: Backend, options: ColorOptions, limits: Limits, priority: Priority) -> None:
        self.backend, self.options, self.limits, self.priority = backend, options, limits, priority
        self.peers: dict[str, Peer] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.pool = ThreadPoolExecutor(1, "colour")
        raise_bitrates()

    def has_room(self, visitor: str) -> str:
        """Why this visitor may not have a live picture now; empty where it may."""
        own = sum(p.visitor == visitor for p in self.peers.values())
        if own >= self.limits.max_visitor_peers:
            return "you have a live picture already; stop it first"
        if len(self.peers) >= self.limits.max_peers:
            return "as many live pictures as the server takes are on already; try again later"
        return ""

    async def answer(self, visitor: str, sdp: str, strength: float) -> dict[str, str]:
        """Take an offer.

        Raises:
            ValueError: the offer cannot be read, or offers no picture.
        """
        if len(re.findall("^m=", sdp, re.MULTILINE)) > SDP_LINES:
            raise ValueError("more is offered than a picture, sound and a channel")
        if sdp.count("a=candidate:") > CANDIDATES:
            raise ValueError("more addresses are named than a machine has")
        if "a=fingerprint:" not in sdp:  # which aiortc finds out too late to say so
            raise ValueError("no certificate is named")
        colorizer = LiveColorizer(self.backend, self.options)
        colorizer.strength = strength
        peer = Peer(visitor, colorizer)
        self.peers[peer.id] = peer
        self.listen(peer)
        try:
            await peer.connection.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
            if peer.track is None:
                raise ValueError("no picture is offered")
            for line in peer.connection.getTransceivers():
                if line.sender.track is None:  # sound, a second picture: they would be decoded and pile up unread
                    line.direction = "inactive"
            await peer.connection.setLocalDescription(await peer.connection.createAnswer())
        except BaseException as error:  # aiortc raises whatever its parser stumbles over; or the visitor is gone
            await self.close_peer(peer)
            if not isinstance(error, Exception):
                raise
            raise ValueError(str(error) or type(error).__name__) from error
        peer.waiting = asyncio.ensure_future(self.give_up(peer))
        return {"id": peer.id, "type": "answer", "sdp": peer.connection.localDescription.sdp}

    def listen(self, peer: Peer) -> None:
        connection = peer.connection

        @connection.on("track")
        def on_track(track: MediaStreamTrack) -> None:
            if track.kind == "video" and peer.track is None:
                pixels = self.limits.max_live_pixels
                peer.track = ColouredTrack(track, peer.colorizer, self.pool, self.priority, pixels)
                peer.track.on("ended", lambda: self.spawn(self.close_peer(peer)))
                connection.addTrack(peer.track)

        @connection.on("datachannel")
        def on_channel(channel: RTCDataChannel) -> None:
            channel.on("message", lambda message: self.on_message(peer, channel, message))
            if peer.reporting is None:
                peer.reporting = asyncio.ensure_future(self.report(peer, channel))

        @connection.on("connectionstatechange")
        def on_state() -> None:
            if connection.connectionState in ("failed", "closed"):
                self.spawn(self.close_peer(peer))

    def on_message(self, peer: Peer, channel: RTCDataChannel, message: str | bytes) -> None:
        """Strength and pings; a strength that is out of range is refused, everything else is ignored."""
        reply: dict[str, Any] = {}
        try:
            told = json.loads(message[:1000])
            if not isinstance(told, dict):
                return
            if is_strength(strength := told.get("strength", peer.colorizer.strength)):
                peer.colorizer.strength = float(strength)
            else:
                reply["error"] = NO_STRENGTH
            if is_number(told.get("ping"), 0.0, LATEST):
                reply["pong"] = told["ping"]
            if reply and channel.bufferedAmount < UNSENT_BYTES:
                channel.send(json.dumps(reply))
        except (ValueError, RecursionError, InvalidStateError):
            pass

    async def report(self, peer: Peer, channel: RTCDataChannel) -> None:
        while channel.readyState == "open":
            if peer.track is not None and channel.bufferedAmount < UNSENT_BYTES:
                channel.send(json.dumps(peer.track.report()))
            await asyncio.sleep(REPORT_SECONDS)

    async def give_up(self, peer: Peer) -> None:
        """Let go of a peer that never came."""
        await asyncio.sleep(self.limits.connect_seconds)
        if peer.connection.connectionState != "connected":
            self.spawn(self.close_peer(peer))

    async def stop(self, visitor: str, id: str) -> bool:
        peer = self.peers.get(id)
        if peer is None or peer.visitor != visitor:
            return False
        await self.close_peer(peer)
        return True

    async def close_peer(self, peer: Peer) -> None:
        if peer.closing:
            return
        peer.closing = True
        self.peers.pop(peer.id, None)
        for task in (peer.waiting, peer.reporting):
            if task is not None:
                task.cancel()
        if peer.track is not None:
            peer.track.stop()
        try:
            await peer.connection.close()
        except Exception as error:  # one that an odd offer has left half made; nothing of it has begun
            LOG.debug("a live picture did not close: %r", error)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def close(self) -> None:
        for peer in list(self.peers.values()):
            await self.close_peer(peer)
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.pool.shutdown(wait=True)
