"""Draws and writes the contact sheet: each shot by its middle frame, with number and time code, on A4 pages."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vidcolor.atomic import write_whole
from vidcolor.options import SHEETS
from vidcolor.shots.cutlist import Shot, ShotList

PAGE = (1240, 1754)  # A4 at 150 dots an inch
MARGIN, GAP, CAPTION, HEADING = 70, 18, 46, 70  # pixels
COLUMNS = 4
QUALITY = 92  # of JPEGs
INK, PALE = (20, 20, 20), (110, 110, 110)


def shot_sheet(thumbnails: Sequence[np.ndarray], shots: ShotList, *, form: str = "PNG") -> list[bytes]:
    """The pages of the sheet, as image files; `form` is "PNG" or "JPEG".

    `thumbnails` are the shots' middle frames as ``(h, w, 3)`` uint8 RGB, in order, all with the aspect of the first;
    a width of 400 is enough.

    Raises:
        ValueError: there are more or fewer thumbnails than shots, or none.
    """
    count = len(shots.shots)
    captions = [(f"{number}", _about(shot)) for number, shot in enumerate(shots.shots, 1)]
    return sheet_of(thumbnails, shots, captions, f"{count} shot{'s' * (count != 1)}", form=form)


def sheet_of(
    thumbnails: Sequence[np.ndarray], shots: ShotList, captions: Sequence[tuple[str, str]], about: str, *, form: str
) -> list[bytes]:
    """The same with other words: a name and a second line for each picture, and what the heading says of them all.

    The time code of each is that of its shot's start.

    Raises:
        ValueError: there are more or fewer thumbnails than shots, or none.
    """
    if len(thumbnails) != len(shots.shots) or not thumbnails:
        raise ValueError(f"{len(thumbnails)} thumbnails for {len(shots.shots)} shots; give one for each")
    width = (PAGE[0] - 2 * MARGIN - (COLUMNS - 1) * GAP) // COLUMNS
    room = PAGE[1] - 2 * MARGIN - HEADING
    height = min(round(width * thumbnails[0].shape[0] / thumbnails[0].shape[1]), room - CAPTION)
    rows = max(1, (room + GAP) // (height + CAPTION + GAP))
    pages = [range(i, min(i + rows * COLUMNS, len(thumbnails))) for i in range(0, len(thumbnails), rows * COLUMNS)]
    drawn = []
    for number, chosen in enumerate(pages, 1):
        page = Image.new("RGB", PAGE, "white")
        _heading(page, shots, about, f"{number} / {len(pages)}")
        for place, i in enumerate(chosen):
            left = MARGIN + place % COLUMNS * (width + GAP)
            top = MARGIN + HEADING + place // COLUMNS * (height + CAPTION + GAP)
            page.paste(_fitted(thumbnails[i], width, height), (left, top))
            _caption(page, (left, top + height + 4), captions[i], time_code(shots.shots[i], shots.rate))
        drawn.append(_encoded(page, form))
    return drawn


def write_sheet(path: Path, pages: list[bytes], *, overwrite: bool = True) -> None:
    """One PDF; or one picture a page, NAME.png, or NAME-1.png, NAME-2.png and so on."""
    form = SHEETS[path.suffix.lower()]
    pictures = [Image.open(io.BytesIO(page)) for page in pages]
    if form == "PDF":
        out = io.BytesIO()
        pictures[0].save(out, form, save_all=True, append_images=pictures[1:], resolution=150)
        write_whole(path, out.getvalue(), overwrite=overwrite)
        return
    for number, picture in enumerate(pictures, 1):
        out = io.BytesIO()
        picture.save(out, form, quality=QUALITY)
        place = path.with_stem(f"{path.stem}-{number}") if len(pages) > 1 else path
        write_whole(place, out.getvalue(), overwrite=overwrite)


def time_code(shot: Shot, rate: Fraction | None) -> str:
    """Start of the shot: HH:MM:SS:FF at the nearest whole rate (non-drop); HH:MM:SS.mmm where the rate is not
    constant; the frame number where there is no time.
    """
    if rate is not None:
        base = max(1, round(rate))
        seconds, frames = divmod(shot.start, base)
        return f"{_clock(seconds)}:{frames:02d}"
    if shot.start_time is None:
        return f"frame {shot.start}"
    seconds, thousandths = divmod(round(shot.start_time * 1000), 1000)
    return f"{_clock(seconds)}.{thousandths:03d}"


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _heading(page: Image.Image, shots: ShotList, about: str, number: str) -> None:
    draw = ImageDraw.Draw(page)
    draw.text((MARGIN, MARGIN), f"{shots.source or 'Shots'}", INK, _font(28))
    about += f", {float(shots.rate):.5g} frames a second" if shots.rate else ""
    draw.text((MARGIN, MARGIN + 34), about, PALE, _font(17))
    draw.text((PAGE[0] - MARGIN, MARGIN + 34), number, PALE, _font(17), anchor="ra")


def _caption(page: Image.Image, at: tuple[int, int], caption: tuple[str, str], time: str) -> None:
    draw = ImageDraw.Draw(page)
    draw.text(at, caption[0], INK, _font(18))
    beside = at[0] + max(52, round(draw.textlength(caption[0], _font(18))) + 14)
    draw.text((beside, at[1]), time, INK, _font(18))
    draw.text((beside, at[1] + 22), caption[1], PALE, _font(14))


def _about(shot: Shot) -> str:
    length = "" if shot.end is None else f"{shot.end - shot.start} frames"
    return ", ".join(x for x in (length, "dissolve" if shot.kind == "dissolve" else "") if x)


def _fitted(thumbnail: np.ndarray, width: int, height: int) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(thumbnail)).resize((width, height), Image.Resampling.LANCZOS)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)  # Pillow's own, so no system font is needed


def _encoded(page: Image.Image, form: str) -> bytes:
    out = io.BytesIO()
    page.save(out, form, dpi=(150, 150), quality=90)
    return out.getvalue()
