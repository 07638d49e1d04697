"""`vidcolor webcam` on an address with a password in it: no message shows that."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest

from tests.commands import vidcolor
from tests.films import make_mpegts
from vidcolor.errors import InputError
from vidcolor.live.capture import Capture
from vidcolor.live.newest import Newest
from vidcolor.live.options import WatchOptions
from vidcolor.live.watch import Watcher


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> bytes:
    return make_mpegts(tmp_path_factory.mktemp("secrets") / "film.ts").read_bytes()


@pytest.fixture
def address(film) -> Iterator[str]:
    """A camera on the web, with user and password in its address."""

    class Camera(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(film)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Camera) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://user:secret@127.0.0.1:{server.server_port}/film.ts?key=secret"
        server.shutdown()


@pytest.mark.parametrize("address", ["rtsp://user:secret@127.0.0.1:1/x", "http://user:secret@127.0.0.1:1/x?key=secret"])
def test_an_address_that_cannot_be_opened(address):
    with pytest.raises(InputError, match=r"^[a-z]+://\*\*\*@127\.0\.0\.1:1/x") as told:
        Capture(address, Newest())
    assert "secret" not in str(told.value)


def test_a_stream_that_is_lost(address):
    notes: list[str] = []
    capture = Capture(address, Newest(), note=notes.append)
    reader = threading.Thread(target=capture.run)
    reader.start()
    while len(notes) < 2:  # lost, and back
        capture.out.take(60)
    capture.stop.set()
    reader.join()
    assert "trying again" in notes[0]
    assert "is back" in notes[1]
    assert not [note for note in notes if "secret" in note]


def test_the_title_of_the_window(address, colorizer, monkeypatch):
    titles: list[str] = []
    monkeypatch.setattr("vidcolor.live.watch.Window", lambda title, *_: titles.append(title) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        Watcher(address, colorizer, WatchOptions()).run()
    (title,) = titles
    assert "127.0.0.1" in title
    assert "secret" not in title


def test_what_the_command_prints(address):
    done = vidcolor("webcam", address, "--no-window", "--seconds", "1", "--size", "96")
    assert done.returncode == 0, done.stderr
    assert "127.0.0.1" in done.stderr
    assert "secret" not in done.stderr + done.stdout
