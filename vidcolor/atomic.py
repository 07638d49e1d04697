"""Files that appear whole or not at all: written beside the target under a short name, synced, then renamed."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from vidcolor.errors import OutputError

REMEDIES = {
    errno.ENOSPC: "the disk is full; free some room or choose another folder",
    errno.EDQUOT: "your share of the disk is used up; free some room or choose another folder",
    errno.EFBIG: "is larger than this disk takes a file; choose another folder, on another disk",
    errno.ENAMETOOLONG: "its name is too long for this disk; give a shorter one",
    errno.EEXIST: "exists already; add -y to replace it",
    errno.EACCES: "no permission to write there; choose another folder",
    errno.EPERM: "no permission to write there; choose another folder",
    errno.EROFS: "the disk takes no changes; choose another folder",
    errno.ENOENT: "its folder does not exist; make it first",
    errno.ELOOP: "is a link that leads back to itself; remove it",
}


class AtomicFile:
    """A file on its way to `target`: write to `partial`, then `commit` or `discard`, or use it in a `with` statement.

    A symbolic link stays one, and the file that it leads to is replaced. The new file keeps the permissions of the old
    one. A pipe or device is written into, once the file is whole.

    Attributes:
        partial: an empty file in the target's folder, to be opened by name and overwritten. Its name has 23
            characters, however long the target's is. With `token` (8 characters) it is `partial_name(token)`, and one
            that a crash has left there is replaced.

    Raises:
        OutputError: the folder is missing, closed or full. Without `overwrite`, `commit` raises it where the target
            exists, even if that file is younger than this object.
    """

    def __init__(self, target: Path, *, overwrite: bool, token: str = "") -> None:
        self.target, self.overwrite = target, overwrite
        with told(target):
            self.place = behind_links(target)
            self.special = is_special(self.place)
            if token:
                partial_path(target, token).unlink(missing_ok=True)
            self.partial = new_file(partial_path(target).parent, 0o600 if self.special else 0o666, token)

    def commit(self) -> None:
        """Sync the file and give it the target's name; what has been committed survives a power cut."""
        try:
            with told(self.target):
                sync(self.partial)
                if self.special:
                    with open(self.partial, "rb") as source, open(self.place, "wb") as out:
                        shutil.copyfileobj(source, out)
                    return
                keep_permissions(self.place, self.partial)
                put(self.partial, self.place, overwrite=self.overwrite)
                self.discard()  # its other name, before the folder is synced
                sync_folder(self.place.parent)
        finally:
            self.discard()

    def discard(self) -> None:
        """Remove the temporary file; harmless after `commit`."""
        self.partial.unlink(missing_ok=True)

    def __enter__(self) -> Path:
        return self.partial

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if kind is None:
            self.commit()
            return
        self.discard()
        if isinstance(error, OSError) and not isinstance(error, OutputError):
            raise failure(self.target, error) from error


def write_whole(target: Path, data: bytes, *, overwrite: bool) -> None:
    """Put `data` at `target` in one step.

    Raises:
        OutputError: see `AtomicFile`.
    """
    with AtomicFile(target, overwrite=overwrite) as partial, open(partial, "wb") as file:
        file.write(data)


@contextmanager
def told(target: Path) -> Iterator[None]:
    """Turn the system's errors into ours."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        raise failure(target, error) from error


def failure(target: Path, error: OSError) -> OutputError:
    """What to tell of a target that cannot be written."""
    said = f"cannot be written, {(error.strerror or str(error)).lower()}; check the disk"
    return OutputError(f"{target}: {REMEDIES.get(error.errno or 0, said)}")


def behind_links(path: Path) -> Path:
    """The file that a symbolic link leads to, whether it exists yet or not; other paths stay as they are."""
    return Path(os.path.realpath(path)) if os.path.islink(path) else path


def is_special(path: Path) -> bool:
    """Whether `path` is a pipe, device or socket, which is written into and cannot be replaced."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def partial_path(target: Path, token: str = "") -> Path:
    """Where an `AtomicFile` for `target` with `token` is written."""
    place = behind_links(target)
    folder = Path(tempfile.gettempdir()) if is_special(place) else place.parent
    return folder / partial_name(token)


def partial_name(token: str) -> str:
    return f".vidcolor-{token}.part"


def new_file(folder: Path, mode: int, token: str) -> Path:
    """An empty file, named by `token`, or by chance."""
    while True:
        path = folder / partial_name(token or secrets.token_hex(4))
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode))
        except FileExistsError:
            continue
        return path


def keep_permissions(old: Path, new: Path) -> None:
    """Give `new` the owner and permissions of `old` where there is one, as far as the system lets us."""
    try:
        facts = old.stat()
    except FileNotFoundError:
        return
    with suppress(OSError, AttributeError):  # only root can give files away, and Windows has no owners
        os.chown(new, facts.st_uid, facts.st_gid)
    with suppress(OSError):
        os.chmod(new, stat.S_IMODE(facts.st_mode))


def put(partial: Path, place: Path, *, overwrite: bool) -> None:
    """Rename; without `overwrite` never over a file, even if another process makes it at this very moment."""
    if overwrite:
        os.replace(partial, place)
    elif os.name == "nt":
        os.rename(partial, place)  # there it refuses to replace
    else:
        try:
            os.link(partial, place)
        except FileExistsError:
            raise
        except OSError:  # this disk has no hard links
            os.close(os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            os.replace(partial, place)


def sync(path: Path) -> None:
    """Have the disk write what it holds of a file, or of a folder's names."""
    handle = os.open(path, os.O_RDONLY if path.is_dir() or os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Make what was renamed in `folder` survive a power cut, where the system can do that."""
    with suppress(OSError):  # Windows opens no folders, and some network disks refuse
        sync(folder)
