"""Endings of stills, and which of them can be written."""

STILLS = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp", ".jp2", ".pgm", ".ppm", ".avif")
STILL_TARGETS = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp")
