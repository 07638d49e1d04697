"""Errors a user can act on: each message is one line with the file or option, the fault and the remedy."""

from __future__ import annotations


class VidcolorError(Exception):
    """Base of all errors that vidcolor raises on purpose."""


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
