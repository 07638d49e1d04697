"""Photographs and scans: read with their metadata, coloured, written in their own depth."""
