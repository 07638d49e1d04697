"""A real server in the test's own loop, real visitors of it, and proof that nothing is left of either."""

from __future__ import annotations

import asyncio
import socket
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from vidcolor import Colorizer
from vidcolor.live.serve.app import Server
from vidcolor.live.serve.connections import serving
from vidcolor.live.serve.guard import Guard
from vidcolor.live.serve.limits import Limits
from vidcolor.live.serve.store import Store


@dataclass
class Site:
    """A running server, and where it is."""

    server: Server
    address: str

    @property
    def folder(self) -> Path:
        """With a folder for each upload."""
        return self.server.store.jobs


@asynccontextmanager
async def running(
    colorizer: Colorizer, limits: Limits | None = None, *, token: str | None = None, hosts: tuple[str, ...] = (),
    any_address: bool = False, data: Path | None = None,
) -> AsyncIterator[Site]:  # fmt: skip
    """A server on a free port, as `vidcolor serve` runs it. After it: no task, no process, no file but in `data`."""
    limits, others = limits or Limits(), set(psutil.Process().children())  # of other tests
    with Store(data, keep=data is not None) as store:
        guard = Guard(hosts, token, limits.max_requests, key=store.key, any_address=any_address)
        server = Server(colorizer.backend, colorizer.options, limits, guard, store, colorizer.model.identity)
        listening = socket.create_server(("127.0.0.1", 0))
        async with serving(server, listening):
            site = Site(server, f"http://127.0.0.1:{listening.getsockname()[1]}")
            yield site
            async with visiting(site) as visitor:  # whatever was asked of it, it still serves
                assert (await visitor.get("/api/limits", headers=bearer(token))).status == 200
    assert set(psutil.Process().children()) <= others
    assert store.folder.exists() == (data is not None)
    try:
        await until(lambda: asyncio.all_tasks() <= {asyncio.current_task()}, "tasks to end", 10)
    except AssertionError:
        raise AssertionError(f"tasks left: {asyncio.all_tasks() - {asyncio.current_task()}}") from None


def bearer(token: str | None) -> dict[str, str]:
    return {} if token is None else {"Authorization": f"Bearer {token}"}


@asynccontextmanager
async def visiting(site: Site) -> AsyncIterator[aiohttp.ClientSession]:
    """A visitor who has opened the page."""
    jar = aiohttp.CookieJar(unsafe=True)  # takes cookies of numeric addresses
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(site.address, cookie_jar=jar, connector=connector) as visitor:
        async with visitor.get("/") as response:
            await response.read()
        yield visitor


def run(work: Callable[[], Awaitable[None]]) -> None:
    """Run a test in a loop of its own. After it: no thread, and no file in the folder for temporary ones."""
    before = set(threading.enumerate())
    asyncio.run(work())
    end = time.monotonic() + 10
    while left := [t.name for t in threading.enumerate() if t not in before]:
        assert time.monotonic() < end, f"threads left: {left}"
        time.sleep(0.02)
    assert list(Path(tempfile.gettempdir()).glob("vidcolor-*")) == []


async def until(check: Callable[[], Any], what: str, seconds: float = 30.0) -> Any:
    """The first true answer of `check`."""
    end = time.monotonic() + seconds  # generous: only a fault reaches it
    while not (found := check()):
        assert time.monotonic() < end, f"waited in vain for {what}"
        await asyncio.sleep(0.02)
    return found


async def until_job(visitor: aiohttp.ClientSession, job: dict, check: Callable[[dict], Any]) -> dict:
    """A job as soon as `check` is true of it."""
    end = time.monotonic() + 60
    while True:
        async with visitor.get(f"/api/jobs/{job['id']}") as response:
            assert response.status == 200
            now = await response.json()
        if check(now):
            return now
        assert time.monotonic() < end, f"waited in vain: {now}"
        await asyncio.sleep(0.05)


def is_over(job: dict) -> bool:
    return job["state"] in ("done", "failed", "cancelled")


async def upload(
    visitor: aiohttp.ClientSession, data: Any, *, kind: str = "still", name: str = "photo.png", strength: str = "1.0"
) -> tuple[int, dict]:
    """Status and answer of an upload."""
    query = {"kind": kind, "name": name, "strength": strength}
    async with visitor.post("/api/jobs", params=query, data=data) as response:
        return response.status, await response.json()


async def refused(response: aiohttp.ClientResponse, status: int) -> str:
    """The one line of a refusal."""
    async with response:
        assert response.status == status, await response.text()
        told = await response.json()
    assert list(told) == ["error"]
    assert told["error"]
    assert "\n" not in told["error"]
    return told["error"]
