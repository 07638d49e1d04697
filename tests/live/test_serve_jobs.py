"""Films and stills of visitors: coloured, shown to nobody else, bounded, cancelled, removed."""

from __future__ import annotations

import asyncio
import io
import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tests.conftest import SAMPLE
from tests.films import chroma_spread, read
from tests.live.server import refused, run, running, until, until_job, upload, visiting

pytest.importorskip("aiohttp")
pytest.importorskip("aiortc")

from vidcolor.live.serve import uploads
from vidcolor.live.serve.limits import Limits

pytestmark = [pytest.mark.usefixtures("own_temp"), pytest.mark.timeout(120)]


@pytest.fixture(scope="session")
def picture() -> np.ndarray:
    """A grey frame of the sample."""
    with av.open(str(SAMPLE)) as film:
        return next(film.decode(video=0)).to_ndarray(format="gray")


@pytest.fixture(scope="session")
def photo(picture) -> bytes:
    return packed(picture, "PNG")


@pytest.fixture(scope="session")
def long_film(tmp_path_factory) -> bytes:
    """A film that takes a while: the sample again and again, as Matroska that tells no length."""
    path = tmp_path_factory.mktemp("long") / "long.mkv"
    with av.open(str(SAMPLE)) as inp:
        frames = [f.reformat(320, 240, "yuv420p") for f in inp.decode(video=0)]
    with av.open(str(path), "w", format="matroska", options={"live": "1"}) as out:
        stream = out.add_stream("libx264", rate=25, options={"crf": "30", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for number in range(2500):
            frame = frames[number % len(frames)]
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path.read_bytes()


def packed(pixels: np.ndarray, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind, **options)
    return out.getvalue()


def colour_of(data: bytes) -> float:
    """How far a picture's colours are spread; 0 is grey."""
    rgb = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.float32)
    return float(np.std(rgb[..., 0] - rgb[..., 2]))


def is_over(job: dict) -> bool:
    return job["state"] in ("done", "failed", "cancelled")


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


def test_events_tell_what_becomes_of_a_job(colorizer, short_film):
    async def work():
        async with running(colorizer) as site, visiting(site) as visitor:
            async with visitor.get("/api/jobs/events") as events:
                assert events.content_type == "text/event-stream"
                await upload(visitor, short_film.read_bytes(), kind="film")
                states = []
                while "done" not in states:
                    line = await asyncio.wait_for(events.content.readline(), 60)
                    if line.startswith(b"data: "):
                        states += [j["state"] for j in json.loads(line[6:])["jobs"]]
                assert set(states) <= {"queued", "running", "done"}
            await until(lambda: site.server.streams == 0, "the stream's end", 30)

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


def test_what_is_beyond_a_limit_is_refused(colorizer, photo, picture, short_film):
    size = len(photo)
    limits = Limits(max_bytes=size, max_still_pixels=1000, max_pixels=1000)

    async def chunks(data):
        yield data

    async def work():
        async with running(colorizer, limits) as site, visiting(site) as visitor:
            for data in (bytes(size + 1), chunks(bytes(size + 1))):
                status, told = await upload(visitor, data)
                assert (status, "limit" in told["error"]) == (413, True)
            status, told = await upload(visitor, photo, name="big.png")
            assert (status, told["error"][:8]) == (413, "big.png:")
            assert list(site.folder.iterdir()) == []
        for limits_of_films, word in ((Limits(max_pixels=1000), "larger"), (Limits(max_seconds=0.1), "longer")):
            async with running(colorizer, limits_of_films) as site, visiting(site) as visitor:
                status, told = await upload(visitor, short_film.read_bytes(), kind="film", name="reel.mp4")
                assert status == 413
                assert told["error"].startswith("reel.mp4: ")
                assert word in told["error"]
                assert list(site.folder.iterdir()) == []

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


def test_what_is_no_film_or_still_is_refused(colorizer, photo, short_film, tmp_path):
    film = short_film.read_bytes()
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:1,\n{short_film}\n#EXT-X-ENDLIST\n".encode()
    listing = f"ffconcat version 1.0\nfile {short_film}\n".encode()
    page = f'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><image href="{short_film}"/></svg>'.encode()
    noise = np.random.default_rng(1).bytes(50_000)
    both = (b"", b"words", noise, playlist, listing, page, b"%!PS\n(x) run", b"\x1aE\xdf\xa3" + noise)
    wrong = [("film", data) for data in (*both, film[: len(film) // 20], b"RIFF\xff\xff\xff\x7fAVI LIST" + noise)]
    wrong += [("still", data) for data in (*both, film, photo[: len(photo) // 2], photo[:40])]

    async def work():
        async with running(colorizer) as site, visiting(site) as visitor:
            for kind, data in wrong:
                status, told = await upload(visitor, data, kind=kind, name="x.mp4")
                assert status in (400, 415), (kind, data[:20], told)
                assert "\n" not in told["error"]
                assert str(site.folder) not in told["error"]
            assert list(site.folder.iterdir()) == []
            assert (await upload(visitor, photo))[0] == 201

    run(work)


def test_a_file_that_hangs_the_one_who_looks_into_it(colorizer, photo, monkeypatch):
    async def work():
        async with running(colorizer) as site, visiting(site) as visitor:
            with monkeypatch.context() as patch:
                patch.setattr(uploads, "PROBE_SECONDS", 0.01)  # less than any process takes to start
                assert (await upload(visitor, photo))[0] == 415
            assert list(site.folder.iterdir()) == []
            assert (await upload(visitor, photo))[0] == 201

    run(work)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("/", "upload"),
        ("..", "upload"),
        ("", "upload"),
        ("a\r\nSet-Cookie: x=y\0.png", "aSet-Cookie x=y.png"),
        ("\u202egnp.exe", "gnp.exe"),
        ("Großmutter, 1931 \u4e2d.jpg", "Großmutter, 1931 \u4e2d.jpg"),
        ("<script>.png", "<script>.png"),
        ("x" * 500 + ".png", "x" * 74 + ".png"),
        ("x.png" + "y" * 500, "x.pngyy"),
    ],
)
def test_names_of_visitors_are_only_shown(colorizer, photo, name, shown):
    async def work():
        async with running(colorizer) as site, visiting(site) as visitor:
            job = await until_job(visitor, (await upload(visitor, photo, name=name))[1], is_over)
            assert job["state"] == "done"
            assert job["name"].replace(":", "") == shown
            assert len(job["name"]) <= 80
            names = [p.name for p in site.folder.rglob("*") if p.is_file()]
            assert sorted(names) == ["result.png", "source.png"]
            given = (await visitor.get(job["download_url"])).headers["Content-Disposition"]
            assert given.isascii()
            assert given.startswith("attachment; filename*=UTF-8''")
            assert not set(given.partition("''")[2]) & set('/\\"<>;, ')

    run(work)


def test_what_cannot_be_meant_is_refused(colorizer, photo):
    async def work():
        async with running(colorizer) as site, visiting(site) as visitor:
            for kind, strength in (("song", "1"), ("", "1"), ("still", "nan"), ("still", "3"), ("still", "-1"),
                                   ("still", "much"), ("still", "inf")):  # fmt: skip
                assert (await upload(visitor, photo, kind=kind, strength=strength))[0] == 400
            assert (await upload(visitor, photo, strength="0"))[0] == 201

    run(work)


def test_files_go_after_their_time(colorizer, photo):
    async def work():
        async with running(colorizer, Limits(keep_seconds=0.7)) as site, visiting(site) as visitor:
            assert (await upload(visitor, photo))[0] == 201
            assert list(site.folder.iterdir()) != []
            await until(lambda: not list(site.folder.iterdir()), "the files to go", 30)
            assert (await (await visitor.get("/api/jobs")).json()) == {"jobs": []}

    run(work)


def test_the_probe_is_bounded_in_time_and_memory(tmp_path):
    """In a process of its own, as the server starts it; the bound stands in for a file that would need more."""
    import subprocess
    import sys

    script = "import sys, vidcolor.live.serve.probe as p; p.SECONDS, p.BYTES = 1, 3_000_000_000; p.bound(); "
    for work in ("while True: pass", "bytearray(3_000_000_000)"):
        done = subprocess.run([sys.executable, "-c", script + "\n" + work], cwd=Path.cwd(), capture_output=True)
        assert done.returncode != 0
