"""A server that is killed and started again: its jobs end, and their visitors find them."""

from __future__ import annotations

import json
import os
import stat
import time
import urllib.request
from pathlib import Path

import pytest
from yarl import URL

from tests.live.serve.test_command import started, wait
from tests.live.server import is_over, run, running, until_job, upload, visiting
from vidcolor.errors import OutputError
from vidcolor.live.serve.limits import Limits
from vidcolor.live.serve.store import Store, usual_folder

pytestmark = pytest.mark.timeout(120)


class Visitor:
    """Who has a cookie."""

    def __init__(self, address: str, cookie: str = "") -> None:
        self.address, self.cookie = address.rstrip("/"), cookie

    def ask(self, path: str, data: bytes | None = None, method: str | None = None) -> bytes:
        request = urllib.request.Request(self.address + path, data, {"Cookie": self.cookie}, method=method)
        with urllib.request.urlopen(request, timeout=60) as response:
            self.cookie = response.headers.get("Set-Cookie", "").partition(";")[0] or self.cookie
            return response.read()

    def jobs(self) -> list[dict]:
        """Oldest first."""
        return json.loads(self.ask("/api/jobs"))["jobs"][::-1]

    def wait_for_all(self) -> list[dict]:
        wait(lambda: all(is_over(job) for job in self.jobs()))
        return self.jobs()


def known_again(visitor, site, cookies) -> None:
    """Give a visitor of another server's cookies to this one's."""
    visitor.cookie_jar.clear()
    visitor.cookie_jar.update_cookies({c.key: c.value for c in cookies}, URL(site.address))


def test_killed_in_the_middle_of_three_jobs_all_three_end(tmp_path, two_segments, photo):
    temporary, data = tmp_path / "temporary", tmp_path / "data"
    temporary.mkdir()
    with started(temporary, "--data", str(data)) as (server, address):
        visitor = Visitor(address)
        visitor.ask("/")
        for query, sent in (("film&name=a", two_segments), ("still", photo), ("film&name=b", two_segments)):
            visitor.ask(f"/api/jobs?kind={query}", sent)
        wait(lambda: list(data.glob("jobs/*/work/*/segments/*.packets")))
        before = visitor.jobs()
        assert [job["state"] for job in before] == ["running", "queued", "queued"]
        (data / "jobs" / "0123").mkdir()  # as an upload leaves it that was on its way
        server.kill()
    with started(temporary, "--data", str(data)) as (server, address):
        visitor.address = address.rstrip("/")
        seen = [visitor.jobs()[0]["frames"]]
        while not seen[-1]:
            time.sleep(0.01)
            seen.append(visitor.jobs()[0]["frames"])
        assert seen[-1] >= 300  # it went on behind the first segment
        done = visitor.wait_for_all()
        assert [(job["id"], job["state"]) for job in done] == [(job["id"], "done") for job in before]
        first, second = (visitor.ask(done[i]["result_url"]) for i in (0, 2))
        assert first == second  # as the one that was not disturbed
        assert not (data / "jobs" / "0123").exists()
        server.terminate()
        assert server.wait(30) == 0
    with started(temporary, "--data", str(data)) as (server, address):
        visitor.address = address.rstrip("/")
        assert visitor.ask(done[0]["result_url"]) == first
        assert [job["expires_in"] > 0 for job in visitor.jobs()] == [True] * 3
        for job in done:
            visitor.ask(f"/api/jobs/{job['id']}", method="DELETE")
        assert list((data / "jobs").iterdir()) == []
    assert list(temporary.iterdir()) == []


@pytest.mark.usefixtures("own_temp")
def test_a_server_that_ends_gives_its_jobs_to_the_next(colorizer, two_segments, photo, tmp_path):
    async def work():
        async with running(colorizer, data=tmp_path) as site, visiting(site) as visitor:
            await until_job(visitor, (await upload(visitor, photo))[1], is_over)
            film = (await upload(visitor, two_segments, kind="film"))[1]
            await until_job(visitor, film, lambda job: job["frames"] > 0)
            cookies = list(visitor.cookie_jar)
        records = [json.loads(path.read_text()) for path in tmp_path.glob("jobs/*/job.json")]
        assert sorted((r["state"], r["begun"]) for r in records) == [("done", 1), ("queued", 0)]
        async with running(colorizer, data=tmp_path) as site, visiting(site) as visitor:
            assert (await (await visitor.get("/api/jobs")).json())["jobs"] == []  # somebody else's
            known_again(visitor, site, cookies)
            assert (await until_job(visitor, film, is_over))["state"] == "done"

    run(work)


@pytest.mark.usefixtures("own_temp")
@pytest.mark.parametrize("what", ["killed by it", "of another version", "without its result", "too old"])
def test_what_is_left_and_cannot_go_on(colorizer, photo, tmp_path, what):
    async def work():
        async with running(colorizer, data=tmp_path) as site, visiting(site) as visitor:
            job = await until_job(visitor, (await upload(visitor, photo, name="a.png"))[1], is_over)
            cookies = list(visitor.cookie_jar)
        (path,) = tmp_path.glob("jobs/*/job.json")
        record = json.loads(path.read_text())
        if what == "killed by it":
            record |= {"state": "running", "begun": 3}
        elif what == "of another version":
            record |= {"format": 0}
        elif what == "too old":
            record |= {"ended": record["ended"] - 10}
        else:
            (path.parent / "work" / "result.png").unlink()
        path.write_text(json.dumps(record))
        async with running(colorizer, Limits(keep_seconds=9.0), data=tmp_path) as site, visiting(site) as visitor:
            known_again(visitor, site, cookies)
            if what == "too old":
                site.server.jobs.sweep()
            left = (await (await visitor.get("/api/jobs")).json())["jobs"]
            if what in ("of another version", "too old"):
                assert left == []
                assert list(site.folder.iterdir()) == []
            else:
                assert [(j["id"], j["state"], j["error"][:7]) for j in left] == [(job["id"], "failed", "a.png: ")]

    run(work)


@pytest.mark.usefixtures("own_temp")
def test_a_film_that_another_server_began_otherwise_begins_anew(colorizer, two_segments, tmp_path):
    async def work():
        async with running(colorizer, data=tmp_path) as site, visiting(site) as visitor:
            film = (await upload(visitor, two_segments, kind="film"))[1]
            await until_job(visitor, film, lambda job: job["frames"] > 400)
            cookies = list(visitor.cookie_jar)
        (plan,) = tmp_path.glob("jobs/*/work/*/plan.jsonl")
        head, *rest = plan.read_text().splitlines(keepends=True)
        assert rest
        plan.write_text(head.replace('"vidcolor"', '"another"') + "".join(rest))
        async with running(colorizer, data=tmp_path) as site, visiting(site) as visitor:
            known_again(visitor, site, cookies)
            assert (await until_job(visitor, film, is_over))["state"] == "done"

    run(work)


def test_the_folder_is_for_no_one_else(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    folder = usual_folder(8321)
    assert folder is not None
    assert folder != usual_folder(8322)
    assert usual_folder(0) is None
    with Store(folder) as store:
        assert len(store.token) >= 16
        with pytest.raises(OutputError, match="--data"):
            Store(folder)
        if os.name == "posix":
            modes = {p.name: stat.S_IMODE(p.stat().st_mode) & 0o077 for p in (folder, *folder.rglob("*"))}
            assert {name for name, others in modes.items() if others} <= {"lock"}
    assert not folder.exists()
    with Store(folder, keep=True) as store:
        key, token = store.key, store.token
    with Store(folder, keep=True) as store:
        assert (store.key, store.token) == (key, token)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="--data"):
        Store(Path(tmp_path / "file" / "below"))
