"""Every parser of our own on seeded mutants; how to run one without end stands in __init__.py."""

from __future__ import annotations

import os
import time
import zlib

import numpy as np
import pytest

from tests.fuzz.mutate import mutate
from tests.fuzz.parsers import PARSERS

COUNT = int(os.environ.get("VIDCOLOR_FUZZ", "150"))
LONGEST = 2.0  # seconds for one


@pytest.mark.parametrize("name", PARSERS)
def test_nothing_but_what_the_parser_says(name, tmp_path):
    parser, work = PARSERS[name], tmp_path / "reel.mkv.vidcolor"
    work.mkdir()
    seed = parser.seed(work)
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    for number, data in enumerate([seed, b"", *(mutate(rng, seed) for _ in range(COUNT))]):
        (work / parser.name).write_bytes(data)
        begun = time.monotonic()
        try:
            parser.read(work / parser.name)
        except Exception as error:
            raise AssertionError(f"{name}, input {number}: {data[:2000]!r}") from error
        assert time.monotonic() - begun < LONGEST, f"{name}, input {number}: {data[:2000]!r}"
