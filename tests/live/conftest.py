"""Shared by the tests of live pictures: an own folder for temporary files, so that what is left is seen; a broadcast."""

from __future__ import annotations

import dataclasses
import tempfile

import pytest

from tests.live.broadcast import make_cast
from vidcolor.live.streams.stream import colorize_stream


@pytest.fixture
def own_temp(tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture(scope="session")
def cast(tmp_path_factory):
    return make_cast(tmp_path_factory.mktemp("cast") / "cast.mp4")


@pytest.fixture
def color(colorizer):
    """A function that colours a stream, in this thread."""

    def run(source, target, stream=None, **changes):
        options = dataclasses.replace(colorizer.options, **changes)
        return colorize_stream(str(source), str(target), colorizer.backend, options, stream)

    return run
