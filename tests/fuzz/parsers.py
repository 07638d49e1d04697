"""One harness for each parser: a seed that our own writer made, and a function that takes bytes.

A harness lets pass what the parser's docstring says it raises, and nothing else; what was read must be usable.
"""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import numpy as np
from aiohttp.test_utils import make_mocked_request

from vidcolor import stored
from vidcolor.color.encoding import Encoding
from vidcolor.conditions.conventions import pictures_at
from vidcolor.conditions.store import CONTENTS, Stretch, Survey
from vidcolor.errors import InputError, ModelError, OptionError
from vidcolor.film.jobs import look
from vidcolor.film.names import LOCK, NOTE, PLAN, RECORDS
from vidcolor.film.owner import Owner, holder
from vidcolor.film.packets import DamagedPackets, check
from vidcolor.film.plan import FilmPlan, Mark, Segment, read_plan
from vidcolor.film.recipe import Recipe, SourceFacts
from vidcolor.film.record import Made, Records
from vidcolor.film.work import Note
from vidcolor.live.serve.backend import Priority
from vidcolor.live.serve.guard import COOKIE, Guard
from vidcolor.live.serve.job import Job, job_of
from vidcolor.live.serve.limits import Limits
from vidcolor.live.serve.messages import LENGTHS, Link, packed, unpacked
from vidcolor.live.serve.peers import SDP_BYTES, Peers
from vidcolor.live.serve.store import RECORD, SECRETS, Store
from vidcolor.live.serve.uploads import clean_name
from vidcolor.models.files import open_model
from vidcolor.options import ColorOptions
from vidcolor.shots.cutlist import Shot, ShotList, read_shots, write_shots
from vidcolor.stills import exif, jpeg, png
from vidcolor.video.address import mask, scheme
from vidcolor.video.info import FilmInfo

FACTS = SourceFacts("/films/reel.mkv", 1234, 5678, "ab" * 32)
MADE = Made(FACTS, "wish", 99, "cd" * 32)


@dataclass(frozen=True)
class Parser:
    """`read` is given a file in a folder of its own that holds the bytes; both may be written to."""

    seed: Callable[[Path], bytes]
    read: Callable[[Path], None]
    name: str = "input"  # of that file


def read_cut_list(path: Path) -> None:
    with suppress(OptionError):
        shots = read_shots(path)
        write_shots(path, shots)
        assert read_shots(path) == shots


def cut_list(folder: Path) -> bytes:
    shots = ShotList((Shot(0, 40, 0.0, "first"), Shot(40, None, 1.6, "cut")), "reel.mkv", Fraction(24000, 1001))
    write_shots(folder / "seed.json", shots)
    return (folder / "seed.json").read_bytes()


def scene_list(folder: Path) -> bytes:
    lines = ["Scene Number,Start Frame,Start Time (seconds),End Frame", "1,1,0.0,40", "2,41,1.6,90"]
    return "\r\n".join(lines).encode()


def plan(folder: Path) -> bytes:
    info = FilmInfo(width=64, height=48, pix_fmt="yuv420p", time_base=Fraction(1, 25), rate=Fraction(25), frames=90,
                    encoding=Encoding(depth=8), aspect=Fraction(1))  # fmt: skip
    made = FilmPlan(folder, FACTS, info, Recipe({"strength": 1.0}, {}, "m", "b", "host", {}, {"vidcolor": "0"}))
    made.create()
    first = Segment(0, 0, 40, "first", Mark(0, 0, "d"), shots=((0, "first", "0"),), digest="x", left_out=(7,))
    made.add(first, next_start=Segment(1, 41, None, "cut", Mark(41, 41, "e")), exact=True)
    return (folder / PLAN).read_bytes()


def read_film_plan(path: Path) -> None:
    with suppress(ValueError):
        read_plan(path.parent)
    look(path.parent)


def read_note(path: Path) -> None:
    if (note := Note.read(path.parent)) is not None:
        note.write(path.parent)
    look(path.parent)


def read_lock(path: Path) -> None:
    if (owner := holder(path.parent)) is not None:
        assert str(owner)


def read_records(path: Path) -> None:
    records = Records(path.parent)
    records.find(path.parent / "reel.mkv", FACTS, "wish")
    records.add(path.parent / "new.mkv", MADE)
    records.update()
    assert records.known["new.mkv"] == MADE


def survey(folder: Path) -> bytes:
    Survey(folder, "key", {0: "first", 40: "cut"}, [Stretch(3, 0, 39)], ["a note"], ["a warning"]).finish()
    return (folder / CONTENTS).read_bytes()


def read_survey(path: Path) -> None:
    if (found := Survey.read(path.parent, "key")) is not None:
        assert all(isinstance(line, str) for line in (*found.notes, *found.warnings, *found.shots.values()))
        assert all(isinstance(n, int) for s in found.stretches for n in (s.reference, s.first, s.last))


def serve_job(folder: Path) -> bytes:
    facts, options = {"width": 64}, {"strength": 1.0}
    Job("id", "visitor", "film", "reel.mkv", folder, folder / "upload.mkv", facts, options, created=1.0).save()
    return (folder / RECORD).read_bytes()


def read_serve_job(path: Path) -> None:
    """As a server does that starts again."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        record = None
        record = stored.parse(path.read_text())
    with suppress(ValueError, KeyError, TypeError):
        job = job_of(path.parent, record)
        job.save()
        check_job(job)


def check_job(job: Job) -> None:
    """What the server takes for granted."""
    try:
        hash((job.id, job.visitor, job.kind, job.state))
        assert isinstance(job.begun, int)
        assert job.created > float("-inf")
        assert job.has_result in (True, False)
        assert job.download_name
        assert isinstance({**job.facts, **job.options}, dict)
    except (TypeError, AttributeError, ValueError) as error:
        raise AssertionError(f"a job that the server stumbles over: {error}") from error


def read_secrets(path: Path) -> None:
    with Store(path.parent, keep=True) as store:
        assert len(store.key) == 32
        assert isinstance(store.token, str)


def model(folder: Path) -> bytes:
    def field(number: int, data: bytes) -> bytes:
        return bytes([number << 3 | 2, len(data)]) + data

    entries = {"format": "vidcolor 1", "stride": "4", "name": "small", "conditions": "1", "config": "{}"}
    graph = bytes([1 << 3, 8]) + field(7, b"graph")
    return graph + b"".join(field(14, field(1, k.encode()) + field(2, v.encode())) for k, v in entries.items())


def read_model(path: Path) -> None:
    with suppress(ModelError):
        found = open_model(path)
        assert found.stride > 0
        assert isinstance(found.identity.name, str)
        assert isinstance(found.config, dict)


def packets(folder: Path) -> bytes:
    from vidcolor.film.packets import LENGTH, MAGIC

    footer = {"header": "", "time_base": "1/25", "packets": 0, "size": 0, "digest": ""}
    text = json.dumps(footer).encode()
    return MAGIC + text + LENGTH.pack(len(text))


def read_packet_file(path: Path) -> None:
    with suppress(DamagedPackets):
        check(path)


def manifest(folder: Path) -> bytes:
    return b"# shots\nshot,color_reference,enabled\n1,refs/a.png,true\n2,refs\\b.png,0\n"


def read_manifest(path: Path) -> None:
    with suppress(InputError):
        pictures_at(path)


def request(folder: Path) -> bytes:
    return b"/?token=secret\nlocalhost:8000\nhttp://localhost:8000\nname.0123456789abcdef\nBearer secret"


def read_request(path: Path) -> None:
    """A request's token, Host, Origin, cookie and Authorization: nobody is let in who has none of these."""
    lines = path.read_bytes().decode("utf-8", "surrogateescape").replace("\r", "").split("\n")
    target, host, origin, cookie, bearer = (*lines, "", "", "", "", "")[:5]
    guard = Guard((), "right", 4, key=b"k" * 32)
    headers = {"Host": host, "Origin": origin, "Cookie": f"{COOKIE}={cookie}", "Authorization": bearer}
    try:
        asked = make_mocked_request("POST", target or "/", headers=headers)
    except ValueError:  # aiohttp lets no such request in
        return
    refused = guard.refusal(asked)
    assert "right" in target or "right" in bearer or (refused is not None and refused.status in (401, 403))


def read_address(path: Path) -> None:
    """User and password in an address are never shown."""
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    scheme(text)
    mask(text)
    host = "".join(c for c in text if c.isalnum())
    assert "pa55word" not in mask(f"rtsp://user:pa55word@{host}/cam?{text.replace('@', '')}")
    assert len(clean_name(text)) <= 255


def message(folder: Path) -> bytes:
    told, data = packed([np.zeros((1, 1, 2, 2), np.float32)])
    text = json.dumps(told).encode()
    return LENGTHS.pack(len(text), len(data)) + text + data


def read_message(path: Path) -> None:
    """From a process that may have been taken over."""
    with path.open("rb") as file, suppress(ValueError):
        while (found := Link(file, io.BytesIO(), 1 << 20).receive()) is not None:
            unpacked(*found)


def offer(folder: Path) -> bytes:
    """What a browser offers: a picture and a channel, here by aiortc."""
    from aiortc import RTCConfiguration, RTCPeerConnection

    async def made() -> str:
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        connection.addTransceiver("video", "sendonly")
        connection.createDataChannel("talk")
        await connection.setLocalDescription(await connection.createOffer())
        sdp = connection.localDescription.sdp
        await connection.close()
        return str(sdp)

    return asyncio.run(made()).encode()


def read_offer(path: Path) -> None:
    """As the server takes it: what cannot be read is a ValueError, and nothing stays open."""

    async def taken(sdp: str) -> None:
        peers = Peers(cast(Any, None), ColorOptions(), Limits(), Priority())
        with suppress(ValueError):
            await asyncio.wait_for(peers.answer("visitor", sdp, 1.0), 10)
        await peers.close()
        assert not peers.peers

    text = path.read_bytes().decode("utf-8", "replace")
    if len(text) <= SDP_BYTES:
        asyncio.run(taken(text))


def exif_block(folder: Path) -> bytes:
    entries = [exif.numbers(274, 3, 6), *exif.resolution_entries((300.0, 300.0))]
    return exif.new_block(entries)


def read_exif(path: Path) -> None:
    data = path.read_bytes()
    exif.cleaned(data, (274,))
    entries = exif.tree(data)
    exif.orientation_of(entries)
    exif.resolution_of(entries)


def png_file(folder: Path) -> bytes:
    from PIL import Image, PngImagePlugin

    text, made = PngImagePlugin.PngInfo(), io.BytesIO()
    text.add_itxt("Title", "Reel", "de", "Titel", zip=True)
    text.add_text("Raw profile type exif", "\nexif\n 4\n00112233\n")
    Image.new("L", (2, 2)).save(made, "PNG", pnginfo=text, dpi=(300, 300))
    return made.getvalue()


def read_png(path: Path) -> None:
    with suppress(InputError):
        png.read(path.read_bytes())
        png.frames(path.read_bytes())


def jpeg_file(folder: Path) -> bytes:
    from PIL import Image

    made = io.BytesIO()
    Image.new("L", (8, 8)).save(made, "JPEG", exif=b"Exif\0\0" + exif_block(folder), comment=b"a reel", dpi=(72, 72))
    return made.getvalue()


def read_jpeg(path: Path) -> None:
    with suppress(InputError):
        jpeg.read(path.read_bytes())
        jpeg.left_out(path.read_bytes())


def of(text: object) -> Callable[[Path], bytes]:
    return lambda folder: json.dumps(text).encode() + b"\n"


LOCK_RECORD = asdict(Owner("host", "boot", "pid:[1]", 17, "123", datetime.now(UTC).isoformat(timespec="seconds")))
PARSERS = {
    "cut_list": Parser(cut_list, read_cut_list, "shots.json"),
    "scene_list": Parser(scene_list, read_cut_list, "shots.csv"),
    "plan": Parser(plan, read_film_plan, PLAN),
    "note": Parser(of({"target": "/x/reel.mkv", "token": "0123abcd", "made": MADE.to_dict()}), read_note, NOTE),
    "lock": Parser(of(LOCK_RECORD), read_lock, LOCK),
    "records": Parser(of({"target": "reel.mkv", "made": MADE.to_dict()}), read_records, RECORDS),
    "survey": Parser(survey, read_survey, CONTENTS),
    "serve_job": Parser(serve_job, read_serve_job, RECORD),
    "secrets": Parser(of({"key": "00" * 32, "token": "secret"}), read_secrets, SECRETS),
    "model": Parser(model, read_model, "model.onnx"),
    "packets": Parser(packets, read_packet_file, "000000.packets"),
    "manifest": Parser(manifest, read_manifest, "manifest.csv"),
    "request": Parser(request, read_request),
    "address": Parser(lambda folder: b"rtmp://user:p@host:1935/live/key?a=b", read_address),
    "message": Parser(message, read_message),
    "offer": Parser(offer, read_offer),
    "exif": Parser(exif_block, read_exif),
    "png": Parser(png_file, read_png),
    "jpeg": Parser(jpeg_file, read_jpeg),
}
