"""Films and stills of visitors: coloured, shown to nobody else, bounded, cancelled, removed."""

from __future__ import annotations

import asyncio
import io
import json
import threading

import numpy as np
import pytest
from PIL import Image

from tests.films import chroma_spread, read
from tests.live.server import is_over, refused, run, running, until, until_job, upload, visiting
from vidcolor.live.serve.limits import Limits

pytestmark = [pytest.mark.usefixtures("own_temp"), pytest.mark.timeout(120)]


def packed(pixels: np.ndarray, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind, **options)
    return out.getvalue()


def colour_of(data: bytes) -> float:
    """How far a picture's colours are spread; 0 is grey."""
    rgb = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.float32)
    return float(np.std(rgb[..., 0] - rgb[..., 2]))


def test_a_still_comes_back_coloured(colorizer, photo, picture):
    async def work():
        async with running(colorizer) as site, visiting(site) as visitor:
            status, job = await upload(visitor, photo, name="grandma.png")
            assert (status, job["kind"], job["name"], job["size"]) == (201, "still", "grandma.png", len(photo))
            job = await until_job(visitor, job, is_over)
            assert (job["state"], job["error"], job["width"]) == ("done", None, picture.shape[1])
            response = await visitor.get(job["result_url"])
            assert response.content_type == "image/png"
            data = await response.read()
            assert Image.open(io.BytesIO(data)).size == picture.shape[::-1]
            assert colour_of(data) > 5.0
            assert await (await visitor.get(job["source_url"])).read() == photo
            name = (await visitor.get(job["download_url"])).headers["Content-Disposition"]
            assert name == "attachment; filename*=UTF-8''grandma-color.png"

    run(work)


@pytest.mark.parametrize("kind", ["JPEG", "MPO", "WEBP", "AVIF", "TIFF", "BMP", "PPM", "JPEG2000"])
def test_all_kinds_of_stills_that_are_offered(colorizer, picture, kind):
    more = {"save_all": True, "append_images": [Image.fromarray(picture)]} if kind == "MPO" else {}

    async def work():
        async with running(colorizer) as site, visiting(site) as visitor:
            status, job = await upload(visitor, packed(picture, kind, **more))
            assert status == 201, job
            job = await until_job(visitor, job, is_over)
            assert job["state"] == "done", job
            for url in filter(None, (job["result_url"], job["source_url"])):
                response = await visitor.get(url)
                assert response.content_type in ("image/jpeg", "image/png", "image/webp", "image/bmp", "image/avif")
            assert colour_of(await (await visitor.get(job["result_url"])).read()) > 5.0

    run(work)


def test_a_film_comes_back_as_browsers_play_it(colorizer, short_film, tmp_path):
    async def work():
        async with running(colorizer) as site, visiting(site) as visitor:
            status, job = await upload(visitor, short_film.read_bytes(), kind="film", name="reel 1.mp4")
            assert status == 201, job
            job = await until_job(visitor, job, is_over)
            assert (job["state"], job["frames"], job["seconds_left"]) == ("done", 12, None)
            assert 0 < job["expires_in"] <= site.server.limits.keep_seconds
            response = await visitor.get(job["result_url"])
            assert response.content_type == "video/mp4"
            data = await response.read()
            part = await visitor.get(job["result_url"], headers={"Range": "bytes=100-199"})
            assert part.status == 206
            assert await part.read() == data[100:200]
            assert data.index(b"moov") < data.index(b"mdat")  # plays before it is here as a whole
            (tmp_path / "back.mp4").write_bytes(data)
            before, after = read(short_film), read(tmp_path / "back.mp4")
            assert after.times == before.times
            assert after.packets == before.packets  # sound
            assert {f.format.name for f in after.frames} == {"yuv420p"}
            assert chroma_spread(after.frames[6]) > 3.0
            look = await visitor.get(job["preview_url"], params={"n": "1"})
            assert look.content_type == "image/jpeg"
            assert colour_of(await look.read()) > 5.0
            assert "reel%201-color.mp4" in (await visitor.get(job["download_url"])).headers["Content-Disposition"]

    run(work)


def test_nothing_of_one_visitor_is_visible_to_another(colorizer, photo):
    async def work():
        async with running(colorizer) as site, visiting(site) as owner, visiting(site) as other:
            job = await until_job(owner, (await upload(owner, photo))[1], is_over)
            assert [j["id"] for j in (await (await owner.get("/api/jobs")).json())["jobs"]] == [job["id"]]
            assert (await (await other.get("/api/jobs")).json()) == {"jobs": []}
            address = f"/api/jobs/{job['id']}"
            for path in (address, f"{address}/source", f"{address}/result", f"{address}/preview"):
                await refused(await other.get(path), 404)
            await refused(await other.delete(address), 404)
            async with other.get("/api/jobs/events") as events:
                assert json.loads((await events.content.readline()).removeprefix(b"data: ")) == {"jobs": []}
            assert (await owner.get(job["result_url"])).status == 200  # still there

    run(work)


def test_events_tell_what_becomes_of_a_job(colorizer, short_film, monkeypatch):
    order = ("queued", "running", "done")
    go_on, predict = threading.Event(), colorizer.backend.predict

    def waiting(*given):
        assert go_on.wait(60)
        return predict(*given)

    monkeypatch.setattr(colorizer.backend, "predict", waiting)

    async def next_states(events):
        while True:
            line = await asyncio.wait_for(events.content.readline(), 60)
            if line.startswith(b"data: "):
                return {j["name"]: j["state"] for j in json.loads(line[6:])["jobs"]}

    async def work():
        async with running(colorizer) as site, visiting(site) as visitor:
            async with visitor.get("/api/jobs/events") as events:
                assert events.content_type == "text/event-stream"
                for name in ("first.mp4", "second.mp4"):
                    await upload(visitor, short_film.read_bytes(), kind="film", name=name)
                told = [await next_states(events)]
                while told[-1] != {"first.mp4": "running", "second.mp4": "queued"}:
                    told.append(await next_states(events))
                go_on.set()
                while told[-1] != {"first.mp4": "done", "second.mp4": "done"}:
                    told.append(await next_states(events))
            for name in ("first.mp4", "second.mp4"):
                states = [order.index(states[name]) for states in told if name in states]
                assert states == sorted(states), f"{name} went back"
            await until(lambda: not site.server.streams, "the stream's end", 30)

    run(work)


def test_a_running_job_is_cancelled_and_the_next_begins(colorizer, long_film, photo):
    async def work():
        async with running(colorizer) as site, visiting(site) as visitor:
            film = (await upload(visitor, long_film, kind="film", name="long.mkv"))[1]
            first, second = [(await upload(visitor, photo))[1] for _ in range(2)]
            assert (first["place"], second["place"]) == (0, 1)
            assert (await visitor.delete(f"/api/jobs/{first['id']}")).status == 204
            await until_job(visitor, film, lambda job: job["frames"] > 0)
            assert (await visitor.delete(f"/api/jobs/{film['id']}")).status == 204
            second = await until_job(visitor, second, is_over)
            assert second["state"] == "done"
            for gone in (film, first):
                await refused(await visitor.get(f"/api/jobs/{gone['id']}"), 404)
                await refused(await visitor.delete(f"/api/jobs/{gone['id']}"), 404)
            await until(lambda: len(list(site.folder.iterdir())) == 1, "the files of the others to go")
            assert (await visitor.delete(f"/api/jobs/{second['id']}")).status == 204
            assert list(site.folder.iterdir()) == []

    run(work)


def test_a_server_that_ends_leaves_no_film_half_done(colorizer, long_film):
    async def work():
        async with running(colorizer) as site, visiting(site) as visitor:
            film = (await upload(visitor, long_film, kind="film"))[1]
            await until_job(visitor, film, lambda job: job["frames"] > 0)

    run(work)


def test_a_film_that_tells_no_length_is_stopped_at_the_limit(colorizer, long_film):
    async def work():
        async with running(colorizer, Limits(max_seconds=2.0)) as site, visiting(site) as visitor:
            status, job = await upload(visitor, long_film, kind="film", name="endless.mkv")
            assert status == 201, job  # nothing is known of it yet
            job = await until_job(visitor, job, is_over)
            assert job["state"] == "failed"
            assert job["error"].startswith("endless.mkv: is longer")
            assert job["result_url"] is None
            await refused(await visitor.get(f"/api/jobs/{job['id']}/result"), 404)

    run(work)


@pytest.mark.parametrize("limits", [Limits(max_visitor_jobs=2), Limits(max_jobs=2)])
def test_jobs_are_bounded(colorizer, photo, limits):
    async def work():
        async with running(colorizer, limits) as site, visiting(site) as visitor, visiting(site) as other:
            answers = await asyncio.gather(*[upload(visitor, photo) for _ in range(4)])
            assert sorted(status for status, _ in answers) == [201, 201, 429, 429]
            assert (await upload(other, photo))[0] == (201 if limits.max_jobs > 2 else 429)
            first = next(job for status, job in answers if status == 201)
            assert (await visitor.delete(f"/api/jobs/{first['id']}")).status == 204
            assert (await upload(visitor, photo))[0] == 201

    run(work)


def test_files_go_after_their_time(colorizer, photo):
    async def work():
        async with running(colorizer, Limits(keep_seconds=0.7)) as site, visiting(site) as visitor:
            assert (await upload(visitor, photo))[0] == 201
            assert list(site.folder.iterdir()) != []
            await until(lambda: not list(site.folder.iterdir()), "the files to go", 30)
            assert (await (await visitor.get("/api/jobs")).json()) == {"jobs": []}

    run(work)
