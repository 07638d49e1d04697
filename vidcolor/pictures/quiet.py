"""The readers' settings that belong to the whole process, changed while any still is read and then put back."""

from __future__ import annotations

import logging
import os
import re
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import cv2
from PIL import Image

LOCK = threading.Lock()
TERMINAL = threading.Lock()
# How lines of libtiff, libjpeg within it, and libpng begin.
FAULT = re.compile(
    rb"(\w*(Decode|Setup|State|Directory|Lib|Strip|Tile|Fax|TIFF|Predictor)\w*|tempfile\.tif|libpng \w+)[:,]"
)


class State:
    """How many threads read stills now, and what puts the settings back."""

    readers = 0
    undo = ExitStack()


@contextmanager
def quiet() -> Iterator[None]:
    """Read without lines of others on the terminal, and without Pillow's bound on pixels.

    `check_size` has a bound of its own. Python's filters of warnings, Pillow's bound and OpenCV's level belong to the
    process: the first of several threads changes them, the last one puts them back.
    """
    with LOCK:
        State.readers += 1
        if State.readers == 1:
            change()
    try:
        yield
    finally:
        with LOCK:
            State.readers -= 1
            if not State.readers:
                State.undo.close()


def change() -> None:
    """Silence the readers, and note what puts everything back."""
    State.undo.enter_context(warnings.catch_warnings())
    warnings.simplefilter("ignore")
    State.undo.callback(setattr, Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    Image.MAX_IMAGE_PIXELS = None
    opencv = cv2.utils.logging
    State.undo.callback(opencv.setLogLevel, opencv.getLogLevel())
    opencv.setLogLevel(opencv.LOG_LEVEL_SILENT)
    logger = logging.getLogger("PIL")
    State.undo.callback(logger.setLevel, logger.level)
    logger.setLevel(logging.CRITICAL)


@contextmanager
def faults() -> Iterator[list[str]]:
    """What the libraries in C find wrong, and would write on the terminal: in the list, when the block is over.

    They tell nobody else of damage that they can pass over. Lines of other threads come a little later than they would.
    """
    found: list[str] = []
    with TERMINAL, ExitStack() as undo:
        try:
            terminal = os.dup(2)
        except OSError:  # it is closed, so nothing can be written there
            yield found
            return
        undo.callback(os.close, terminal)
        lines = undo.enter_context(tempfile.TemporaryFile())
        os.dup2(lines.fileno(), 2)
        try:
            yield found
        finally:
            os.dup2(terminal, 2)
            lines.seek(0)
            for line in lines:
                if FAULT.match(line):
                    found.append(line.decode(errors="replace").strip())
                else:
                    os.write(2, line)
