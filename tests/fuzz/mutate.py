"""Seeded mutants of a text or a record: bytes, pieces, and in JSON one value for another."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np

VALUES: list[Any] = [
    None, True, -1, 0, 1.5, 2**63, 10**40, "", "x", "\ud800", "\0", "1e9999999", "1/0", "nan", [], [[]], {}, {"a": 1},
    float("nan"), float("inf"), "9" * 5000, [1, 2, 3], "../../etc/passwd", "/" + "9" * 300 + "/x", "x" * 300,
]  # fmt: skip
PIECES = [
    b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"[" * 50_000, b"9" * 5000, b"1e9999999", b"NaN", b'"', b",", b"\n", b"{}",
    b"null", b"-1", b"\xff" * 9, b"\x80" * 9, b"x" * 200_000,
]  # fmt: skip


def mutate(rng: np.random.Generator, seed: bytes) -> bytes:
    """Another one each time."""
    if rng.random() < 0.5 and (changed := in_json(rng, seed)) is not None:
        return changed
    data = bytearray(seed)
    for _ in range(rng.integers(1, 4)):
        at, size = int(rng.integers(0, len(data) + 1)), int(rng.integers(0, 9))
        way = rng.integers(0, 4)
        if way == 0:
            data[at : at + 1] = bytes([rng.integers(0, 256)])
        elif way == 1:
            data[at : at + size] = PIECES[rng.integers(0, len(PIECES))]
        elif way == 2:
            del data[at : at + size]
        else:
            data[at:at] = data[at : at + 40]
    return bytes(data)


def in_json(rng: np.random.Generator, seed: bytes) -> bytes | None:
    """One value of one line replaced; None where it is no JSON."""
    try:
        lines = [seed.decode()] if seed.lstrip().startswith(b"{\n") else seed.decode().splitlines()
        number = int(rng.integers(0, len(lines)))
        content = json.loads(lines[number])
    except ValueError:
        return None
    value = copy.deepcopy(VALUES[rng.integers(0, len(VALUES))])
    holders = [h for h in walk(content) if h]
    if not holders or rng.random() < 0.05:
        content = value
    else:
        holder = holders[rng.integers(0, len(holders))]
        key = list(holder)[rng.integers(0, len(holder))] if isinstance(holder, dict) else rng.integers(0, len(holder))
        if rng.random() < 0.1:
            del holder[key]
        else:
            holder[key] = value
    lines[number] = json.dumps(content)
    return ("\n".join(lines) + "\n").encode()


def walk(content: Any) -> Any:
    """All objects and lists in `content`."""
    if isinstance(content, dict | list):
        yield content
        for inner in content.values() if isinstance(content, dict) else content:
            yield from walk(inner)
