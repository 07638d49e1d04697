"""The merge: from the a*b* grid to chroma planes under the untouched luma, by the guided filter; three versions."""

from __future__ import annotations

from vidcolor.backends import missing
from vidcolor.color.encoding import Encoding
from vidcolor.merge.chroma import ChromaWriter


def chroma_writer(encoding: Encoding) -> ChromaWriter:
    """The fastest writer of chroma planes on the CPU."""
    if missing("openvino"):
        return ChromaWriter(encoding)
    from vidcolor.merge.compiled import FusedWriter

    return FusedWriter(encoding)
