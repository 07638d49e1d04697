"""What is left behind is seen: temporary files in a folder of each test's own, faults only a log or console tells."""

from __future__ import annotations

import gc
import logging
import tempfile

import pytest

from tests.live.browser import browsing, clip, make_camera, serving


@pytest.fixture
def own_temp(tmp_path, monkeypatch, caplog):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    gc.collect()  # asyncio tells of lost exceptions when their tasks go
    records = [r for when in ("call", "teardown") for r in caplog.get_records(when)]
    assert [r.getMessage() for r in records if r.levelno >= logging.ERROR] == []


@pytest.fixture(scope="module")
def address():
    with serving() as url:
        yield url


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    with browsing(make_camera(clip("dog_park"), folder / "camera.mjpeg", frames=60), folder) as made:
        made.folder = folder
        yield made


@pytest.fixture
def page(chromium, address):
    """The page, opened anew; at the end the console must have no word of fault, but the answers that a test allows."""
    chromium.get("about:blank")
    chromium.get_log("browser")
    chromium.get(address)
    chromium.allowed = []
    yield chromium
    faults = [e["message"] for e in chromium.get_log("browser") if e["level"] in ("SEVERE", "WARNING")]
    assert not [f for f in faults if not any(a in f for a in chromium.allowed)]
