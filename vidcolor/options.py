"""What a user can choose, as one frozen dataclass from the command line to the library."""

from __future__ import annotations

import math
import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from vidcolor.errors import OptionError

__all__ = ["ColorOptions", "ColorizeOptions", "EncodeOptions", "FilmOptions"]
CODECS = {  # the name a user gives -> FFmpeg's encoder
    "x264": "libx264",
    "x265": "libx265",
    "svtav1": "libsvtav1",
    "vp9": "libvpx-vp9",
    "ffv1": "ffv1",
    "prores": "prores_ks",
}
SHEETS = {".pdf": "PDF", ".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}  # endings of a contact sheet of shots
SHOT_LIST = ".json"
SMOOTHERS = ("auto", "none", "ema", "flow", "lookahead")
SIDECARS = ("json",)
PLACEHOLDER = re.compile(r"\{(\w+)\}")  # in a command
PLACES = ("input", "output")
AUTO = "auto"  # a file beside the target, named after it
BACKENDS = ("auto", "tensorrt", "rtx", "openvino", "onnx", "pytorch")


@dataclass(frozen=True)
class ColorOptions:
    """How frames are coloured.

    Raises:
        OptionError: a value is out of its range.
    """

    backend: str = "auto"  # which engine runs the network; see BACKENDS
    model: Path | None = None  # an ONNX model file instead of the shipped one
    size: int = 224  # short side of the picture the network sees, in pixels
    strength: float = 1.0  # amount of colour: 0 leaves grey, 1 is the model's own, up to 2
    smoothing: float = 0.93  # how much colour is averaged along motion: 0 is off, 1 over the whole shot
    smoother: str = "auto"  # how; see SMOOTHERS; auto: lookahead for files, flow where no frame may wait
    every: int | None = None  # the network sees every so-many-th frame; None: as motion asks
    batch: int = 4  # frames the network sees at once, where it sees all of them and nothing is smoothed

    def __post_init__(self) -> None:
        check_choice("backend", self.backend, BACKENDS)
        check_range("size", self.size, 32, 4096)
        check_range("strength", self.strength, 0.0, 2.0)
        check_range("smoothing", self.smoothing, 0.0, 1.0)
        check_choice("smoother", self.smoother, SMOOTHERS)
        if self.every is not None:
            check_range("every", self.every, 1, 32)
            if self.every > 1 and self.smoother in ("none", "ema"):
                raise OptionError(f"smoother {self.smoother} needs every frame; leave every out, or take lookahead")
        check_range("batch", self.batch, 1, 256)


@dataclass(frozen=True)
class EncodeOptions:
    """How a film is written.

    Raises:
        OptionError: a value is out of its range.
    """

    codec: str | None = None  # a key of CODECS; None: vp9 for webm, x264 for all others
    crf: float | None = None  # quality on the codec's own scale; None: the codec's default
    preset: str | None = None  # speed on the codec's own scale; None: the codec's default
    pix_fmt: str | None = None  # pixel format of the output; None: the source's, as far as the codec has it
    compare: bool = False  # source on the left, coloured on the right
    overwrite: bool = False  # replace a target that exists
    tag: bool = True  # the target's metadata says that vidcolor has coloured it, and with which model
    sidecar: str | None = None  # a file beside the target that says how it was made, with digests; see SIDECARS

    def __post_init__(self) -> None:
        if self.codec is not None:
            check_choice("codec", self.codec, tuple(CODECS))
        if self.sidecar is not None:
            check_choice("sidecar", self.sidecar, SIDECARS)


@dataclass(frozen=True)
class FilmOptions:
    """Which part of a film, and its shots.

    Raises:
        OptionError: a value is out of its range, or two contradict each other.
    """

    shots: Path | None = None  # cut list to go by; None: shots are found
    references: tuple[Path, ...] = ()  # pictures of known colour, and folders of them
    references_by: str | None = None  # command that colours frames of the film, {input} to {output}, as references
    references_timeout: float = 1800.0  # seconds that it may take for one of them
    save_shots: tuple[Path, ...] = ()  # where to write them: .json the cut list, .pdf, .png or .jpg a contact sheet
    start: float | None = None  # seconds from the start of the film
    end: float | None = None  # seconds from the start of the film
    verify: bool = False  # read the finished film back and compare it with the source
    framemd5: str | Path | None = None  # where to write checksums of the frames as FFmpeg does; AUTO: beside the target
    restart: bool = False  # forget what an earlier run of the same film has done
    work: Path | None = None  # folder for what is done of films that are not complete; None: beside the target

    def __post_init__(self) -> None:
        if self.start and (self.references or self.references_by is not None):
            raise OptionError("references are numbered from the film's first frame; leave start out, or cut the film")
        if self.start and (self.shots or self.save_shots):
            raise OptionError("shots are counted from the film's first frame; leave start out, or shots and save_shots")
        for path in self.save_shots:
            if path.suffix.lower() not in (SHOT_LIST, *SHEETS):
                raise OptionError(f"{path}: cannot hold shots; end its name in {SHOT_LIST} or {', '.join(SHEETS)}")
        if self.references_by is not None:
            words_of("references-by", self.references_by)
        check_range("references_timeout", self.references_timeout, 0.001, 1e7)
        check_range("start", self.start or 0.0, 0.0, float("inf"))
        if self.end is not None and not (self.start or 0.0) < self.end < math.inf:
            raise OptionError(f"end {self.end:g} s is not after start {self.start or 0.0:g} s; give a later end")


@dataclass(frozen=True)
class ColorizeOptions(ColorOptions, EncodeOptions, FilmOptions):
    """How to colour and how to write; the defaults suit a film. What needs only a part of it takes that part's class.

    Raises:
        OptionError: a value is out of its range.
    """

    def __post_init__(self) -> None:
        ColorOptions.__post_init__(self)
        EncodeOptions.__post_init__(self)
        FilmOptions.__post_init__(self)


def check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise OptionError(f"{name} {value!r} is not known; choose from {', '.join(allowed)}")


def words_of(name: str, command: str) -> list[str]:
    """The words of a command, as a shell would split it; {input} and {output} stand for paths in it.

    Raises:
        OptionError: it cannot be split, names no program, or lacks one of the two, or has another word in braces.
    """
    try:
        words = shlex.split(command, posix=os.name != "nt")
    except ValueError as error:
        raise OptionError(f"{name}: {command!r} cannot be split into words, {str(error).lower()}") from error
    used = [place for word in words for place in PLACEHOLDER.findall(word)]
    if unknown := [place for place in used if place not in PLACES]:
        raise OptionError(f"{name}: {{{unknown[0]}}} is not known; {{input}} and {{output}} stand for the two pictures")
    if missing := [place for place in PLACES if place not in used]:
        raise OptionError(
            f"{name}: {command!r} lacks {{{missing[0]}}}; give one such as 'colorize {{input}} {{output}}'"
        )
    return [word.strip('"') for word in words] if os.name == "nt" else words


def check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high or math.isinf(value):
        raise OptionError(f"{name} {value:g} is out of range; give a number from {low:g} to {high:g}")
