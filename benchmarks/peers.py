"""Speed beside other colourisers: their networks with random weights, and their way through PNG files on disk.

Nothing here says anything about the quality of the colours.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.peer_networks import PEERS
from vidcolor.api import Colorizer
from vidcolor.backends.openvino import OpenVINOBackend
from vidcolor.backends.pytorch import PyTorchBackend
from vidcolor.models.files import open_model
from vidcolor.options import ColorizeOptions

OURS = (1, 1, 224, 384)  # what our generator gets of a 16:9 film
STAGES = ("decode", "write_frames", "read_frames", "to_lab", "resize_in", "resize_ab", "to_rgb", "write_pictures",
          "read_pictures", "encode")  # fmt: skip
IMAGES: dict[str, list[int]] = {"png": [], "jpg": [cv2.IMWRITE_JPEG_QUALITY, 95]}  # options of OpenCV's writers
CRF = 17  # of x264, as in DeOldify


def cost(module: nn.Module, x: Tensor) -> tuple[float, float]:
    """Parameters in millions, and multiply-adds of convolutions and matrix products for `x` in units of 1e9."""
    with FlopCounterMode(display=False) as counter:
        module.eval().requires_grad_(False)(x)
    return sum(p.numel() for p in module.parameters()) / 1e6, counter.get_total_flops() / 2e9


def calls_per_second(call: Callable[[], object], seconds: float) -> float:
    """How often `call` runs in a second, over at least `seconds`, after one call to warm up."""
    call()
    began, count = time.perf_counter(), 0
    while not count or time.perf_counter() - began < seconds:
        call()
        count += 1
    return count / (time.perf_counter() - began)


def rate(module: nn.Module, side: int, channels: int, seconds: float = 10.0) -> float:
    """Pictures a second through `module` on the CPU, one by one: eager PyTorch, float32, channels-last."""
    module = module.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    x = torch.rand(1, channels, side, side).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        return calls_per_second(lambda: module(x), seconds)


class Laps(defaultdict[str, float]):
    """Seconds that each stage took: `end` books the time since the last call to it."""

    def __init__(self) -> None:
        super().__init__(float)
        self.last = time.perf_counter()

    def end(self, stage: str) -> None:
        now = time.perf_counter()
        self[stage] += now - self.last
        self.last = now


def frame_by_frame(source: Path, frames: int, *, image: str = "png", side: int = 256) -> dict:
    """The way through files that those tools take, without the network: seconds of each of `STAGES` and in total.

    All frames are written as `image` ("png" at OpenCV's defaults, its quickest; or "jpg" at quality 95) to a temporary
    folder; each is read, its L* taken and shrunk to `side`, a constant a*b* of that size enlarged, turned to RGB and
    written; those are read and encoded.
    Nothing is removed before the end, as in DeOldify, so the folder's size then is its peak.

    Raises:
        ValueError: `source` is shorter than `frames`.
    """
    ab = np.full((side, side, 2), (8, 12), np.float32)
    for code in (cv2.COLOR_BGR2LAB, cv2.COLOR_LAB2BGR):  # the first call makes OpenCV's tables
        cv2.cvtColor(np.zeros((1, 1, 3), np.float32), code)
    with tempfile.TemporaryDirectory(prefix="vidcolor-peers-") as folder:
        names = [Path(folder) / f"grey-{i:05d}.{image}" for i in range(frames)]
        coloured = [n.with_name(n.name.replace("grey", "coloured")) for n in names]
        laps = Laps()
        extract(source, names, laps)
        for before, after in zip(names, coloured, strict=True):
            colour(before, after, ab, laps)
        encode(coloured, Path(folder) / "out.mp4", laps)
        size = sum(p.stat().st_size for p in Path(folder).iterdir())
    seconds = {stage: round(laps[stage], 4) for stage in STAGES}
    return {"image": image, "frames": frames, "seconds": seconds, "total": round(sum(laps.values()), 4),
            "peak_bytes": size}  # fmt: skip


def extract(source: Path, targets: list[Path], laps: Laps) -> None:
    with av.open(str(source)) as container:
        container.streams.video[0].thread_type = "AUTO"
        decoded = container.decode(video=0)
        for i, target in enumerate(targets):
            if (frame := next(decoded, None)) is None:
                raise ValueError(f"{source}: has {i} frames, not {len(targets)}; ask for fewer")
            picture = frame.to_ndarray(format="bgr24")
            laps.end("decode")
            cv2.imwrite(str(target), picture, IMAGES[target.suffix[1:]])
            laps.end("write_frames")


def colour(source: Path, target: Path, ab: np.ndarray, laps: Laps) -> None:
    """The picture `source` with its own L* and with `ab` enlarged to its size."""
    picture = cv2.imread(str(source))
    assert picture is not None
    laps.end("read_frames")
    lightness = cv2.cvtColor(picture.astype(np.float32) / 255.0, cv2.COLOR_BGR2LAB)[..., :1]
    laps.end("to_lab")
    cv2.resize(lightness, ab.shape[:2])  # what the network would get
    laps.end("resize_in")
    large = cv2.resize(ab, (picture.shape[1], picture.shape[0]))
    laps.end("resize_ab")
    bgr = cv2.cvtColor(np.concatenate((lightness, large), -1), cv2.COLOR_LAB2BGR)
    picture = (bgr * 255.0).round().clip(0, 255).astype(np.uint8)
    laps.end("to_rgb")
    cv2.imwrite(str(target), picture, IMAGES[target.suffix[1:]])
    laps.end("write_pictures")


def encode(pictures: list[Path], target: Path, laps: Laps) -> None:
    """The files `pictures`, of even size, as H.264 at x264's default preset and `CRF`."""
    with av.open(str(target), "w") as out:
        stream = out.add_stream("libx264", rate=24, options={"crf": str(CRF)})
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_type = "AUTO"
        for path in pictures:
            picture = np.asarray(cv2.imread(str(path)), np.uint8)
            laps.end("read_pictures")
            if not stream.width:
                stream.height, stream.width = picture.shape[:2]
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "bgr24")))
            laps.end("encode")
        out.mux(stream.encode(None))
    laps.end("encode")


def peers(clip: Path, *, frames: int, seconds: float) -> dict:
    """Pictures a second of our generator and of `PEERS`, `seconds` each, and the way through files for `clip`."""
    eager = PyTorchBackend(open_model(), device="cpu")
    ours = cost(eager.generator, torch.zeros(OURS))
    lightness = np.random.default_rng(0).uniform(0, 100, OURS).astype(np.float32)
    rows = []
    for backend in (OpenVINOBackend(open_model()), eager):
        speed = calls_per_second(partial(backend.predict, lightness), seconds)
        rows.append(row(f"vidcolor, {backend.description}", *ours, OURS, speed))
    for name, peer in PEERS.items():
        module, shape = peer.build(), (1, peer.channels, peer.side, peer.side)
        price = cost(module, torch.zeros(shape))
        rows.append(row(name, *price, shape, rate(module, peer.side, peer.channels, seconds)))
    files = [frame_by_frame(clip, frames, image=image) for image in IMAGES]
    streamed = whole_way(clip, frames)
    return {"clip": clip.stem, "threads": torch.get_num_threads(), "rows": rows, "frame_by_frame": files} | streamed


def whole_way(clip: Path, frames: int) -> dict:
    """Seconds that `vidcolor` takes for the first `frames` of `clip`, network and all, encoded alike."""
    with av.open(str(clip)) as container:
        rate_of_film = container.streams.video[0].average_rate
    assert rate_of_film is not None
    options = ColorizeOptions(crf=CRF, end=float((frames - 0.5) / rate_of_film), overwrite=True)
    with tempfile.TemporaryDirectory() as folder, Colorizer(options) as colorizer:
        colorizer.file(clip, Path(folder) / "warm.mp4")
        done = colorizer.file(clip, Path(folder) / "out.mp4")
    assert done.frames == frames
    return {"vidcolor": {"frames": done.frames, "seconds": round(done.seconds, 3)}}


def row(name: str, parameters_m: float, gmac: float, shape: tuple[int, ...], speed: float) -> dict:
    made = {"name": name, "parameters_m": round(parameters_m, 2), "gmac": round(gmac, 2),
            "input": " x ".join(map(str, shape[1:])), "pictures_per_second": round(speed, 3)}  # fmt: skip
    print(made, file=sys.stderr)
    return made
