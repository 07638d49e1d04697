"""The folder of a server: what it signs visitors' names with, and a folder for each upload with what becomes of it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from filelock import FileLock, Timeout
from platformdirs import user_state_path

from vidcolor import stored
from vidcolor.atomic import write_whole
from vidcolor.errors import OutputError

SECRETS, JOBS, LOCK, RECORD = "secrets.json", "jobs", "lock", "job.json"


def usual_folder(port: int) -> Path | None:
    """Where a server at `port` has its files if it is told nothing; None (a new one) where any port will do."""
    return user_state_path("vidcolor", appauthor=False) / f"serve-{port}" if port else None


class Store:
    """A server's folder, for no one else's eyes; the files of a server that was killed are still in it.

    Args:
        folder: None is a new one among the temporary files.
        keep: whether the files stay when the server ends; else all of them go.

    Attributes:
        key: what visitors' names are signed with.
        jobs: the folder of folders, one for each upload.

    Raises:
        OutputError: it cannot be made, or another server has it.
    """

    def __init__(self, folder: Path | None = None, *, keep: bool = False) -> None:
        self.keep = keep
        try:
            self.folder = folder or Path(tempfile.mkdtemp(prefix="vidcolor-"))
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.jobs = self.folder / JOBS
            self.jobs.mkdir(mode=0o700, exist_ok=True)
            self.lock = FileLock(self.folder / LOCK, timeout=0)
            self.lock.acquire()
        except Timeout:
            raise OutputError(f"{self.folder}: another server is at work in it; give --data another folder") from None
        except OSError as error:
            raise OutputError(f"{folder}: cannot be made, {error.strerror}; give --data another folder") from error
        self.secrets = self.read_secrets()
        self.key = bytes.fromhex(self.secrets["key"])

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if not self.keep:
            shutil.rmtree(self.jobs, ignore_errors=True)
            (self.folder / SECRETS).unlink(missing_ok=True)
        self.lock.release()
        if not self.keep:
            (self.folder / LOCK).unlink(missing_ok=True)
            with suppress(OSError):  # something else is in it
                self.folder.rmdir()

    def read_secrets(self) -> dict[str, str]:
        """The key and the token that were made for this folder, or new ones."""
        path = self.folder / SECRETS
        try:
            told: dict[str, str] = stored.parse(path.read_text())
            if len(bytes.fromhex(told["key"])) == 32 and told["token"] and isinstance(told["token"], str):
                return told
        except (OSError, ValueError, KeyError, TypeError):
            pass
        told = {"key": secrets.token_hex(32), "token": secrets.token_urlsafe(18)}
        write_private(path, json.dumps(told))
        return told

    @property
    def token(self) -> str:
        """A token for `--token auto`; a server that goes on after a fault has the one it had."""
        return self.secrets["token"]

    def new_folder(self) -> Path:
        """A folder for one upload, with a name that nobody can guess."""
        folder = self.jobs / secrets.token_hex(16)
        folder.mkdir(mode=0o700)
        return folder

    def records(self) -> Iterator[tuple[Path, dict[str, Any]]]:
        """Folders of uploads and their records; an upload that has none was broken off, and goes."""
        for folder in self.jobs.iterdir():
            try:
                yield folder, stored.parse((folder / RECORD).read_text())
            except (OSError, ValueError):
                shutil.rmtree(folder, ignore_errors=True)


def write_private(path: Path, text: str) -> None:
    """Write a file in one step that nobody else may read."""
    before = os.umask(0o077)
    try:
        write_whole(path, text.encode(), overwrite=True)
    finally:
        os.umask(before)
