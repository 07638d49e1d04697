"""`vidcolor serve` as users start it: its line for every fault, and its end."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiortc.rtcdtlstransport import RTCCertificate
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.conftest import ROOT, SAMPLE
from tests.live.browser import make_film
from vidcolor.cli.serve import run

pytestmark = pytest.mark.timeout(120)


@contextmanager
def started(temporary: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen, str]]:
    """A server in a process of its own, whose temporary files lie in a folder of the test's, and its address."""
    command = [sys.executable, "-m", "vidcolor", "serve", "--port", "0", "--size", "96", *arguments]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with (temporary.parent / "log").open("w+") as log:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert server.stdout is not None
            yield server, server.stdout.readline().strip()
        finally:
            server.kill()
            server.wait()
            server.stdout.close()
        log.seek(0)
        assert "Traceback" not in log.read()


def asked(base: str, path: str, token: str | None, data: bytes | None = None) -> int:
    """The status of an answer."""
    request = urllib.request.Request(base + path, data, {"Authorization": f"Bearer {token}"} if token else {})
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    try:
        with browser.open(request, timeout=60) as response:
            return response.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def wait(check: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not check():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def talker(tmp_path_factory) -> Iterator[tuple[str, int]]:
    """Host and port of a server that must end without a word."""
    temporary = tmp_path_factory.mktemp("talker") / "temporary"
    temporary.mkdir()
    with started(temporary) as (server, address):
        host, port = address.removeprefix("http://").rstrip("/").split(":")
        yield host, int(port)
        assert asked(address.rstrip("/"), "/", None) == 200
        server.terminate()
        assert server.wait(30) == 0


def said(capsys, *arguments: str) -> tuple[int, str]:
    """Exit status and the one line of a server that must not start."""
    status = run(arguments)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.strip()
    assert "Traceback" not in err
    return status, " ".join(err.split())


def test_other_addresses_need_a_token(capsys):
    for host in ("0.0.0.0", "::", "192.0.2.1", "films.example", ""):
        status, line = said(capsys, "--host", host, "--port", "0")
        assert status == 2
        assert "--token auto" in line
    assert said(capsys, "--token", "short")[0] == 2


def test_with_a_token_all_addresses_are_served_and_the_printed_one_works(tmp_path):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with started(temporary, "--host", "0.0.0.0", "--token", "auto") as (server, address):
        base, _, token = address.partition("/?token=")
        assert len(token) >= 16
        assert asked(base, "/", None) == 401
        assert asked(base, f"/?token={token}", None) == 200
        assert asked(base.replace("localhost", "127.0.0.1"), "/api/limits", token) == 200
        server.terminate()
        assert server.wait(30) == 0


@pytest.mark.parametrize(
    "request_line",
    ["nonsense", "GET / HTTP/1.1\r\nHost: a\r\nHost: localhost", "\x16\x03\x01",
     "GET /\x00 HTTP/1.1\r\nHost: localhost", "GET / HTTP/1.1\r\nHost: localhost\r\nX: " + "a" * 20_000],
)  # fmt: skip
def test_a_malformed_request_gets_a_400_and_says_nothing_to_the_owner(talker, request_line):
    host, port = talker
    with socket.create_connection((host, port), timeout=30) as stranger:
        stranger.sendall(f"{request_line}\r\n\r\n".encode())
        assert b" 400 " in stranger.recv(100)


def test_a_port_in_use_is_named(capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        status, line = said(capsys, "--port", str(port))
    assert status == 1
    assert f"port {port} is in use" in line
    assert "--port" in line


@pytest.mark.parametrize(
    "arguments",
    [("--port", "70000"), ("--port", "-1"), ("--host", "192.0.2.1", "--token", "auto"), ("--max-size", "inf"),
     ("--max-size", "nan"), ("--max-minutes", "0"), ("--keep", "-1"), ("--max-jobs", "0"), ("--max-peers", "-2"),
     ("--max-memory", "0"),     ("--strength", "5"), ("--model", "/nothing.onnx"),
     ("--tls-cert", "/nothing.pem"), ("--tls-key", "own-key.pem")],
)  # fmt: skip
def test_what_cannot_be_gets_one_line(capsys, arguments):
    status, line = said(capsys, *arguments)
    assert status in (1, 2)
    assert arguments[0].removeprefix("--").split("-")[-1] in line or arguments[1] in line


def test_missing_packages_are_named_with_the_remedy(capsys, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "aiortc" else found(name, *a))
    status, line = said(capsys)
    assert status == 1
    assert "aiortc" in line
    assert "pip install 'vidcolor[live]'" in line


def test_only_the_serving_command_needs_its_packages():
    blocked = "import sys; sys.modules.update(dict.fromkeys(('aiohttp', 'aiortc', 'pygame')))\n"
    script = blocked + "from vidcolor.cli.main import main; sys.exit(main(['--help']))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_a_job_at_work_and_an_upload_on_its_way(tmp_path, number):
    temporary, film = tmp_path / "temporary", make_film(SAMPLE, tmp_path / "film.mp4", frames=800)
    temporary.mkdir()
    with started(temporary, "--token", "auto") as (server, address):
        base, _, token = address.partition("/?token=")
        assert asked(base, "/api/limits", None) == 401
        assert asked(base, "/api/limits", token) == 200
        assert asked(base, "/api/jobs?kind=film", token, film.read_bytes()) == 201
        host, port = base.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as upload:
            upload.sendall(
                f"POST /api/jobs?kind=film HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
                "Content-Length: 1000000\r\n\r\nthe first bytes".encode()
            )
            wait(lambda: len(list(temporary.glob("vidcolor-*/jobs/*"))) == 2)
            wait(lambda: list(temporary.rglob("*result*")))
            server.send_signal(number)
            assert server.wait(30) == 0
    assert list(temporary.iterdir()) == []


def test_it_speaks_https(tmp_path):
    certificate = RTCCertificate.generateCertificate()
    pem = tmp_path / "own.pem"
    key = certificate._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pem.write_bytes(key + certificate._cert.public_bytes(Encoding.PEM))
    folder = tmp_path / "temporary"
    folder.mkdir()
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    with started(folder, "--tls-cert", str(pem)) as (_, address):
        assert address.startswith("https://")
        with urllib.request.urlopen(address, timeout=60, context=trusting) as page:
            assert page.status == 200
            assert "; Secure" in page.headers["Set-Cookie"]
