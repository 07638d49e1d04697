"""Endings of stills and what each format can hold."""

from __future__ import annotations

# Endings under which stills are looked for in folders; a file that is named alone is told by its content.
STILLS = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".webp", ".bmp", ".dib", ".jp2", ".j2k", ".jpx",
          ".pbm", ".pgm", ".ppm", ".pnm", ".pfm", ".avif", ".heic", ".heif", ".hif", ".tga", ".pcx", ".sgi", ".psd",
          ".qoi")  # fmt: skip
# Endings that can be written -> Pillow's name of the format.
WRITES = {
    ".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG", ".jfif": "JPEG", ".png": "PNG", ".tif": "TIFF", ".tiff": "TIFF",
    ".webp": "WEBP", ".bmp": "BMP",
}  # fmt: skip
STILL_TARGETS = tuple(WRITES)
DEEP = ("PNG", "TIFF")  # hold 16 bits a sample
ALPHA = ("PNG", "TIFF", "WEBP")
PAGES = ("TIFF",)
HOLDS = {  # what of the metadata a format can hold
    "JPEG": ("EXIF", "XMP", "IPTC", "resolution", "comment"),
    "PNG": ("EXIF", "XMP", "resolution", "comment", "text"),
    "TIFF": ("EXIF", "XMP", "IPTC", "resolution"),
    "WEBP": ("EXIF", "XMP", "resolution"),
    "BMP": ("resolution",),
}
LONGEST = {"JPEG": 65500, "WEBP": 16383}  # pixels a side


def ending_for(source_ending: str, format: str) -> str:
    """The ending of the coloured copy: the source's where it suits and can be written, else its format's, else .png."""
    if WRITES.get(source_ending) == format or (not format and source_ending in WRITES):
        return source_ending
    return next((ending for ending, name in WRITES.items() if name == format), ".png")
