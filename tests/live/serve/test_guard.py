"""Who is let in: names, origins, tokens; and what a crowd or a slow visitor gets."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from yarl import URL

from tests.live.server import bearer, refused, run, running, until, upload, visiting
from vidcolor.live.serve import app, connections, guard, uploads
from vidcolor.live.serve.limits import Limits

pytestmark = [pytest.mark.usefixtures("own_temp"), pytest.mark.timeout(120)]
TOKEN = "a token of words"


def test_a_name_that_a_resolver_points_here_is_refused(colorizer):
    async def work():
        async with running(colorizer, hosts=("films.example",)) as site, visiting(site) as visitor:
            for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "10.0.0.9", "[", "", "a\tb"):
                await refused(await visitor.get("/", headers={"Host": host}), 403)
            for host in ("localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:80", "films.example"):
                assert (await visitor.get("/", headers={"Host": host})).status == 200, host

    run(work)


def test_a_server_for_all_addresses_goes_by_every_number_but_by_no_foreign_name(colorizer):
    async def work():
        async with running(colorizer, any_address=True) as site, visiting(site) as visitor:
            assert (await visitor.get("/", headers={"Host": "192.168.1.7:8321"})).status == 200
            await refused(await visitor.get("/", headers={"Host": "evil.example"}), 403)

    run(work)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Origin": "http://127.0.0.1"},  # another port of this machine
        {"Origin": "http://evil.example\xff"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_other_sites_change_nothing(colorizer, headers):
    async def work():
        async with running(colorizer) as site, visiting(site) as visitor:
            for method, path in (("POST", "/api/live"), ("POST", "/api/jobs"), ("DELETE", "/api/jobs/x"),
                                 ("DELETE", "/api/live/x"), ("PATCH", "/api/jobs")):  # fmt: skip
                assert "another site" in await refused(await visitor.request(method, path, headers=headers), 403)
            own = {"Origin": site.address, "Sec-Fetch-Site": "same-origin"}
            await refused(await visitor.delete("/api/jobs/x", headers=own), 404)

    run(work)


def test_without_the_token_nothing_is_shown(colorizer):
    async def work():
        async with running(colorizer, token=TOKEN) as site, aiohttp.ClientSession(site.address) as stranger:
            paths = ("/", "/static/app.js", "/api/limits", "/api/jobs", "/api/jobs/events", "/nothing")
            for wrong in ({}, bearer(""), bearer("another"), bearer(TOKEN[:-1]), bearer("\xfc\udcff"),
                          {"Cookie": "vidcolor=me.0"}, {"Cookie": "vidcolor=\xfc.\xfc"}):  # fmt: skip
                for path in paths:
                    raw = {k: v.encode("utf-8", "surrogateescape").decode("latin-1") for k, v in wrong.items()}
                    assert "?token=" in await refused(await stranger.get(path, headers=raw), 401)
            for query in ("token=", "token=no", "token=%FF", "token=%ED%B3%BF", f"token={TOKEN}no".replace(" ", "+")):
                await refused(await stranger.get(URL(f"/?{query}", encoded=True)), 401)
            await refused(await stranger.post("/api/live", json={}), 401)

    run(work)


def test_the_token_lets_in_and_leaves_the_address(colorizer):
    async def work():
        async with running(colorizer, token=TOKEN) as site:
            jar = aiohttp.CookieJar(unsafe=True)
            async with aiohttp.ClientSession(site.address, cookie_jar=jar) as visitor:
                entry = await visitor.get("/", params={"token": TOKEN}, allow_redirects=False)
                assert (entry.status, entry.headers["Location"]) == (303, "/")
                cookie = entry.headers["Set-Cookie"]
                assert "HttpOnly" in cookie
                assert "SameSite=Strict" in cookie
                assert TOKEN not in cookie
                for path in ("/", "/static/app.js", "/api/limits", "/api/jobs"):
                    assert (await visitor.get(path)).status == 200
            async with aiohttp.ClientSession(site.address) as program:
                assert (await program.get("/api/jobs", headers=bearer(TOKEN))).status == 200

    run(work)


def test_every_answer_tells_the_browser_to_do_no_more_than_it_must(colorizer):
    async def work():
        async with running(colorizer) as site, visiting(site) as visitor:
            for path, status in (("/", 200), ("/static/app.js", 200), ("/api/jobs", 200), ("/nothing", 404),
                                 ("/api/jobs/nothing", 404)):  # fmt: skip
                response = await visitor.get(path)
                assert response.status == status
                policy = response.headers["Content-Security-Policy"]
                assert "default-src 'self'" in policy
                assert "frame-ancestors 'none'" in policy
                assert "unsafe" not in policy
                assert response.headers["X-Content-Type-Options"] == "nosniff"
                assert response.headers["Referrer-Policy"] == "no-referrer"

    run(work)


@pytest.mark.parametrize(
    "path",
    ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static//etc/passwd",
     "/static/%2fetc%2fpasswd", "/static/..\\app.py", "/static/a%00b", "/static/"],
)  # fmt: skip
def test_only_the_page_is_served(colorizer, path):
    async def work():
        async with running(colorizer) as site, visiting(site) as visitor:
            response = await visitor.get(URL(site.address + path, encoded=True))
            assert response.status in (400, 403, 404)
            assert "import" not in await response.text()

    run(work)


def test_of_a_hundred_slow_requests_those_beyond_the_limit_are_sent_away(colorizer):
    limits = Limits(max_requests=40)

    async def work():
        async with running(colorizer, limits) as site, visiting(site) as visitor:
            go, answers = asyncio.Event(), []

            async def body():
                yield b"{"
                await go.wait()
                yield b"}"

            async def ask():
                async with visitor.post("/api/live", data=body()) as response:
                    answers.append(response.status)
                    assert "error" in await response.json()

            asked = [asyncio.ensure_future(ask()) for _ in range(100)]
            await until(lambda: len(answers) >= 60, "the answers to those beyond the limit")
            assert answers == [503] * 60
            go.set()
            await asyncio.gather(*asked)
            assert sorted(answers) == [400] * 40 + [503] * 60

    run(work)


def test_of_a_hundred_uploads_at_once_a_few_are_taken(colorizer):
    async def work():
        async with running(colorizer) as site, visiting(site) as visitor:
            go, answers = asyncio.Event(), []

            async def body():
                yield b"no picture"
                await go.wait()

            async def ask():
                answers.append((await upload(visitor, body()))[0])

            taken = site.server.limits.max_visitor_uploads
            asked = [asyncio.ensure_future(ask()) for _ in range(100)]
            await until(lambda: len(answers) >= 100 - taken, "the answers to those beyond the limit")
            assert set(answers) <= {429, 503}
            go.set()
            await asyncio.gather(*asked)
            assert sorted(answers)[: taken + 1] == [415] * taken + [429]
            assert list(site.folder.iterdir()) == []

    run(work)


def test_one_visitor_does_not_take_the_places_of_all(colorizer):
    limits = Limits(max_uploads=3, max_visitor_uploads=2, max_streams=3, max_visitor_streams=2)

    async def work():
        async with running(colorizer, limits) as site, visiting(site) as one, visiting(site) as two:
            go = asyncio.Event()

            async def body():
                yield b"no picture"
                await go.wait()

            first = [asyncio.ensure_future(upload(one, body())) for _ in range(2)]
            await until(lambda: len(site.server.uploads) == 2, "the uploads")
            assert (await upload(one, body()))[0] == 429
            second = asyncio.ensure_future(upload(two, body()))
            await until(lambda: len(site.server.uploads) == 3, "the other visitor's upload")
            assert (await upload(two, body()))[0] == 429
            go.set()
            assert [status for status, _ in await asyncio.gather(*first, second)] == [415] * 3
            assert (await upload(one, b"no picture"))[0] == 415

            streams = [await one.get("/api/jobs/events") for _ in range(2)]
            await refused(await one.get("/api/jobs/events"), 503)
            streams.append(await two.get("/api/jobs/events"))
            await refused(await two.get("/api/jobs/events"), 503)
            for stream in streams:
                stream.close()
            await until(lambda: not site.server.streams, "the streams to end")
            (await two.get("/api/jobs/events")).close()

    run(work)


def test_who_sends_too_slowly_is_sent_away(colorizer, monkeypatch):
    monkeypatch.setattr(uploads, "CHUNK_SECONDS", 0.5)
    monkeypatch.setattr(app, "JSON_SECONDS", 0.5)

    async def work():
        async with running(colorizer) as site, visiting(site) as visitor:
            over = asyncio.Event()

            async def still():  # says nothing more
                yield b"{"
                await over.wait()

            async def trickle():  # never silent for long, but for ever at it
                while not over.is_set():
                    yield b"x"
                    await asyncio.sleep(0.1)

            assert "stood still" in (await upload(visitor, still()))[1]["error"]
            assert "too slow" in (await upload(visitor, trickle()))[1]["error"]
            assert "slowly" in await refused(await visitor.post("/api/live", data=still()), 408)
            over.set()
            assert list(site.folder.iterdir()) == []

    run(work)


def test_connections_are_bounded_and_silent_ones_end(colorizer, monkeypatch):
    monkeypatch.setattr(connections, "IDLE_SECONDS", 1.0)

    async def work():
        async with running(colorizer, Limits(max_connections=12)) as site:
            host, port = site.address.removeprefix("http://").split(":")
            strangers = [await asyncio.open_connection(host, int(port)) for _ in range(40)]
            for _, writer in strangers[:6]:  # some begin a request, and leave it at that
                writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-")
            ends = [asyncio.ensure_future(reader.read()) for reader, _ in strangers]
            await until(lambda: sum(end.done() for end in ends) >= 28, "those beyond the limit to be sent away")
            await asyncio.wait_for(asyncio.gather(*ends, return_exceptions=True), 30)  # the others go when it is time
            for _, writer in strangers:
                writer.close()
            async with visiting(site) as visitor:
                assert (await visitor.get("/api/limits")).status == 200
                await asyncio.sleep(1.5)  # who has asked something stays, but for aiohttp's own timeout
                assert (await visitor.get("/api/limits")).status == 200
            assert site.server.guard.silent == set()

    run(work)


def test_an_upload_that_breaks_off_leaves_nothing(colorizer):
    async def work():
        async with running(colorizer) as site, visiting(site) as visitor:
            cookie = next(iter(visitor.cookie_jar))
            host, port = site.address.removeprefix("http://").split(":")
            for kind, end in (("Content-Length: 1000000", None), ("Content-Length: 1000000", b""),
                              ("Transfer-Encoding: chunked", None), ("Transfer-Encoding: chunked", b"no length\r\n"),
                              ("Transfer-Encoding: chunked", b"")):  # fmt: skip
                _, writer = await asyncio.open_connection(host, int(port))
                writer.write(
                    f"POST /api/jobs?kind=film HTTP/1.1\r\nHost: {host}\r\n{kind}\r\n"
                    f"Cookie: vidcolor={cookie.value}\r\n\r\n5\r\nfirst\r\n".encode()
                )
                await writer.drain()
                await until(lambda: len(site.server.uploads) == 1 and any(site.folder.glob("*/upload")), "the upload")
                if end is None:
                    writer.transport.abort()
                else:
                    writer.write(end)
                    writer.close()
                await until(lambda: not site.server.uploads, "the end of the upload")
            assert list(site.folder.iterdir()) == []
            assert site.server.jobs.jobs == {}

    run(work)


def test_json_that_is_none_or_too_large(colorizer):
    async def work():
        async with running(colorizer) as site, visiting(site) as visitor:
            for data in (b"", b"no json", b"[]", b"\xff\xfe", b"[" * 60000, b"1" * 60000):
                await refused(await visitor.post("/api/live", data=data), 400)
            foreign = {"Content-Type": "application/json; charset=klingon"}
            await refused(await visitor.post("/api/live", data=b"{}", headers=foreign), 400)
            await refused(await visitor.post("/api/live", data=b" " * 70000), 413)
            await refused(await visitor.put("/api/live"), 405)

    run(work)


@pytest.mark.parametrize("value", ["", "x", "x.y", "name." + "0" * 64])
def test_a_cookie_cannot_be_made_up(colorizer, value):
    async def work():
        cookies = {guard.COOKIE: value}
        async with running(colorizer) as site, aiohttp.ClientSession(site.address, cookies=cookies) as stranger:
            await refused(await stranger.get("/api/jobs"), 401)

    run(work)
