"""Photographs on a web server."""

import functools
import http.server
import threading

import numpy as np
import pytest
from PIL import Image

from tests.commands import vidcolor
from vidcolor.errors import InputError
from vidcolor.film.batch import plan_batch
from vidcolor.stills.content import is_still
from vidcolor.stills.web import fetch


class Files(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/closed/") and self.headers["Authorization"] != "Basic dXNlcjpwQHNz":  # user:p@ss
            self.send_error(401)
            return
        super().do_GET()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    """A server, by its host, and its folder."""
    folder = tmp_path_factory.mktemp("web")
    (folder / "closed").mkdir()
    for name in ("photo.jpg", "closed/photo.jpg"):
        Image.linear_gradient("L").resize((96, 64)).save(folder / name)
    (folder / "empty.jpg").touch()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Files, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}", folder
    server.shutdown()
    server.server_close()


def test_a_photograph_becomes_a_still(colorizer, web, tmp_path):
    host, folder = web
    for source, name in ((f"http://{host}/photo.jpg", "there"), (folder / "photo.jpg", "here")):
        colorizer.file(source, tmp_path / f"{name}.png")
    there, here = (np.asarray(Image.open(tmp_path / f"{name}.png")) for name in ("there", "here"))
    assert there.shape == (64, 96, 3)
    assert np.array_equal(there, here)


def test_user_and_password_are_used_and_not_shown(web, tmp_path):
    host, _ = web
    closed = f"http://user:p%40ss@{host}/closed/photo.jpg?key=secret"
    done = vidcolor(closed, "-o", tmp_path / "out.png", "--json", "--size", 64)
    assert done.returncode == 0, done.stderr
    assert "p%40ss" not in done.stdout + done.stderr
    assert "secret" not in done.stdout + done.stderr
    assert Image.open(tmp_path / "out.png").size == (96, 64)
    with pytest.raises(InputError, match=r"\*\*\*@.*: access denied; check user and password"):
        fetch(closed.replace("user", "nobody"))


def test_what_is_not_there(web, tmp_path):
    host, _ = web
    done = vidcolor(f"http://{host}/none.jpg", "-o", tmp_path / "out.png", "-q")
    assert done.returncode == 1
    assert done.stderr == f"vidcolor: http://{host}/none.jpg: not found there; check the path in the address\n"
    with pytest.raises(InputError, match=r"/empty\.jpg: is empty"):
        fetch(f"http://{host}/empty.jpg")
    with pytest.raises(InputError, match=r"http://127\.0\.0\.1:1/x\.jpg: cannot be reached, .*refused"):
        fetch("http://127.0.0.1:1/x.jpg")


def test_a_folder_gets_a_still_too(web, tmp_path):
    (job,) = plan_batch([f"http://{web[0]}/photo.jpg"], f"{tmp_path}/out/").jobs
    assert job.target.name == "photo.jpg"


def test_only_what_is_meant_as_a_still_is_one():
    assert is_still("https://host/a.jpg", "out.png")
    assert is_still("http://host/a.jpg?size=full")
    assert is_still("http://host/picture", "out.tif")
    assert not is_still("http://host/a.jpg", "out.mkv")
    assert not is_still("http://host/a.mp4")
    assert not is_still("rtsp://host/a.jpg", "out.png")
