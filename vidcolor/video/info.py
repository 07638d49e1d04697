"""What is known of a film, as plain data: later steps need no open file for it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from typing import Any

from vidcolor import stored
from vidcolor.color.encoding import UNSPECIFIED, Encoding
from vidcolor.video.hdr import Mastering
from vidcolor.video.sidedata import quarter_turns


@dataclass(frozen=True)
class FilmInfo:
    """The main picture of a film, and what belongs to the whole file. With `start` and `end`, of the part between."""

    width: int
    height: int
    pix_fmt: str  # native planar format of the frames that Reader gives
    encoding: Encoding
    time_base: Fraction  # seconds of one tick of the frames' time stamps
    rate: Fraction | None  # average frames a second
    frames: int  # as the file says, or estimated from duration and rate; 0: unknown
    promised: int = 0  # frames that the file itself says it has; 0 where it says nothing
    container: str = ""  # FFmpeg's name of it
    aspect: Fraction | None = None  # of a pixel
    field_order: str | None = None  # "tff" or "bff" where the first frame is interlaced
    display_matrix: tuple[int, ...] | None = None  # nine 16.16 fixed-point numbers that turn the picture for display
    is_tagged: bool = True  # the source says which matrix its chroma would need
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    disposition: int = 0  # of the picture's stream
    tags: dict[str, str] | None = None  # metadata of the file
    video_tags: dict[str, str] | None = None  # of the picture's stream
    mastering: Mastering | None = None  # the display that it was made on
    light: tuple[int, int] | None = None  # MaxCLL and MaxFALL in cd/m2
    chapters: tuple[dict[str, Any], ...] = ()  # as PyAV has them, their time_base as a Fraction

    @property
    def turn(self) -> int:
        """Quarter turns counterclockwise by which the picture is shown, 0 to 3."""
        return quarter_turns(self.display_matrix)

    def to_dict(self) -> dict[str, Any]:
        """Values that JSON can hold."""
        found = asdict(self)
        found["chapters"] = [{**c, "time_base": str(c["time_base"])} for c in self.chapters]
        return {k: str(v) if isinstance(v, Fraction) else v for k, v in found.items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> FilmInfo:
        """What `to_dict` gave.

        Raises:
            ValueError: it is something else.
        """
        try:
            made = {f.name: values[f.name] for f in fields(cls)}
            for name in ("time_base", "rate", "aspect"):
                made[name] = None if made[name] is None else stored.fraction(made[name])
            made["encoding"] = stored.made(Encoding, made["encoding"])
            made["display_matrix"] = tuple(made["display_matrix"]) if made["display_matrix"] else None
            made["mastering"] = Mastering.from_dict(made["mastering"]) if made["mastering"] else None
            made["light"] = tuple(made["light"]) if made["light"] else None
            made["chapters"] = tuple({**c, "time_base": stored.fraction(c["time_base"])} for c in made["chapters"])
            return stored.made(cls, made)
        except (KeyError, TypeError) as error:
            raise ValueError(f"not the facts of a film ({error})") from error
