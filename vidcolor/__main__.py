"""`python -m vidcolor` is the same as `vidcolor`."""

from vidcolor.cli.main import entry

entry()
