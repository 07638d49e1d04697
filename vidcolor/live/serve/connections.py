"""How many connections are open, and how long one may be before it asks for something."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from vidcolor.live.serve.app import Server
from vidcolor.live.serve.limits import IDLE_SECONDS


class Closed(asyncio.Protocol):
    """What a visitor meets for whom there is no room."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.abort()


@asynccontextmanager
async def serving(server: Server, listening: socket.socket, tls: ssl.SSLContext | None = None) -> AsyncIterator[None]:
    """Serve at a listening socket, over https with `tls`, while the body runs; then all ends, the socket too."""
    loop, limits, guard = asyncio.get_running_loop(), server.limits, server.guard
    runner = web.AppRunner(
        server.app, access_log=None, handler_cancellation=True, shutdown_timeout=2.0, keepalive_timeout=IDLE_SECONDS
    )

    def accept() -> asyncio.BaseProtocol:
        assert runner.server is not None
        if len(runner.server.connections) >= limits.max_connections:
            return Closed()
        visitor = runner.server()
        guard.silent.add(visitor)
        loop.call_later(IDLE_SECONDS, let_go, visitor)
        return visitor

    def let_go(visitor: web.RequestHandler) -> None:
        """Who has come, but not brought a whole request, goes: aiohttp would wait for ever."""
        if visitor in guard.silent:
            guard.silent.discard(visitor)
            if visitor.transport is not None:
                visitor.transport.abort()

    logger = logging.getLogger("aiohttp.server")
    logger.addFilter(is_ours)
    await runner.setup()
    try:
        listener = await loop.create_server(accept, sock=listening, ssl=tls)
        try:
            yield
        finally:
            listener.close()
    finally:
        server.stopping.set()
        await runner.cleanup()
        logger.removeFilter(is_ours)


def is_ours(record: logging.LogRecord) -> bool:
    """Malformed requests get their 400; a traceback for each would let strangers fill the terminal."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))
