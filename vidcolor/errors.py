"""Errors a user can act on: each message is one line with the file or option, the fault and the remedy."""

from __future__ import annotations

import unicodedata

__all__ = [
    "BackendError",
    "Cancelled",
    "InputError",
    "ModelError",
    "OptionError",
    "OutputError",
    "VidcolorError",
]
UNSEEN = ("Cc", "Cs", "Zl", "Zp")  # Unicode's controls, halves of pairs (bytes that are no text), ends of lines


def one_line(text: str) -> str:
    """`text` as one line that cannot command a terminal: a newline in a file's name becomes ``\\n``."""
    return "".join(c.encode("unicode_escape").decode() if unicodedata.category(c) in UNSEEN else c for c in text)


class VidcolorError(Exception):
    """Base of all errors that vidcolor raises on purpose; as text it is always one line."""

    def __str__(self) -> str:
        return one_line(super().__str__())


class InputError(VidcolorError, ValueError):
    """The source cannot be read: missing, empty, damaged, encrypted, or without a picture in it."""


class OutputError(VidcolorError, OSError):
    """The target cannot be written: exists already, wrong container, no right or no room to write."""


class OptionError(VidcolorError, ValueError):
    """An option has a value it cannot have, or two options contradict each other."""


class BackendError(VidcolorError, RuntimeError):
    """A named backend is not installed or cannot run here."""


class ModelError(VidcolorError, ValueError):
    """A model file is missing, damaged, or made for another version."""


class Cancelled(VidcolorError):
    """The work was stopped from outside; nothing was left behind."""
