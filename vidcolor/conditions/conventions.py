"""Where programs keep the coloured pictures of a film: files, folders, and lists of them."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from vidcolor.errors import InputError

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".tif", ".tiff", ".webp", ".avif")
GREY, COLOURED = "ref_tht10", "ref_qwen"  # HAVCServerDiT's folders, with files of the same stems
LIST = ".csv"  # ai-remaster-pipeline's manifest of a film's shots
COLUMN = "color_reference"
OFF = ("false", "0", "no", "off")  # in its column "enabled"


def pictures_at(path: Path) -> tuple[list[Path], list[str]]:
    """The picture files that a path stands for, and a line on each that is missing.

    It is a picture; a folder of them; a folder in which HAVCServerDiT has worked, of which the coloured ones are taken;
    or a manifest of ai-remaster-pipeline (``colorize_manifest_NAME_shots_auto.csv``), of which the enabled ones are.
    EbSynth's keys and DeepRemaster's references are plain folders.

    Raises:
        InputError: it is missing or cannot be read, or holds or names no picture.
    """
    try:
        if path.is_dir():
            return in_folder(path)
        if path.suffix.lower() == LIST:
            return in_list(path)
        path.resolve(strict=True)
    except OSError as error:
        said = "no such file" if isinstance(error, FileNotFoundError) else f"cannot be read, {error.strerror}"
        raise InputError(f"{path}: {said}; check the reference's name and permissions") from error
    return [path], []


def in_folder(folder: Path) -> tuple[list[Path], list[str]]:
    work = folder.parent if folder.name == GREY else folder
    if not (work / COLOURED).is_dir():
        return checked(folder, pictures_in(folder)), []
    found = checked(work / COLOURED, pictures_in(work / COLOURED))
    grey = pictures_in(work / GREY) if (work / GREY).is_dir() else []
    missing = sorted({p.stem for p in grey} - {p.stem for p in found})
    if not missing:
        return found, []
    said = f"{len(missing)} of {len(grey)} pictures are not in {COLOURED}, {missing[0]} for one"
    return found, [f"{work / GREY}: {said}; colour them too, or go on without"]


def pictures_in(folder: Path) -> list[Path]:
    """The picture files that lie in a folder; hidden ones, which some systems write beside others, are none."""
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in ENDINGS and p.name[0] != "." and p.is_file())


def checked(path: Path, found: list[Path]) -> list[Path]:
    if not found:
        raise InputError(f"{path}: holds no picture; give a folder with files that end in {', '.join(ENDINGS)}")
    return found


def in_list(path: Path) -> tuple[list[Path], list[str]]:
    """The pictures of a manifest's enabled rows, each once; those that are not there yet are named."""
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is no text; give the manifest as CSV in UTF-8") from error
    table = csv.DictReader((line for line in lines if line.strip() and not line.startswith("#")), restval="")
    try:
        columns, rows = table.fieldnames or (), list(table)
    except csv.Error as error:
        raise InputError(f"{path}: is damaged CSV ({error}); write the manifest again") from error
    if COLUMN not in columns:
        raise InputError(f"{path}: has no column {COLUMN}; give pictures, a folder of them, or such a manifest")
    names = [row[COLUMN].strip() for row in rows if (row.get("enabled") or "").strip().lower() not in OFF]
    places = {name: located(path, name) for name in names if name}
    found = list(dict.fromkeys(place for place in places.values() if place is not None))
    missing = [f"{path}: names {name}, which is not there; colour it, or set enabled to false"
               for name, place in places.items() if place is None]  # fmt: skip
    if not found:
        raise InputError(missing[0] if missing else f"{path}: names no picture; enable its rows")
    return found, missing


def located(manifest: Path, name: str) -> Path | None:
    """A file that a manifest names relative to the project's folder, in which the manifest lies somewhere."""
    relative = Path(PurePosixPath(name.replace("\\", "/")))
    folders: Iterable[Path] = manifest.resolve().parents
    return next((folder / relative for folder in folders if (folder / relative).is_file()), None)
