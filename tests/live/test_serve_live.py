"""Live pictures with a real WebRTC peer: coloured, bounded, and let go of however they end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import av
import numpy as np
import pytest

pytest.importorskip("aiohttp")
pytest.importorskip("aiortc")

import aiohttp
import aioice.ice
from aiortc import AudioStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack
from aiortc.mediastreams import MediaStreamError

from tests.conftest import SAMPLE
from tests.live.server import Site, refused, run, running, until, visiting
from vidcolor.live.serve.limits import Limits

pytestmark = [pytest.mark.usefixtures("own_temp"), pytest.mark.timeout(120)]


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


def is_free(site: Site) -> bool:
    return not site.server.peers.peers and not site.server.peers.tasks


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


def test_a_live_picture_comes_back_coloured_and_alive(colorizer):
    async def work():
        async with running(colorizer) as site, visiting(site) as visitor, calling(visitor) as caller:
            await until_seen(caller, lambda rgb: colourfulness(rgb) > 10, "colour")
            seen = [await caller.frame() for _ in range(6)]
            assert {f.shape for f in seen} == {(240, 320, 3)}  # neither scaled nor cropped
            assert len({f.tobytes() for f in seen}) >= 4
            assert all(f.mean() > 5 for f in seen)
            await until(lambda: caller.channel.readyState == "open", "the control channel")
            caller.say({"ping": 12.5})
            await until(lambda: {"pong": 12.5} in caller.heard, "the pong")
            reports = lambda: [m for m in caller.heard if m.get("fps", 0) > 0]  # noqa: E731
            await until(reports, "a report")
            report = reports()[-1]
            assert set(report) == {"fps", "server_ms", "dropped", "width", "height"}
            assert (report["width"], report["height"]) == (320, 240)
            caller.say({"strength": 0})
            await until_seen(caller, lambda rgb: colourfulness(rgb) < 3, "grey")
            caller.say({"strength": 1.5})
            await until_seen(caller, lambda rgb: colourfulness(rgb) > 10, "colour again")
            assert (await visitor.delete(f"/api/live/{caller.answer['id']}")).status == 204
            await refused(await visitor.delete(f"/api/live/{caller.answer['id']}"), 404)
            await until(lambda: is_free(site), "the peer to go")
            await until_over(caller)

    run(work)


def test_a_camera_that_is_turned_goes_on(colorizer):
    async def work():
        async with running(colorizer) as site, visiting(site) as visitor, calling(visitor) as caller:
            for width, height in ((320, 240), (240, 320), (160, 120)):
                caller.camera.resize(width, height)
                await until_seen(
                    caller, lambda rgb, w=width, h=height: rgb.shape[:2] == (h, w) and colourfulness(rgb) > 10, "colour"
                )

    run(work)


def test_nonsense_on_the_control_channel_does_no_harm(colorizer):
    async def work():
        async with running(colorizer) as site, visiting(site) as visitor, calling(visitor) as caller:
            await until(lambda: caller.channel.readyState == "open", "the control channel")
            for message in ("", "no json", b"\xff\x00", "[" * 5000, "5", "[]", "null", '"strength"', {"strength": "x"},
                            {"strength": None}, {"strength": [1]}, {"ping": 10**400}, {"strength": 1e999},
                            {"strength": float("nan")}, {"ping": {}}, "x" * 60_000):  # fmt: skip
                caller.say(message)
            caller.say({"ping": 7})
            await until(lambda: {"pong": 7.0} in caller.heard, "the pong")
            assert all(0.0 <= p.colorizer.strength <= 2.0 for p in site.server.peers.peers.values())

    run(work)


def test_offers_that_cannot_be_read_get_a_400(colorizer):
    async def work():
        async with running(colorizer) as site, visiting(site) as visitor:
            deaf = Caller(picture=False, sound=True)
            caller = Caller()
            sound, good = await deaf.offer(), await caller.offer()
            sdp = good["sdp"]
            media = sdp[sdp.index("m=video") : sdp.index("m=application")]
            wrong = ["", "v=0", "m=", "\0" * 100, "m=video 9 X 1\r\n" * 3, sdp[: len(sdp) // 2], sdp + media * 5,
                     sdp.replace("m=video", "m=cinema"),
                     sdp.replace("a=fingerprint:", "a=thumb:"), sdp.replace("a=ice-ufrag", "a=u"),
                     sdp.replace("a=rtpmap:", "a=rtpmap:x"),
                     sdp.replace("a=sendrecv", "a=recvonly"), sound["sdp"], sdp + "x" * 33_000,
                     sdp + "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n" * 101]  # fmt: skip
            offers = [{"sdp": text, "type": "offer"} for text in wrong]
            offers += [{}, {"sdp": 5, "type": "offer"}, {"sdp": sdp, "type": "answer"}, {**good, "strength": 9},
                       {**good, "strength": "x"}, {**good, "strength": True}]  # fmt: skip
            for offer in offers:
                async with visitor.post("/api/live", json=offer) as response:
                    told = await response.json()
                    assert response.status == 400, (response.status, offer)
                    assert "\n" not in told["error"]
                assert site.server.peers.peers == {}, offer
            await caller.connection.close()
            await deaf.connection.close()
            async with calling(visitor) as caller:  # and one that can be
                await until_seen(caller, lambda rgb: colourfulness(rgb) > 10, "colour")

    run(work)


def test_live_pictures_are_bounded_and_each_visitors_own(colorizer):
    async def work():
        async with running(colorizer) as site, visiting(site) as one, visiting(site) as two, visiting(site) as three:
            async with calling(one) as first, calling(two):
                fourth = Caller()
                offer = await fourth.offer()
                assert "you have" in await refused(await one.post("/api/live", json=offer), 429)
                assert "on already" in await refused(await three.post("/api/live", json=offer), 429)
                await refused(await three.delete(f"/api/live/{first.answer['id']}"), 404)
                assert len(site.server.peers.peers) == 2
                assert (await one.delete(f"/api/live/{first.answer['id']}")).status == 204
                await fourth.call(three)
                await until_seen(fourth, lambda rgb: colourfulness(rgb) > 10, "colour")
                await fourth.connection.close()
            await until(lambda: is_free(site), "the peers to go")

    run(work)


def test_a_peer_that_says_goodbye_is_let_go(colorizer):
    async def work():
        async with running(colorizer) as site, visiting(site) as visitor:
            for _ in range(2):
                async with calling(visitor) as caller:
                    await caller.frame()
                await until(lambda: is_free(site), "the peer to go")

    run(work)


def test_a_peer_that_vanishes_is_let_go(colorizer, monkeypatch):
    monkeypatch.setattr(aioice.ice, "CONSENT_INTERVAL", 0.3)  # the clock of ICE, six times of which is patience

    async def work():
        async with running(colorizer) as site, visiting(site) as visitor:
            async with calling(visitor) as caller:
                await caller.frame()
                await caller.vanish()
                await until(lambda: is_free(site), "the peer to go")
            async with calling(visitor) as caller:
                await caller.frame()

    run(work)


def test_a_peer_that_never_comes_is_let_go(colorizer):
    async def work():
        async with running(colorizer, Limits(connect_seconds=0.5)) as site, visiting(site) as visitor:
            caller = Caller()
            async with visitor.post("/api/live", json=await caller.offer()) as response:
                assert response.status == 201
            await until(lambda: is_free(site), "the peer to go")
            await caller.connection.close()

    run(work)


def test_callers_who_hang_up_before_they_are_answered_leave_nothing(colorizer):
    async def work():
        limits = Limits(connect_seconds=0.5, max_visitor_peers=99, max_peers=99)
        async with running(colorizer, limits) as site, visiting(site) as visitor:
            caller = Caller()
            offer = await caller.offer()
            for patience in np.linspace(0.0, 0.05, 20):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(visitor.post("/api/live", json=offer), patience)
            await until(lambda: is_free(site), "the peers to go")
            await caller.connection.close()

    run(work)


def test_a_peer_that_is_not_who_the_offer_says_is_let_go(colorizer):
    async def work():
        async with running(colorizer) as site, visiting(site) as visitor:
            caller = Caller()
            offer = await caller.offer()
            turned = re.sub(r"(a=fingerprint:\S+ )(\S+)", lambda m: m[1] + m[2][::-1], offer["sdp"])
            async with visitor.post("/api/live", json={**offer, "sdp": turned}) as response:
                assert response.status == 201  # it is found out when the peer comes
                answer = await response.json()
            await caller.connection.setRemoteDescription(RTCSessionDescription(answer["sdp"], "answer"))
            await until(lambda: is_free(site), "the peer to go")
            await caller.connection.close()

    run(work)


def test_sound_is_not_taken(colorizer):
    async def work():
        async with running(colorizer) as site, visiting(site) as visitor, calling(visitor, sound=True) as caller:
            await until_seen(caller, lambda rgb: colourfulness(rgb) > 10, "colour")
            assert {t.kind: t.currentDirection for t in caller.connection.getTransceivers()} == {
                "video": "sendrecv", "audio": "inactive"}  # fmt: skip

    run(work)


def test_a_live_picture_that_is_too_large_ends(colorizer):
    async def work():
        limits = Limits(max_live_pixels=10_000)
        async with running(colorizer, limits) as site, visiting(site) as visitor, calling(visitor):
            await until(lambda: len(site.server.peers.peers) == 0, "the peer to go")

    run(work)


def test_a_server_that_ends_hangs_up(colorizer):
    async def work():
        async with running(colorizer) as site, visiting(site) as visitor:
            caller = Caller()
            await caller.call(visitor)
            await caller.frame()
        await until_over(caller)
        await caller.connection.close()

    run(work)
