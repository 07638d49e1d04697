"""The routes of `vidcolor serve`."""

from __future__ import annotations

import asyncio
import json
import math
import secrets
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aiohttp import web

from vidcolor.backends import Backend
from vidcolor.color.proxy import MAX_ASPECT, ProxySize
from vidcolor.errors import OutputError
from vidcolor.film.batch import FILMS
from vidcolor.live.serve.backend import Priority, SharedBackend
from vidcolor.live.serve.guard import Guard, dressed, fault
from vidcolor.live.serve.job import Job, job_options
from vidcolor.live.serve.jobs import Jobs
from vidcolor.live.serve.limits import JSON_BYTES, JSON_SECONDS, NO_STRENGTH, Limits, is_strength
from vidcolor.live.serve.peers import SDP_BYTES, Peers
from vidcolor.live.serve.probe import SHOWN, still_types
from vidcolor.live.serve.store import Store
from vidcolor.live.serve.uploads import Refused, clean_name, look_into, receive
from vidcolor.models.files import ModelIdentity
from vidcolor.options import ColorOptions

PAGE = Path(__file__).parent / "page"
SWEEP_SECONDS, EVENT_SECONDS, BEAT_SECONDS = 5.0, 0.25, 15.0


class Server:
    """What the handlers share; `app` is the application of aiohttp, which starts and ends all of it."""

    def __init__(
        self, backend: Backend, options: ColorOptions, limits: Limits, guard: Guard, store: Store, model: ModelIdentity
    ) -> None:
        self.store, self.model = store, model
        self.backend, self.options, self.limits, self.guard = SharedBackend(backend), options, limits, guard
        self.priority = Priority()
        self.uploads: list[str] = []  # whose they are, those on their way now
        self.streams: list[str] = []  # of events
        self.app = web.Application(middlewares=[guard.middleware], client_max_size=JSON_BYTES)
        self.app.cleanup_ctx.append(self.live)
        self.app.add_routes([
            web.get("/", self.page),
            web.get("/api/limits", self.show_limits),
            web.post("/api/live", self.start_live),
            web.delete("/api/live/{id}", self.stop_live),
            web.post("/api/jobs", self.add_job),
            web.get("/api/jobs", self.list_jobs),
            web.get("/api/jobs/events", self.events),
            web.get("/api/jobs/{id}", self.show_job),
            web.delete("/api/jobs/{id}", self.remove_job),
            web.get("/api/jobs/{id}/source", self.source),
            web.get("/api/jobs/{id}/result", self.result),
            web.get("/api/jobs/{id}/preview", self.preview),
            web.static("/static", PAGE),
        ])  # fmt: skip

    async def live(self, app: web.Application) -> AsyncIterator[None]:
        """What lasts from start to end: the jobs, the peers, the sweeper."""
        self.stopping = asyncio.Event()
        self.jobs = Jobs(
            self.backend, self.limits, self.priority, self.store, most=largest_input(self.options), model=self.model
        )
        self.peers = Peers(self.backend, self.options, self.limits, self.priority)
        sweeper = asyncio.ensure_future(self.sweep())
        yield
        sweeper.cancel()
        await self.peers.close()
        await asyncio.to_thread(self.jobs.close)

    async def sweep(self) -> None:
        while True:
            await asyncio.sleep(min(SWEEP_SECONDS, self.limits.keep_seconds))
            await asyncio.to_thread(self.jobs.sweep)

    async def page(self, request: web.Request) -> web.StreamResponse:
        if "token" in request.query:  # out of the address and the browser's history
            response: web.StreamResponse = web.Response(status=303, headers={"Location": "/"})
        else:
            response = web.FileResponse(PAGE / "index.html")
        if self.guard.visitor(request) is None:
            self.guard.welcome(response, secure=request.secure)
        return response

    async def show_limits(self, request: web.Request) -> web.Response:
        limits = self.limits
        return web.json_response({
            "max_bytes": limits.max_bytes, "max_seconds": limits.max_seconds, "max_jobs": limits.max_visitor_jobs,
            "max_peers": limits.max_peers, "keep_seconds": limits.keep_seconds,
            "film_types": FILMS, "still_types": still_types(), "strength": self.options.strength,
        })  # fmt: skip

    async def start_live(self, request: web.Request) -> web.Response:
        told = await read_json(request)
        sdp, strength = told.get("sdp"), told.get("strength", self.options.strength)
        if not isinstance(sdp, str) or told.get("type") != "offer" or len(sdp) > SDP_BYTES:
            return fault(400, "no offer of a picture; reload the page")
        if not is_strength(strength):
            return fault(400, NO_STRENGTH)
        if full := self.peers.has_room(self.guard.name_of(request)):
            return fault(429, full)
        try:
            answer = await self.peers.answer(self.guard.name_of(request), sdp, float(strength))
        except ValueError:
            return fault(400, "the offer cannot be read; reload the page, or try another browser")
        return web.json_response(answer, status=201)

    async def stop_live(self, request: web.Request) -> web.Response:
        if not await self.peers.stop(self.guard.name_of(request), request.match_info["id"]):
            return fault(404, "there is no such live picture")
        return web.Response(status=204)

    async def add_job(self, request: web.Request) -> web.Response:
        kind, visitor = request.query.get("kind", ""), self.guard.name_of(request)
        strength = to_number(request.query.get("strength", self.options.strength))
        if kind not in ("film", "still"):
            return fault(400, "kind is film or still")
        if not is_strength(strength):
            return fault(400, NO_STRENGTH)
        if full := self.jobs.has_room(visitor):
            return fault(429, full)
        if is_full(self.uploads, visitor, self.limits.max_uploads, self.limits.max_visitor_uploads):
            return fault(429, "too many uploads at once; try again in a moment", **{"Retry-After": "5"})
        self.uploads.append(visitor)
        folder = self.store.new_folder()
        try:
            await asyncio.to_thread(self.jobs.warm_up)
            job = await self.take(request, kind, strength, folder)
            if full := self.jobs.has_room(visitor):  # others may have come first while this one was read
                raise Refused(429, full)
            self.jobs.add(job)
        except Refused as refused:
            shutil.rmtree(folder, ignore_errors=True)
            response = fault(refused.status, str(refused))
            response.force_close()  # the rest of the body is not read
            return response
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            self.uploads.remove(visitor)
        return web.json_response(self.jobs.describe(job), status=201)

    async def take(self, request: web.Request, kind: str, strength: float, folder: Path) -> Job:
        name = clean_name(request.query.get("name", ""))
        path = await receive(request, folder, self.limits)
        facts = await look_into(path, kind, name, self.limits)
        source = path.rename(folder / f"source{facts['suffix']}")
        options = job_options(self.options, kind, strength, facts)
        job = Job(secrets.token_urlsafe(12), self.guard.name_of(request), kind, name, folder, source, facts, options)
        try:
            await asyncio.to_thread(job.save)
        except OutputError:
            raise Refused(507, "the server's disk is full; try again later") from None
        return job

    async def list_jobs(self, request: web.Request) -> web.Response:
        return web.json_response({"jobs": self.jobs.of(self.guard.name_of(request))})

    async def show_job(self, request: web.Request) -> web.Response:
        return web.json_response(self.jobs.describe(self.job(request)))

    async def remove_job(self, request: web.Request) -> web.Response:
        await asyncio.to_thread(self.jobs.remove, self.job(request))
        return web.Response(status=204)

    async def source(self, request: web.Request) -> web.StreamResponse:
        job = self.job(request)
        if job.facts["type"] is None:
            raise web.HTTPNotFound(reason="browsers cannot show this file")
        return dressed(web.FileResponse(job.source, headers={"Content-Type": job.facts["type"]}))

    async def result(self, request: web.Request) -> web.StreamResponse:
        job = self.job(request)
        if job.state != "done":
            raise web.HTTPNotFound(reason="it is not ready yet")
        headers = {"Content-Type": SHOWN.get(job.result.suffix, "video/mp4")}  # systems do not know every ending
        if "download" in request.query:
            headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(job.download_name, safe='')}"
        return web.FileResponse(job.result, headers=headers)

    async def preview(self, request: web.Request) -> web.Response:
        job = self.job(request)
        if not job.preview:
            raise web.HTTPNotFound(reason="there is no picture yet")
        return web.Response(body=job.preview, content_type="image/jpeg")

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events: the visitor's jobs, whenever something of them has changed."""
        visitor = self.guard.name_of(request)
        if is_full(self.streams, visitor, self.limits.max_streams, self.limits.max_visitor_streams):
            return fault(503, "too many pages are open; close some")
        self.streams.append(visitor)
        try:
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            dressed(response)
            await response.prepare(request)
            await self.send_events(request, response)
        except (ConnectionError, asyncio.CancelledError):
            pass  # the page is gone
        finally:
            self.streams.remove(visitor)
        return response

    async def send_events(self, request: web.Request, response: web.StreamResponse) -> None:
        sent, silent, version = "", 0.0, -1
        while not self.stopping.is_set():
            if version != self.jobs.version:
                version = self.jobs.version
                text = json.dumps({"jobs": self.jobs.of(self.guard.name_of(request))})
                if text != sent:
                    sent, silent = text, 0.0
                    await response.write(f"data: {text}\n\n".encode())
            elif silent > BEAT_SECONDS:  # so that a page that is gone is noticed
                silent = 0.0
                await response.write(b": still here\n\n")
            await asyncio.sleep(EVENT_SECONDS)
            silent += EVENT_SECONDS

    def job(self, request: web.Request) -> Job:
        """The visitor's own job; those of others do not exist."""
        job = self.jobs.get(self.guard.name_of(request), request.match_info["id"])
        if job is None:
            raise web.HTTPNotFound(reason="there is no such job; it may have been removed")
        return job


def largest_input(options: ColorOptions) -> int:
    """Bytes of the largest batch that the network is given."""
    height, width = ProxySize(MAX_ASPECT * options.size, options.size).padded
    return 4 * height * width * options.batch


def is_full(visitors: list[str], own: str, most: int, most_of_one: int) -> bool:
    """Whether no more is taken, of all or of this one visitor."""
    return len(visitors) >= most or visitors.count(own) >= most_of_one


async def read_json(request: web.Request) -> dict[str, Any]:
    try:
        told = await asyncio.wait_for(request.json(), JSON_SECONDS)
    except TimeoutError:
        raise web.HTTPRequestTimeout(reason="the request came too slowly; try again") from None
    except (ValueError, LookupError, RecursionError):  # no JSON, no such charset, a thousand brackets
        raise web.HTTPBadRequest(reason="the request is no JSON") from None
    if not isinstance(told, dict):
        raise web.HTTPBadRequest(reason="the request is no JSON object")
    return told


def to_number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan
