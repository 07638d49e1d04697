"""Live pictures with a real WebRTC peer: coloured, bounded, and let go of however they end."""

from __future__ import annotations

import asyncio
import contextlib
import math
import re

import aioice.ice
import numpy as np
import pytest
from aiortc import RTCSessionDescription

from tests.live.caller import Caller, calling, colourfulness, until_over, until_seen
from tests.live.server import Site, refused, run, running, until, visiting
from vidcolor.live.serve.limits import Limits

pytestmark = [pytest.mark.usefixtures("own_temp"), pytest.mark.timeout(120)]
NO_STRENGTHS = ("x", "1", "nan", None, [1], {}, True, -0.1, 9, 10**400, math.nan, math.inf, -math.inf)


def is_free(site: Site) -> bool:
    return not site.server.peers.peers and not site.server.peers.tasks


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
            caller.say({"strength": 1.25})
            for message in ("", "no json", b"\xff\x00", "[" * 5000, "5", "[]", "null", '"strength"', {"ping": 10**400},
                            {"ping": {}}, {"ping": math.nan}, {"ping": True}, "x" * 60_000):  # fmt: skip
                caller.say(message)
            for strength in NO_STRENGTHS:
                caller.say({"strength": strength})
            caller.say({"ping": 7})
            await until(lambda: {"pong": 7.0} in caller.heard, "the pong")
            (peer,) = site.server.peers.peers.values()  # it is still there
            assert peer.colorizer.strength == 1.25
            refused = [told for told in caller.heard if "error" in told]
            assert refused == [{"error": "strength is a number from 0 to 2"}] * len(NO_STRENGTHS)
            assert not [told for told in caller.heard if "pong" in told and told["pong"] != 7]
            await until_seen(caller, lambda rgb: rgb.mean() > 5, "a picture")

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
            offers += [{}, {"sdp": 5, "type": "offer"}, {"sdp": sdp, "type": "answer"}]
            offers += [{**good, "strength": strength} for strength in NO_STRENGTHS]
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
    monkeypatch.setattr(aioice.ice, "CONSENT_INTERVAL", 0.3)  # ICE takes six of them without an answer for the end

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
            for delay in np.linspace(0.0, 0.05, 20):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(visitor.post("/api/live", json=offer), delay)
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
