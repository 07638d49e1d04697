"""The parts of an address, and how it is shown: secrets in it never are."""

from __future__ import annotations

import re

HTTP = ("http", "https")
KNOWN_QUERY = ("udp", "rtp", "tcp")  # what follows the ? of these are settings, not secrets


def scheme(address: str) -> str:
    """The lower-case scheme of a URL, empty for a path or a pipe."""
    return address.split("://", 1)[0].lower() if "://" in address else ""


def mask(address: str) -> str:
    """`address` as it may be shown: without user and password, stream key and what a query holds."""
    if "://" not in address:
        return address
    head, rest = address.split("://", 1)
    place, _, query = rest.partition("?")
    host, slash, path = place.partition("/")
    if "@" in host:
        host = "***@" + host.rsplit("@", 1)[1]
    elif "@" in path and re.match(r"[^/@]*:", host):  # a password with a slash in it
        host, _, path = ("***@" + place.rsplit("@", 1)[1]).partition("/")
    if head.lower().startswith("rtmp") and "/" in path:
        path = path.split("/", 1)[0] + "/***"
    if query:
        query = "?" + (query if head.lower() in KNOWN_QUERY else "***")
    return f"{head}://{host}{slash}{path}{query}"
