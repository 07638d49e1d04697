"""Photographs on a web server: fetched whole, then read as files are."""

from __future__ import annotations

import base64
import io
from urllib.parse import unquote, urlsplit, urlunsplit

from vidcolor.errors import InputError
from vidcolor.pictures.source import read_bytes
from vidcolor.video.address import mask

TIMEOUT = 30.0  # seconds without an answer
REASONS = {
    401: "access denied; check user and password in the address",
    403: "access denied; check user and password in the address",
    404: "not found there; check the path in the address",
}


class Fetched(io.BytesIO):
    """What a server has sent, under the name that messages use."""

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(data)
        self.name = name


def fetch(address: str) -> Fetched:
    """What lies at an address of HTTP or HTTPS; user and password may stand in it.

    Raises:
        InputError: it does not answer, or has nothing there.
    """
    import urllib.error
    import urllib.request  # brings HTTP and TLS, which no file needs

    name = mask(address)
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    request = urllib.request.Request(urlunsplit(parts._replace(netloc=host, fragment="")))
    request.add_header("User-Agent", "vidcolor")
    if parts.username is not None:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        request.add_header("Authorization", f"Basic {base64.b64encode(user.encode()).decode()}")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            return Fetched(read_bytes(answer), name)
    except InputError as error:
        raise InputError(f"{name}: {str(error).partition(': ')[2]}") from error
    except urllib.error.HTTPError as error:
        said = REASONS.get(error.code, f"the server answers {error.code} {error.reason}; try again later")
        raise InputError(f"{name}: {said}") from error
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", error)
        raise InputError(f"{name}: cannot be reached, {why}; check the address and the network") from error
