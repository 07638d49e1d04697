"""Colour that is stable in time: smoothers along motion, shot by shot, and deflicker for old film."""
