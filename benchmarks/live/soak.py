"""A stream with sound through `vidcolor udp://... -o udp://...` for minutes: memory, and sound against picture."""

from __future__ import annotations

import hashlib
import json
import socket
import subprocess
import sys
import threading
import time
from fractions import Fraction
from itertools import cycle
from pathlib import Path

import av
import numpy as np
import psutil

from benchmarks.live.camera import load
from benchmarks.live.pattern import burn, read
from vidcolor.video.formats import plane

WIDTH, HEIGHT, RATE = 854, 480, 25
SOUND_RATE, SOUND_FRAME = 48_000, 1152  # samples a second, and in a packet of MPEG layer 2
SOUND_SECONDS = 120  # of noise, so that a packet's digest tells its place
SETTLED = 60.0  # seconds after which memory and drift are compared with those at the end
TS = {"pkt_size": "1316"}


def soak(clip: Path, work: Path, minutes: float) -> dict:
    """Send, colour and receive for so long; figures as in README.md."""
    inward, outward = free_port(), free_port()
    command = [
        sys.executable, "-m", "vidcolor", f"udp://127.0.0.1:{inward}", "-o", f"udp://127.0.0.1:{outward}?pkt_size=1316",
        "--reconnect", "5", "--json",
    ]  # fmt: skip
    receiver = Receiver(outward)
    receiver.start()
    sender = Sender(clip, inward, 60 * minutes)
    program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    sender.start()
    memory: list[tuple[float, float]] = []
    watched, begun = psutil.Process(program.pid), time.monotonic()
    while sender.is_alive():
        sender.join(5.0)
        memory.append((round(time.monotonic() - begun, 1), round(watched.memory_info().rss / 1e6, 1)))
        print(f"{memory[-1][0]:.0f} s: {memory[-1][1]} MB, {len(receiver.pictures)} frames", file=sys.stderr)
    said, faults = program.communicate(timeout=120)
    receiver.stop.set()
    receiver.join()
    settled = [m for t, m in memory if t >= min(SETTLED, memory[-1][0] / 2)]
    stamps, arrival = (drift(receiver, sender, index) for index in (1, 2))
    return {
        "minutes": minutes, "way": f"{WIDTH}x{HEIGHT} at {RATE} fps, MPEG-TS over UDP in and out",
        "sent": sender.frames, "received": len(receiver.pictures), "unreadable": receiver.unreadable,
        "sound_sent": sender.packets, "sound_received": len(receiver.sounds),
        "memory_mb": {"first": settled[0], "last": settled[-1], "all": [m for _, m in memory[::6]]},
        "drift_ms": {"stamps": stamps, "arrival": arrival},
        "dropped": json.loads(said)["files"][0]["dropped"], "said": faults.strip().splitlines()[-1:],
    }  # fmt: skip


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Sender(threading.Thread):
    """Picture and sound, each frame and packet when it is due; frame numbers are burnt in."""

    def __init__(self, clip: Path, port: int, seconds: float) -> None:
        super().__init__()
        self.address, self.seconds = f"udp://127.0.0.1:{port}", seconds
        self.pictures = load(clip, WIDTH, HEIGHT)
        self.sound = make_sound()
        self.places = {digest(data): i for i, data in enumerate(self.sound)}
        self.frames = self.packets = 0

    def run(self) -> None:
        with av.open(self.address, "w", format="mpegts", options=TS) as out:
            video = out.add_stream(
                "libx264", rate=RATE, options={"preset": "ultrafast", "tune": "zerolatency", "g": "50"}
            )
            video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            audio = out.add_stream("mp2", rate=SOUND_RATE, layout="stereo")
            pictures, begun = cycle(self.pictures), time.monotonic()
            while self.frames < self.seconds * RATE:
                wait = begun + self.frames / RATE - time.monotonic()
                if wait > 0:
                    time.sleep(wait)
                out.mux(video.encode(self.picture(*next(pictures))))
                self.frames += 1
                while self.packets * SOUND_FRAME / SOUND_RATE < self.frames / RATE:
                    packet = av.Packet(self.sound[self.packets % len(self.sound)])
                    packet.stream, packet.time_base = audio, Fraction(1, SOUND_RATE)
                    packet.pts = packet.dts = self.packets * SOUND_FRAME
                    packet.duration = SOUND_FRAME
                    out.mux(packet)
                    self.packets += 1
            out.mux(video.encode(None))

    def picture(self, luma: np.ndarray, chroma: bytes) -> av.VideoFrame:
        frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
        target = plane(frame, 0)
        target[:] = luma
        burn(target, self.frames)
        for index in (1, 2):
            plane(frame, index)[:] = 128
        frame.pts, frame.time_base = self.frames, Fraction(1, RATE)
        return frame


def make_sound() -> list[bytes]:
    """Packets of MPEG layer 2, each of its own."""
    encoder = av.CodecContext.create("mp2", "w")
    encoder.sample_rate, encoder.layout, encoder.format = SOUND_RATE, "stereo", "s16"
    noise, packets = np.random.default_rng(7), []
    for number in range(SOUND_SECONDS * SOUND_RATE // SOUND_FRAME):
        samples = noise.integers(-3000, 3000, (1, 2 * SOUND_FRAME), np.int16)
        frame = av.AudioFrame.from_ndarray(samples, "s16", "stereo")
        frame.sample_rate, frame.pts = SOUND_RATE, number * SOUND_FRAME
        packets += [bytes(p) for p in encoder.encode(frame)]
    return packets


def digest(data: bytes) -> bytes:
    return hashlib.sha1(data).digest()


class Receiver(threading.Thread):
    """What comes back: of each frame and packet its place, its time stamp and when it came, in seconds."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.address = f"udp://127.0.0.1:{port}?timeout=20000000&fifo_size=100000&overrun_nonfatal=1"
        self.stop = threading.Event()
        self.pictures: list[tuple[int, float, float]] = []
        self.sounds: list[tuple[bytes, float, float]] = []
        self.unreadable = 0

    def run(self) -> None:
        try:
            with av.open(self.address, format="mpegts") as stream:
                for packet in stream.demux():
                    if self.stop.is_set():
                        return
                    if packet.stream.type == "audio" and packet.pts is not None:
                        came = time.monotonic()
                        self.sounds.append((digest(bytes(packet)), float(packet.pts * packet.time_base), came))
                    elif packet.stream.type == "video":
                        for frame in packet.decode():
                            assert isinstance(frame, av.VideoFrame)
                            number = read(plane(frame, 0))
                            if number is None:
                                self.unreadable += 1
                            else:
                                self.pictures.append((number, frame.time or 0.0, time.monotonic()))
        except av.FFmpegError:
            pass  # silence: it is over


def drift(receiver: Receiver, sender: Sender, index: int) -> float:
    """Change, from the first settled minute to the last, of how far sound is behind picture, in ms.

    With `index` 1 by the time stamps, with 2 by arrival. Place in the source is the measure: a frame's number is burnt
    in, a packet of sound is known by its digest.
    """
    turns, last, sound = 0, 0, []
    for name, *times in receiver.sounds:
        place = sender.places.get(name)
        if place is None:
            continue
        turns += place < last - len(sender.sound) // 2
        last = place
        due = (turns * len(sender.sound) + place) * SOUND_FRAME / SOUND_RATE
        sound.append((due, times[index - 1] - due))
    picture = [(number / RATE, times[index - 1] - number / RATE) for number, *times in receiver.pictures]
    end = picture[-1][0]
    windows = ((end * 0.1, end * 0.2), (end * 0.9, end))
    behind = [
        np.median([d for t, d in sound if low <= t < high]) - np.median([d for t, d in picture if low <= t < high])
        for low, high in windows
    ]
    return round(1000 * float(behind[1] - behind[0]), 2)
