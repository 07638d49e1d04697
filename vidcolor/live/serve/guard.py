"""Who may ask what: hosts, origins, tokens, visitors, and how many at once."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import logging
import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

LOG = logging.getLogger(__name__)
COOKIE = "vidcolor"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
SAFE = ("GET", "HEAD", "OPTIONS")
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob:; media-src 'self' blob:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=()",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def fault(status: int, text: str, **headers: str) -> web.Response:
    """An error as the page shows it: one line."""
    return web.json_response({"error": text}, status=status, headers=headers)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server that listens on `host`."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def same(given: str, right: str) -> bool:
    """Whether two secrets are the same, in constant time."""
    return hmac.compare_digest(given.encode(errors="replace"), right.encode())


def printable(text: str) -> str:
    return "".join(c for c in text if c.isprintable())


class Guard:
    """The first to see a request, a middleware of aiohttp.

    A visitor is a random name, signed so that none can be made up; who has the cookie is let in. With a token the
    cookie is given only to who brings it.

    Args:
        hosts: names that the server may be called by, beside those of this machine; a page of another name that a
            resolver points here (DNS rebinding) is refused.
        token: what a visitor must bring; None: nothing.
        max_requests: that are answered at the same time.
        key: what names are signed with; a server that has the key of another knows its visitors.
        any_address: whether it may be called by any numeric address too; no resolver is asked for one.
    """

    def __init__(
        self, hosts: tuple[str, ...], token: str | None, max_requests: int, *, key: bytes, any_address: bool = False
    ) -> None:
        self.hosts = {h.lower() for h in (*LOOPBACK, *hosts)}
        self.token, self.max_requests, self.any_address = token, max_requests, any_address
        self.key = hmac.digest(key, (token or "").encode(), "sha256")  # who had another token is not let in by it
        self.busy = 0
        self.silent: set[asyncio.BaseProtocol] = set()  # nothing has been asked on them yet; see connections.py

    @property
    def middleware(self) -> Middleware:
        @web.middleware
        async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
            self.silent.discard(request.protocol)
            refused = self.refusal(request)
            if refused is not None:
                return dressed(refused)
            if self.busy >= self.max_requests:
                return dressed(fault(503, "the server is busy; try again in a moment", **{"Retry-After": "2"}))
            counted = not request.path.endswith("/events")  # streams of events last, and have a bound of their own
            self.busy += counted
            try:
                return dressed(await handler(request))
            except web.HTTPException as error:
                if error.status in (301, 302, 303):
                    raise
                return dressed(fault(error.status, error.reason or "refused"))
            except ConnectionError:
                return fault(400, "the connection broke off")  # which nobody reads any more
            except Exception:
                LOG.exception("%s %s failed", request.method, request.path)
                return dressed(fault(500, "a fault of the server; it goes on, and has told its owner"))
            finally:
                self.busy -= counted

        return check

    def refusal(self, request: web.Request) -> web.Response | None:
        """Why a request is not let in."""
        authority = request.headers.get("Host", "")  # request.host would look an absent one up, and wait for it
        name = self.host_of(authority)
        if name not in self.hosts and not (self.any_address and is_address(name)):
            return fault(403, f"not known by the name {printable(name)[:80]}; start it with --allow-host")
        if request.method not in SAFE:
            origin = request.headers.get("Origin")
            if origin is not None and origin.lower().partition("://")[2] != authority.lower():
                return fault(403, "the request comes from another site")
            if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
                return fault(403, "the request comes from another site")
        if request.path == "/" and self.brings_token(request):
            return None
        visitor = self.visitor(request)
        if visitor is None and not (self.token is not None and self.brings_token(request)):
            how = "add ?token=... to the address, as the server printed it" if self.token else "open the page first"
            return fault(401, f"not let in; {how}")
        return None

    @staticmethod
    def host_of(authority: str) -> str:
        """The name in a Host header, without the port."""
        try:
            return (urlsplit(f"//{authority}").hostname or "").lower()
        except ValueError:
            return ""

    def brings_token(self, request: web.Request) -> bool:
        """Whether the request has the token, compared in constant time; always where there is none."""
        if self.token is None:
            return True
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        given = request.query.get("token") or bearer
        return same(given, self.token)

    def sign(self, name: str) -> str:
        return hmac.new(self.key, name.encode(errors="replace"), hashlib.sha256).hexdigest()

    def visitor(self, request: web.Request) -> str | None:
        """The visitor's name, where the cookie is one of ours."""
        name, _, signature = request.cookies.get(COOKIE, "").partition(".")
        return name if name and same(signature, self.sign(name)) else None

    def name_of(self, request: web.Request) -> str:
        """Whose a request is that was let in; programs that bring the token but no cookie are one visitor."""
        return self.visitor(request) or "token"

    def welcome(self, response: web.StreamResponse, *, secure: bool) -> None:
        """Give a new visitor a name."""
        name = secrets.token_urlsafe(18)
        response.set_cookie(
            COOKIE, f"{name}.{self.sign(name)}", httponly=True, samesite="Strict", path="/", secure=secure
        )


def dressed(response: web.StreamResponse) -> web.StreamResponse:
    """With the headers that keep a browser from doing more than the page needs."""
    if not response.prepared:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Cache-Control", "no-store")
    return response
