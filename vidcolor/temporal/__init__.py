"""Colour that stands still: smoothers on motion, within shots, and the brightness flicker of old film."""
