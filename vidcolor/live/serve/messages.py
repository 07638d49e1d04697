"""Messages between the server and a process that colours for it: a JSON object and some bytes, with their lengths.

Nothing that comes in is run or trusted: who decodes a stranger's file may have been taken over by it.
"""

from __future__ import annotations

import json
import math
import struct
import threading
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np

from vidcolor import stored

LENGTHS = struct.Struct("<II")  # of the JSON and of the bytes
MOST_JSON = 1 << 16
Message = tuple[dict[str, Any], bytes]


class Link:
    """One end of a pair of pipes; `send` may be called from any thread, and `most` bounds the bytes of a message."""

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO, most: int) -> None:
        self.incoming, self.outgoing, self.most = incoming, outgoing, most
        self.lock = threading.Lock()

    def send(self, told: dict[str, Any], data: bytes = b"") -> None:
        """Send a message.

        Raises:
            OSError: the other end is gone.
        """
        text = json.dumps(told).encode()
        with self.lock:
            self.outgoing.write(LENGTHS.pack(len(text), len(data)) + text + data)
            self.outgoing.flush()

    def receive(self) -> Message | None:
        """The next message; None where the other end is gone.

        Raises:
            ValueError: it is none, or too long.
        """
        head = self.incoming.read(LENGTHS.size)
        if len(head) < LENGTHS.size:
            return None
        length, size = LENGTHS.unpack(head)
        if length > MOST_JSON or size > self.most:
            raise ValueError(f"a message of {length} and {size} bytes is too long")
        text, data = self.incoming.read(length), self.incoming.read(size)
        if len(text) < length or len(data) < size:
            return None
        told = stored.parse(text)
        if not isinstance(told, dict):
            raise ValueError("a message is no object")
        return told, data


def packed(arrays: Sequence[np.ndarray]) -> Message:
    """Float arrays as a message."""
    return {"shapes": [a.shape for a in arrays]}, b"".join(np.ascontiguousarray(a, np.float32).data for a in arrays)


def unpacked(told: dict[str, Any], data: bytes) -> list[np.ndarray]:
    """The arrays of a message.

    Raises:
        ValueError: shapes and bytes do not belong together.
    """
    arrays = []
    for shape in told.get("shapes", ()):
        if not isinstance(shape, list) or not all(isinstance(n, int) and n > 0 for n in shape):
            raise ValueError(f"{shape} is no shape")
        size = 4 * math.prod(shape)
        if size > len(data):
            raise ValueError(f"{shape} needs {size} bytes, and {len(data)} are there")
        arrays.append(np.frombuffer(data[:size], np.float32).reshape(shape))
        data = data[size:]
    return arrays
