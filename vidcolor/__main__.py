"""`python -m vidcolor` is the same as `vidcolor`."""

from vidcolor.cli import entry

entry()
