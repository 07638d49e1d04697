"""The readers' settings that belong to the whole process, changed while any still is read and then put back."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import cv2
from PIL import Image

LOCK = threading.Lock()


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
    logging = cv2.utils.logging
    State.undo.callback(logging.setLogLevel, logging.getLogLevel())
    logging.setLogLevel(logging.LOG_LEVEL_SILENT)
