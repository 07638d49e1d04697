"""The server and its limits: a real aiohttp server, real clients, a real WebRTC peer; nothing is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import aiohttp
import av
import numpy as np
import pytest
from aiohttp import web
from aiortc import RTCPeerConnection, RTCSessionDescription, VideoStreamTrack
from PIL import Image

from tests.conftest import SAMPLE
from tests.films import chroma_spread, read
from vidcolor.live.serve.app import Server
from vidcolor.live.serve.guard import COOKIE, Guard
from vidcolor.live.serve.limits import Limits
from vidcolor.live.serve.uploads import clean_name

LIMITS = Limits(connect_seconds=60)
PATIENCE = 60  # seconds that anything may take on a busy machine


class Served:
    """`vidcolor serve` in a process of its own, on a port that is free."""

    def __init__(self, *arguments: str, scheme: str = "http") -> None:
        command = [sys.executable, "-m", "vidcolor", "serve", "--port", "0", "--size", "96", "-q", *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().strip()
        assert self.address.startswith(f"{scheme}://"), self.process.stderr.read()

    def close(self) -> str:
        """End it as Ctrl-C does; what it has said."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        _, said = self.process.communicate(timeout=PATIENCE)
        return said


class House:
    """A running server, and what tests ask of it."""

    def __init__(self, server: Server, port: int) -> None:
        self.server, self.address = server, f"http://127.0.0.1:{port}"

    @contextlib.asynccontextmanager
    async def visitor(self):
        """A client with a visitor's cookie."""
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(self.address, cookie_jar=jar) as client:
            async with client.get("/") as page:
                assert page.status == 200
            yield client

    def files(self) -> list[str]:
        return sorted(p.name for p in self.server.folder.iterdir())


def serve(colorizer, work, *, limits: Limits = LIMITS, token: str | None = None, hosts: tuple[str, ...] = ()) -> None:
    """Run `work(house)` against a server; afterwards no thread, task or file of it is left."""

    async def run() -> None:
        server = Server(colorizer.backend, colorizer.options, limits, Guard(hosts, token, limits.max_requests))
        runner = web.AppRunner(server.app, handler_cancellation=True, shutdown_timeout=1.0)
        await runner.setup()
        door = socket.create_server(("127.0.0.1", 0))
        await web.SockSite(runner, door).start()
        house = House(server, door.getsockname()[1])
        try:
            await asyncio.wait_for(work(house), 2 * PATIENCE)
            if token is None:
                async with house.visitor() as client, client.get("/api/limits") as answer:
                    assert answer.status == 200, "it still serves"
        finally:
            server.stopping.set()
            await runner.cleanup()
        assert not server.folder.exists()
        assert not server.peers.peers
        for _ in range(50):
            left = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
            if not left:
                break
            await asyncio.sleep(0.1)
        assert left == []

    before = set(threading.enumerate())
    asyncio.run(run())
    left = [t for t in set(threading.enumerate()) - before if t.name.startswith(("jobs", "colour", "reader", "write"))]
    assert left == []


async def upload(client, path: Path | bytes, kind: str = "film", **query):
    """Status and JSON of an upload."""
    data = path.read_bytes() if isinstance(path, Path) else path
    async with client.post("/api/jobs", params={"kind": kind, "name": "x", **query}, data=data) as answer:
        return answer.status, await answer.json()


async def until(client, id: str, *states: str) -> dict:
    """The job, once it is in one of `states`."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        async with client.get(f"/api/jobs/{id}") as answer:
            job = await answer.json()
        if job["state"] in states:
            return job
        await asyncio.sleep(0.05)
    raise AssertionError(f"never {states}: {job}")


def test_a_film_goes_in_grey_and_comes_out_coloured_with_its_sound(colorizer, short_film, tmp_path):
    async def work(house):
        async with house.visitor() as client:
            status, job = await upload(client, short_film, name="Grandma's reel.mp4")
            assert status == 201
            assert job["name"] == "Grandma's reel.mp4"
            done = await until(client, job["id"], "done", "failed")
            assert done["error"] is None
            async with client.get(done["download_url"]) as answer:
                assert "Grandma%27s%20reel-color.mp4" in answer.headers["Content-Disposition"]
                (tmp_path / "out.mp4").write_bytes(await answer.read())
            async with client.get(done["result_url"], headers={"Range": "bytes=10-19"}) as answer:
                assert answer.status == 206
                assert len(await answer.read()) == 10
            async with client.get(done["preview_url"]) as answer:
                assert (await answer.read())[:2] == b"\xff\xd8"
            async with client.get(done["source_url"]) as answer:
                assert await answer.read() == short_film.read_bytes()
            async with client.delete(f"/api/jobs/{job['id']}") as answer:
                assert answer.status == 204
            assert house.files() == []

    serve(colorizer, work)
    film, source = read(tmp_path / "out.mp4"), read(short_film)
    assert len(film.frames) == 12
    assert all(chroma_spread(f) > 2 for f in film.frames)
    assert [p for _, p in film.packets[0]] == [p for _, p in source.packets[0]]


def test_a_still_of_16_bits_comes_back_so(colorizer, tmp_path):
    path = tmp_path / "grey.png"
    ramp = np.linspace(0, 65535, 64 * 48).reshape(48, 64).astype(np.uint16)
    Image.fromarray(ramp).save(path)

    async def work(house):
        async with house.visitor() as client:
            _, job = await upload(client, path, "still", strength="2")
            done = await until(client, job["id"], "done", "failed")
            assert done["error"] is None
            async with client.get(done["result_url"]) as answer:
                (tmp_path / "out.png").write_bytes(await answer.read())

    serve(colorizer, work)
    assert Image.open(tmp_path / "out.png").size == (64, 48)


@pytest.mark.parametrize(
    ("data", "kind", "status", "says"),
    [
        (b"", "film", 400, "is empty"),
        (b"no film at all" * 100, "film", 415, "x: is no film that can be read"),
        (b"\x89PNG\r\n\x1a\nbroken", "still", 415, "is no still"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "film", 415, "is no film"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "film", 415, "is no film"),
        (b"x" * 100, "song", 400, "film or still"),
    ],
)
def test_what_is_no_picture_is_refused_and_removed(colorizer, data, kind, status, says):
    async def work(house):
        async with house.visitor() as client:
            got, told = await upload(client, data, kind)
            assert got == status
            assert says in told["error"]
            assert house.files() == []

    serve(colorizer, work)


def test_a_playlist_that_names_a_real_film_is_not_followed(colorizer, short_film):
    async def work(house):
        async with house.visitor() as client:
            playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{short_film}\n#EXT-X-ENDLIST\n".encode()
            status, _ = await upload(client, playlist)
            assert status == 415

    serve(colorizer, work)


def test_limits_of_size_length_and_pixels(colorizer, short_film):
    async def too_large(house):
        async with house.visitor() as client:
            status, told = await upload(client, bytes(2_000_000))
            assert (status, told["error"]) == (413, "the file is larger than 1 MB, which is the limit here")

            async def chunks():
                for _ in range(40):
                    yield bytes(50_000)

            try:  # without a length; the server may close before all was sent
                async with client.post("/api/jobs?kind=film&name=x", data=chunks()) as answer:
                    assert answer.status == 413
            except aiohttp.ClientError:
                pass
            assert house.files() == []

    async def too_long(house):
        async with house.visitor() as client:
            status, told = await upload(client, short_film)
            assert status == 413
            assert "is longer than" in told["error"]

    async def too_wide(house):
        async with house.visitor() as client:
            status, told = await upload(client, short_film)
            assert status == 413
            assert "640x480 is larger than the server takes" in told["error"]

    serve(colorizer, too_large, limits=replace(LIMITS, max_bytes=1_000_000))
    serve(colorizer, too_long, limits=replace(LIMITS, max_seconds=0.1))
    serve(colorizer, too_wide, limits=replace(LIMITS, max_pixels=1000))


def test_limits_of_jobs(colorizer, short_film):
    async def own(house):
        async with house.visitor() as client:
            for _ in range(2):
                assert (await upload(client, short_film))[0] == 201
            status, told = await upload(client, short_film)
            assert (status, told["error"]) == (429, "you have 2 jobs already; remove one first")

    async def everybodys(house):
        async with house.visitor() as one, house.visitor() as other:
            assert (await upload(one, short_film))[0] == 201
            status, told = await upload(other, short_film)
            assert status == 429
            assert "no room" in told["error"]

    serve(colorizer, own, limits=replace(LIMITS, max_visitor_jobs=2))
    serve(colorizer, everybodys, limits=replace(LIMITS, max_jobs=1))


def test_an_upload_that_breaks_off_leaves_nothing(colorizer):
    async def work(house):
        async with house.visitor() as client:
            (cookie,) = client.cookie_jar
            _reader, writer = await asyncio.open_connection("127.0.0.1", int(house.address.rsplit(":", 1)[1]))
            head = f"POST /api/jobs?kind=film&name=x HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {COOKIE}={cookie.value}\r\n"
            writer.write(f"{head}Content-Length: 1000000\r\n\r\n".encode() + bytes(1000))
            await writer.drain()
            while not house.files():
                await asyncio.sleep(0.05)
            writer.close()
            while house.files():
                await asyncio.sleep(0.05)

    serve(colorizer, work)


def test_an_upload_that_stands_still_is_ended(colorizer, monkeypatch):
    monkeypatch.setattr("vidcolor.live.serve.uploads.CHUNK_SECONDS", 0.3)

    async def work(house):
        async with house.visitor() as client:

            async def slow():
                yield b"x"
                await asyncio.sleep(PATIENCE)

            try:
                async with client.post("/api/jobs?kind=film&name=x", data=slow()) as answer:
                    assert answer.status == 408
            except aiohttp.ClientError:
                pass
            assert house.files() == []

    serve(colorizer, work)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("/abs/olute.mp4", "olute.mp4"),
        ("...", "upload"),
        ("", "upload"),
        ("a\r\nSet-Cookie: x.mp4", "aSet-Cookie: x.mp4"),
        ("nul\x00byte.mp4", "nulbyte.mp4"),
        ("‮gpj.exe", "gpj.exe"),
        ("Großmutter 1931.mkv", "Großmutter 1931.mkv"),
        ("x" * 300 + ".mp4", "x" * 74 + ".mp4"),
    ],
)
def test_names_are_for_show_only(given, shown):
    assert clean_name(given) == shown


def test_path_tricks_reach_nothing(colorizer):
    async def work(house):
        async with house.visitor() as client:
            for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/../../etc/passwd",
                         "/api/jobs/..%2f..%2f/result", "/static/", "/api/jobs/x/source"):  # fmt: skip
                async with client.get(aiohttp.client.URL(house.address + path, encoded=True)) as answer:
                    assert answer.status in (403, 404), path
                    assert b"import" not in await answer.read()

    serve(colorizer, work)


def test_nothing_of_one_visitor_is_seen_by_another(colorizer, short_film):
    async def work(house):
        async with house.visitor() as one, house.visitor() as other:
            _, job = await upload(one, short_film)
            done = await until(one, job["id"], "done")
            for url in (f"/api/jobs/{job['id']}", done["source_url"], done["result_url"], done["preview_url"]):
                async with other.get(url) as answer:
                    assert answer.status == 404
            async with other.delete(f"/api/jobs/{job['id']}") as answer:
                assert answer.status == 404
            async with other.get("/api/jobs") as answer:
                assert await answer.json() == {"jobs": []}
            assert (await until(one, job["id"], "done"))["state"] == "done"

    serve(colorizer, work)


def test_a_cookie_cannot_be_made_up(colorizer):
    async def work(house):
        for value in ("", "x", "x.y", "name." + "0" * 64):
            session = aiohttp.ClientSession(house.address, cookies={COOKIE: value})
            async with session as client, client.get("/api/jobs") as answer:
                assert answer.status == 401

    serve(colorizer, work)


def test_hosts_and_origins(colorizer):
    async def work(house):
        async with house.visitor() as client:
            for host, status in (
                ("evil.example", 403),
                ("127.0.0.1.evil.example", 403),
                ("localhost:99", 200),
                ("film.lan", 200),
            ):
                async with client.get("/api/limits", headers={"Host": host}) as answer:
                    assert answer.status == status, host
            for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
                async with client.post("/api/live", headers=headers, json={}) as answer:
                    assert answer.status == 403
            async with client.post("/api/live", headers={"Origin": house.address}, json={}) as answer:
                assert answer.status == 400

    serve(colorizer, work, hosts=("film.lan",))


def test_the_page_is_dressed(colorizer):
    async def work(house):
        async with house.visitor() as client:
            for path in ("/", "/static/app.js", "/api/limits", "/nothing"):
                async with client.get(path) as answer:
                    assert "default-src 'self'" in answer.headers["Content-Security-Policy"], path
                    assert answer.headers["X-Content-Type-Options"] == "nosniff"

    serve(colorizer, work)


def test_a_token_is_asked_for(colorizer):
    async def work(house):
        async with aiohttp.ClientSession(house.address, cookie_jar=aiohttp.CookieJar(unsafe=True)) as client:
            for path in ("/", "/?token=wrong-token", "/api/jobs", "/static/app.js"):
                async with client.get(path) as answer:
                    assert answer.status == 401, path
                    assert "token" in (await answer.json())["error"]
            async with client.get("/api/jobs", headers={"Authorization": "Bearer correct-horse"}) as answer:
                assert answer.status == 200
            async with client.get("/?token=correct-horse", allow_redirects=False) as answer:
                assert (answer.status, answer.headers["Location"]) == (303, "/")
            async with client.get("/api/jobs") as answer:
                assert answer.status == 200

    serve(colorizer, work, token="correct-horse")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"sdp": 1, "type": "offer"}', b'{"sdp": "v=0", "type": "offer"}', b'{"type": "offer"}',
     b'{"sdp": "garbage\\nlines", "type": "offer"}', json.dumps({"sdp": "v=0\r\n" * 9000, "type": "offer"}).encode(),
     b'{"sdp": "v=0", "type": "offer", "strength": 9}', b'{"sdp": "v=0", "type": "offer", "strength": "x"}',
     b"\xff\xfe\x00"],
)  # fmt: skip
def test_malformed_offers_are_refused(colorizer, body):
    async def work(house):
        async with house.visitor() as client:
            async with client.post("/api/live", data=body, headers={"Content-Type": "application/json"}) as answer:
                assert answer.status == 400
                assert (await answer.json())["error"]
            assert not house.server.peers.peers

    serve(colorizer, work)


def test_a_json_body_of_any_size_is_not_taken(colorizer):
    async def work(house):
        async with house.visitor() as client, client.post("/api/live", data=bytes(1_000_000)) as answer:
            assert answer.status == 413

    serve(colorizer, work)


def test_a_hundred_requests_at_once_are_all_answered(colorizer, short_film):
    async def work(house):
        async with house.visitor() as client:
            connector_free = aiohttp.TCPConnector(limit=0)
            async with aiohttp.ClientSession(
                house.address, connector=connector_free, cookie_jar=client.cookie_jar
            ) as many:
                answers = await asyncio.gather(*(upload(many, short_film) for _ in range(100)))
        codes = [status for status, _ in answers]
        assert set(codes) <= {201, 429, 503}
        assert 1 <= codes.count(201) <= 20
        assert all("error" in told for status, told in answers if status != 201)

    serve(colorizer, work)


class Clip(VideoStreamTrack):
    """The sample as a camera."""

    def __init__(self) -> None:
        super().__init__()
        with av.open(str(SAMPLE)) as film:
            self.frames = [
                f.reformat(320, 240, "yuv420p") for _, f in zip(range(20), film.decode(video=0), strict=False)
            ]
        self.number = 0

    async def recv(self):
        pts, base = await self.next_timestamp()
        frame = self.frames[self.number % 20].reformat(320, 240, "yuv420p")
        self.number += 1
        frame.pts, frame.time_base = pts, base
        return frame


async def call(client, *, strength: float = 1.0):
    """A connected WebRTC peer that sends the clip: connection, channel, answer, and the track that comes back."""
    peer = RTCPeerConnection()
    peer.addTrack(Clip())
    channel = peer.createDataChannel("control")
    back: asyncio.Future = asyncio.get_running_loop().create_future()
    peer.on("track", lambda track: back.set_result(track))
    await peer.setLocalDescription(await peer.createOffer())
    offer = {"sdp": peer.localDescription.sdp, "type": "offer", "strength": strength}
    async with client.post("/api/live", json=offer) as answer:
        told = await answer.json()
        if answer.status != 201:
            await peer.close()
            return None, None, (answer.status, told), None
    await peer.setRemoteDescription(RTCSessionDescription(told["sdp"], "answer"))
    return peer, channel, told, await back


def test_a_live_picture_comes_back_coloured_and_is_steered(colorizer):
    async def work(house):
        async with house.visitor() as client:
            peer, channel, told, track = await call(client)
            messages: list[dict] = []
            channel.on("message", lambda text: messages.append(json.loads(text)))
            frames = [await track.recv() for _ in range(5)]
            assert all((f.width, f.height) == (320, 240) for f in frames)
            assert chroma_spread(frames[-1]) > 2
            times = [f.pts * f.time_base for f in frames]
            assert all(b > a for a, b in itertools.pairwise(times))
            while channel.readyState != "open":
                await asyncio.sleep(0.05)
            channel.send(json.dumps({"ping": 5}))
            channel.send("no json")
            channel.send(json.dumps({"strength": 0}))
            while chroma_spread(await track.recv()) > 1:
                pass
            while not ({"pong": 5.0} in messages and any(m.get("width") == 320 for m in messages)):
                await track.recv()
            status = (await call(client))[2][0]
            assert status == 429, "one live picture a visitor"
            async with client.delete(f"/api/live/{told['id']}") as answer:
                assert answer.status == 204
            assert not house.server.peers.peers
            async with client.delete(f"/api/live/{told['id']}") as answer:
                assert answer.status == 404
            await peer.close()

    serve(colorizer, work)


def test_live_pictures_have_a_limit_and_belong_to_their_visitor(colorizer):
    async def work(house):
        async with house.visitor() as one, house.visitor() as other:
            peer, _, told, _ = await call(one)
            async with other.delete(f"/api/live/{told['id']}") as answer:
                assert answer.status == 404
            assert (await call(other))[2][0] == 429
            await peer.close()

    serve(colorizer, work, limits=replace(LIMITS, max_peers=1))


def test_a_peer_that_never_connects_is_let_go(colorizer):
    async def work(house):
        async with house.visitor() as client:
            peer = RTCPeerConnection()
            peer.addTrack(Clip())
            await peer.setLocalDescription(await peer.createOffer())
            offer = {"sdp": peer.localDescription.sdp, "type": "offer"}
            async with client.post("/api/live", json=offer) as answer:
                assert answer.status == 201
            assert house.server.peers.peers
            while house.server.peers.peers:
                await asyncio.sleep(0.1)
            await peer.close()

    serve(colorizer, work, limits=replace(LIMITS, connect_seconds=0.5))


def test_a_peer_that_vanishes_is_noticed(colorizer, monkeypatch):
    from aioice import ice

    monkeypatch.setattr(ice, "CONSENT_INTERVAL", 0.2)
    monkeypatch.setattr(ice, "CONSENT_FAILURES", 2)

    async def work(house):
        async with house.visitor() as client:
            peer, _, _, track = await call(client)
            await track.recv()
            # Its network is gone: no farewell is sent.
            for transport in {t.sender.transport for t in peer.getTransceivers()}:
                await transport.transport._connection.close()
            while house.server.peers.peers:
                await asyncio.sleep(0.1)
            await peer.close()

    serve(colorizer, work)


def test_a_job_can_be_stopped_while_it_runs(colorizer, grey):
    async def work(house):
        async with house.visitor() as client:
            _, job = await upload(client, SAMPLE)
            await until(client, job["id"], "running")
            async with client.delete(f"/api/jobs/{job['id']}") as answer:
                assert answer.status == 204
            while house.files():
                await asyncio.sleep(0.05)

    serve(colorizer, work)


def test_the_server_ends_while_a_job_runs(colorizer):
    async def work(house):
        async with house.visitor() as client:
            _, job = await upload(client, SAMPLE)
            await until(client, job["id"], "running")

    serve(colorizer, work)


def test_files_go_when_their_time_is_over(colorizer, short_film):
    async def work(house):
        async with house.visitor() as client:
            _, job = await upload(client, short_film)
            await until(client, job["id"], "done")
            while house.files():
                await asyncio.sleep(0.1)
            async with client.get(f"/api/jobs/{job['id']}") as answer:
                assert answer.status == 404

    serve(colorizer, work, limits=replace(LIMITS, keep_seconds=1.0))


def test_events_tell_what_has_changed(colorizer, short_film):
    async def work(house):
        async with house.visitor() as client, client.get("/api/jobs/events") as events:
            seen = []
            await upload(client, short_film)
            async for line in events.content:
                if line.startswith(b"data: "):
                    jobs = json.loads(line[6:])["jobs"]
                    seen.append([j["state"] for j in jobs])
                    if seen[-1] == ["done"]:
                        break
            assert seen[0] in ([], ["queued"], ["running"])

    serve(colorizer, work)


def test_too_many_pages_are_refused(colorizer):
    async def work(house):
        async with house.visitor() as client, client.get("/api/jobs/events") as one:
            assert one.status == 200
            async with client.get("/api/jobs/events") as other:
                assert other.status == 503

    serve(colorizer, work, limits=replace(LIMITS, max_streams=1))


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--host", "0.0.0.0"], 2, "0.0.0.0 lets other machines in; add --token auto"),
        (["--token", "short"], 2, "can be guessed"),
        (["--port", "99999"], 1, "cannot be listened on"),
        (["--tls-cert", "no/such.pem"], 2, "no/such.pem: No such file"),
        (["--tls-key", "key.pem"], 2, "key.pem: is a key without a certificate"),
        (["--max-jobs", "0"], 2, "max-jobs 0 is out of range"),
        (["--host", "no.such.host.invalid", "--token", "auto"], 1, "cannot be listened on"),
    ],
)
def test_what_cannot_be_served_is_one_line(arguments, code, says):
    command = [sys.executable, "-m", "vidcolor", "serve", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == code
    (line,) = done.stderr.splitlines()
    assert says in line


def test_a_port_in_use_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
        command = [sys.executable, "-m", "vidcolor", "serve", "--port", str(port)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 1
    assert done.stderr == f"vidcolor: port {port} is in use; stop the other server, or choose another --port\n"


def test_the_command_serves_and_ends_without_a_trace(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    server = Served("--token", "auto", "--host", "0.0.0.0")
    assert "?token=" in server.address
    assert list(tmp_path.iterdir())
    assert server.close() == ""
    assert server.process.returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_it_speaks_https(tmp_path):
    from aiortc.rtcdtlstransport import RTCCertificate
    from cryptography.hazmat.primitives import serialization

    made = RTCCertificate.generateCertificate()
    pem = tmp_path / "own.pem"
    pem.write_bytes(
        made._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + made._cert.public_bytes(serialization.Encoding.PEM)
    )
    server = Served("--tls-cert", str(pem), scheme="https")
    try:

        async def ask() -> None:
            async with aiohttp.ClientSession() as client, client.get(server.address, ssl=False) as page:
                assert page.status == 200
                assert "Secure" in page.headers["Set-Cookie"]

        asyncio.run(ask())
    finally:
        assert server.close() == ""


def test_without_aiohttp_the_command_says_how_to_get_it(tmp_path):
    code = "import sys; sys.modules['aiohttp'] = None; from vidcolor.cli import main; sys.exit(main(['serve']))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, env=os.environ
    )
    assert done.returncode == 1
    assert "pip install 'vidcolor[live]'" in done.stderr


def test_a_decoder_that_crashes_is_not_the_servers(colorizer, monkeypatch, short_film):
    monkeypatch.setattr("vidcolor.live.serve.uploads.sys.executable", "/bin/false")

    async def work(house):
        async with house.visitor() as client:
            assert (await upload(client, short_film))[0] == 415
            assert house.files() == []

    serve(colorizer, work)
