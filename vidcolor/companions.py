"""Files that lie beside a target: its sidecar, and the checksums of its frames."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType

from vidcolor.atomic import is_special, write_whole
from vidcolor.errors import OptionError
from vidcolor.options import AUTO, ColorizeOptions
from vidcolor.provenance import FORMAT
from vidcolor.video.framemd5 import MAGIC, framemd5
from vidcolor.video.target import check_target

HEAD = 256  # bytes in which a file says what it is


class Companions:
    """The files that `options` want beside `target`. They appear before it: where it is, they are.

    Write them within a `with` block while the target still has its temporary name. Leaving the block by an error
    removes those that were not there before. One that lies there without its target is what a crash has left, and may
    be replaced.

    Attributes:
        sidecar: its path; None where none is wanted.
        framemd5: that of the checksums.

    Raises:
        OptionError: the target is a pipe or device, which nothing lies beside; or one path is named twice.
        OutputError: one exists and must not be replaced, or cannot be written.
    """

    def __init__(self, target: Path, options: ColorizeOptions) -> None:
        self.target, self.overwrite = target, options.overwrite
        self.made: list[Path] = []
        self.sidecar = target.with_name(f"{target.name}.json") if options.sidecar else None
        self.framemd5 = Path(options.framemd5) if options.framemd5 else None
        if options.framemd5 == AUTO:
            self.framemd5 = target.with_name(f"{target.name}.framemd5")
        paths = [path for path in (self.sidecar, self.framemd5) if path]
        if paths and is_special(target):
            raise OptionError(f"{target}: is a pipe, and nothing lies beside one; leave sidecar and framemd5 out")
        if len({target, *paths}) <= len(paths):
            raise OptionError(f"{self.framemd5}: is named for two things; give framemd5 another name")
        for path in paths:
            check_target(path, overwrite=self.may_replace(path))

    def may_replace(self, path: Path) -> bool:
        """Whether what lies at `path` may go."""
        kind = FORMAT if path == self.sidecar else MAGIC
        return self.overwrite or (not os.path.lexists(self.target) and kind.encode() in head_of(path))

    def put_sidecar(self, data: bytes) -> None:
        """Write the sidecar, where it is wanted."""
        if self.sidecar:
            self.put(self.sidecar, data)

    def put_framemd5(self, file: Path) -> None:
        """Write the checksums of the frames of `file`, which is the target under its temporary name, where wanted."""
        if self.framemd5:
            self.put(self.framemd5, framemd5(file))

    def put(self, path: Path, data: bytes) -> None:
        existed = os.path.lexists(path)
        write_whole(path, data, overwrite=self.may_replace(path))
        if not existed:
            self.made.append(path)

    def __enter__(self) -> Companions:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if kind is not None:
            for path in self.made:
                path.unlink(missing_ok=True)


def head_of(path: Path) -> bytes:
    """The first bytes of a file; none where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(HEAD)
    except OSError:
        return b""
