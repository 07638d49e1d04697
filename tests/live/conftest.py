"""What is left behind is seen: temporary files in a folder of each test's own, and faults that only the log tells."""

from __future__ import annotations

import gc
import logging
import tempfile

import pytest


@pytest.fixture
def own_temp(tmp_path, monkeypatch, caplog):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    gc.collect()  # asyncio tells of lost exceptions when their tasks go
    records = [r for when in ("call", "teardown") for r in caplog.get_records(when)]
    assert [r.getMessage() for r in records if r.levelno >= logging.ERROR] == []
