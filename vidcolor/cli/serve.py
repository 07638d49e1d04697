"""`vidcolor serve`: a page for the browser."""

from __future__ import annotations

import argparse
import asyncio
import errno
import importlib.util
import ipaddress
import math
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vidcolor.cli.faults import DONE, endings, told
from vidcolor.cli.groups import build, color_group, message_group
from vidcolor.cli.terminal import Terminal
from vidcolor.errors import BackendError, InputError, OptionError
from vidcolor.live.serve.limits import Limits
from vidcolor.options import ColorizeOptions

if TYPE_CHECKING:
    from vidcolor.live.serve.app import Server
    from vidcolor.live.serve.store import Store

PORT = 8321
SHORTEST_TOKEN = 8  # characters


COLOR_FIELDS = ("strength", "size", "backend", "model")


def make_parser() -> argparse.ArgumentParser:
    limits = Limits()
    parser = argparse.ArgumentParser(
        prog="vidcolor serve",
        description="A page for the browser: live camera, films and photos in colour. Only this machine reaches it.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on; others than this machine's need --token (127.0.0.1)")
    add("--port", type=int, default=PORT, help=f"0 takes any that is free ({PORT})")
    add("--token", metavar="TEXT", help="what a visitor must bring in the address; auto makes one")
    add("--tls-cert", type=Path, metavar="FILE",
        help="certificate (PEM): browsers give the camera of another machine to https")  # fmt: skip
    add("--tls-key", type=Path, metavar="FILE", help="its key, where it is not in the same file")
    add("--allow-host", action="append", default=[], metavar="NAME", help="a name that the server may be called by")
    add("--max-size", type=float, default=limits.max_bytes / 1e6, metavar="MB", help="of an upload (%(default)g)")
    add("--max-minutes", type=float, default=limits.max_seconds / 60, metavar="N", help="of a film (%(default)g)")
    add("--max-jobs", type=int, default=limits.max_jobs, metavar="N", help="kept at once (%(default)s)")
    add("--max-peers", type=int, default=limits.max_peers, metavar="N", help="live pictures at once (%(default)s)")
    add("--max-memory", type=float, default=limits.max_memory / 1e6, metavar="MB",
        help="of the process that colours an upload (%(default)g)")  # fmt: skip
    add("--data", type=Path, metavar="DIR",
        help="of uploads and results, which stay in it when the server ends (one that is emptied)")  # fmt: skip
    add("--keep", type=float, default=limits.keep_seconds / 60, metavar="MINUTES", help="files are kept (%(default)g)")
    color_group(parser, COLOR_FIELDS)
    message_group(parser, quiet="only errors, and the address")
    return parser


@dataclass(frozen=True)
class Entrance:
    """How visitors come in, checked."""

    hosts: tuple[str, ...]  # names that the server may be called by
    token: str | None
    tls: ssl.SSLContext | None

    def address(self, host: str, port: int) -> str:
        """What a visitor opens."""
        shown = f"[{host}]" if ":" in host else host
        query = f"?token={self.token}" if self.token else ""
        return f"http{'s' if self.tls else ''}://{shown}:{port}/{query}"


def run(argv: Sequence[str]) -> int:
    """Serve until a signal comes and give the exit status."""
    parsed = make_parser().parse_args(list(argv))
    terminal = Terminal(quiet=parsed.quiet)
    return told(terminal, lambda: start(parsed, terminal))


def start(parsed: argparse.Namespace, terminal: Terminal) -> int:
    """Check everything, and serve."""
    need_packages()
    check_token(parsed.host, parsed.token)
    tls = make_tls(parsed.tls_cert, parsed.tls_key)
    limits = make_limits(parsed)
    options = build(ColorizeOptions, parsed)
    with listen(parsed.host, parsed.port) as listener, open_store(parsed.data, parsed.port) as store:
        token = store.token if parsed.token == "auto" else parsed.token
        entrance = Entrance((*parsed.allow_host, parsed.host), token, tls)
        serve(entrance, options, limits, listener, store, terminal)
    return DONE


def open_store(data: Path | None, port: int) -> Store:
    """The folder for uploads and results: the user's, whose files stay, or one that is emptied at the end."""
    from vidcolor.live.serve.store import Store, usual_folder

    return Store(data or usual_folder(port), keep=data is not None)


def serve(
    entrance: Entrance, options: ColorizeOptions, limits: Limits, listener: socket.socket, store: Store,
    terminal: Terminal,
) -> None:  # fmt: skip
    """Serve at `listener` until a signal comes."""
    from vidcolor.api import Colorizer
    from vidcolor.live.serve.app import Server
    from vidcolor.live.serve.box import means
    from vidcolor.live.serve.guard import Guard

    terminal.note(f"uploads are decoded by processes of their own; held in by: {', '.join(means()) or 'nothing'}")
    with Colorizer(options) as colorizer:
        terminal.note(f"backend {colorizer.backend.description} ({colorizer.why})")
        host, port = listener.getsockname()[:2]
        everywhere = ipaddress.ip_address(host.partition("%")[0]).is_unspecified
        guard = Guard(entrance.hosts, entrance.token, limits.max_requests, key=store.key, any_address=everywhere)
        server = Server(colorizer.backend, options, limits, guard, store, colorizer.model.identity)
        address = entrance.address("localhost" if everywhere else host, port)
        asyncio.run(serve_until_signal(server, listener, entrance.tls, lambda: terminal.out(address)))


async def serve_until_signal(
    server: Server, listener: socket.socket, tls: ssl.SSLContext | None, ready: Callable[[], None]
) -> None:
    from vidcolor.live.serve.connections import serving

    over, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in endings(ctrl_c=True):
        try:
            loop.add_signal_handler(number, over.set)
        except NotImplementedError:  # Windows: KeyboardInterrupt ends the loop
            pass
    async with serving(server, listener, tls):
        ready()
        await over.wait()


def need_packages() -> None:
    missing = [name for name in ("aiohttp", "aiortc") if importlib.util.find_spec(name) is None]
    if missing:
        raise BackendError(f"the page needs {' and '.join(missing)}: pip install 'vidcolor[live]'")


def check_token(host: str, token: str | None) -> None:
    """Refuse a token that is none.

    Raises:
        OptionError: the address is open to others and there is no token, or it is too short.
    """
    from vidcolor.live.serve.guard import is_loopback

    if token is not None and token != "auto" and len(token) < SHORTEST_TOKEN:
        raise OptionError(f"token has {len(token)} characters, which can be guessed; give {SHORTEST_TOKEN} or auto")
    if token is None and not is_loopback(host):
        raise OptionError(f"{host} lets other machines in; add --token auto, or leave --host out")


def make_tls(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """What https needs, if it is wanted.

    Raises:
        OptionError: the files are missing or do not belong together.
    """
    if certificate is None:
        if key is not None:
            raise OptionError(f"{key}: is a key without a certificate; add --tls-cert")
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "not a certificate with its key"
        raise OptionError(f"{certificate}: {why}; give a PEM file, and its key in --tls-key") from error
    return context


def make_limits(args: argparse.Namespace) -> Limits:
    for name in ("max_size", "max_minutes", "max_jobs", "max_peers", "max_memory", "keep"):
        if not 0 < getattr(args, name) < math.inf:
            raise OptionError(f"{name.replace('_', '-')} {getattr(args, name):g} is out of range; give more than 0")
    return Limits(
        max_bytes=int(args.max_size * 1e6), max_seconds=args.max_minutes * 60, max_jobs=args.max_jobs,
        max_peers=args.max_peers, max_memory=int(args.max_memory * 1e6), keep_seconds=args.keep * 60,
    )  # fmt: skip


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        InputError: the port is taken, or the address is not this machine's.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        number = getattr(error, "errno", None)
        if number == errno.EADDRINUSE:
            raise InputError(f"port {port} is in use; stop the other server, or choose another --port") from error
        if number == errno.EACCES:
            raise InputError(f"port {port} is not for everyone; choose one above 1023") from error
        raise InputError(f"{host}:{port} cannot be listened on; check --host and --port") from error
