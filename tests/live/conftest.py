"""A folder for temporary files of each test's own, so that what is left in it is seen."""

from __future__ import annotations

import tempfile

import pytest


@pytest.fixture
def own_temp(tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder
