"""vidcolor: colours black-and-white film, stills and streams without touching a single luma sample.

>>> import vidcolor
>>> vidcolor.colorize("in.mp4", "out.mp4")                                     # doctest: +SKIP
>>> rgb = vidcolor.Colorizer().image(grey)                                     # doctest: +SKIP
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# OpenVINO asks a server at each start and writes an identity into the home folder, unless this package is missing.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

if TYPE_CHECKING:
    from vidcolor import errors as errors
    from vidcolor.api import Colorizer as Colorizer
    from vidcolor.api import colorize as colorize
    from vidcolor.options import ColorizeOptions as ColorizeOptions

PUBLIC = {
    "Colorizer": "vidcolor.api",
    "colorize": "vidcolor.api",
    "ColorizeOptions": "vidcolor.options",
}
__all__ = ["ColorizeOptions", "Colorizer", "colorize", "errors"]


def __getattr__(name: str) -> Any:
    """Import public names when they are first used, so that `import vidcolor` loads nothing heavy."""
    if name in PUBLIC:
        return getattr(import_module(PUBLIC[name]), name)
    if name == "errors":
        return import_module("vidcolor.errors")
    raise AttributeError(f"module 'vidcolor' has no attribute {name!r}")
