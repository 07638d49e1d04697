"""What is uploaded: bounded, looked into by another process, and never by the name that its visitor gave it."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tests.live.server import is_over, run, running, until_job, upload, visiting
from vidcolor.live.serve import uploads
from vidcolor.live.serve.limits import Limits
from vidcolor.live.serve.probe import probe_still

pytestmark = [pytest.mark.usefixtures("own_temp"), pytest.mark.timeout(120)]


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


def test_the_page_offers_what_is_taken(colorizer, tmp_path):
    """Every ending that it shows is one of a still that is looked into, and none is missing that is usual."""
    shown = []

    async def work():
        async with running(colorizer) as site, visiting(site) as visitor, visitor.get("/api/limits") as answer:
            shown.extend((await answer.json())["still_types"])

    run(work)
    assert {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp", ".jp2", ".pgm", ".ppm"} <= set(shown)
    assert not {".heic", ".psd", ".tga"} & set(shown)
    for ending in shown:
        if ending != ".pfm":
            path = tmp_path / f"still{ending}"
            Image.linear_gradient("L").save(path)
            assert probe_still(path)["width"] == 256


def test_a_file_that_hangs_the_one_who_looks_into_it(colorizer, photo, monkeypatch):
    async def work():
        async with running(colorizer) as site, visiting(site) as visitor:
            with monkeypatch.context() as patch:
                patch.setattr(uploads, "PROBE_SECONDS", 0.0)
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
            assert sorted(names) == ["job.json", "result.png", "source.png"]
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
