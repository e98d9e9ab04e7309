"""The directory in which this user's daemon keeps its files: nobody else's, and nothing in it leads elsewhere.

Whoever can write there chooses which process `stop` ends, and where the log is written. So it must belong to us, and
nobody else may write to it; links are not followed, and what is no plain file of ours is not opened.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_NEVER_ELSEWHERE = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
"""The last, so that nobody waits for who never comes to the other end of a pipe."""


class StateDirectoryRefused(Exception):
    """It, or a file in it, is not ours alone. The message names it; `hint` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class StateDirectory:
    """Files by their names. Every method raises StateDirectoryRefused, and makes the directory if there is none."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self, name: str, flags: int) -> int:
        """A descriptor of this file of ours, which the caller closes. Raises FileNotFoundError, too."""
        with self._opened() as directory:
            try:
                descriptor = os.open(name, flags | _NEVER_ELSEWHERE, 0o600, dir_fd=directory)
            except FileNotFoundError:
                raise
            except OSError as error:
                raise self._refused(name, f"cannot be opened ({error.strerror})") from None
        about = os.fstat(descriptor)
        flaw = "is no plain file" if not stat.S_ISREG(about.st_mode) else _flaw(about)
        if flaw:
            os.close(descriptor)
            raise self._refused(name, flaw)
        return descriptor

    def read(self, name: str, most_bytes: int) -> bytes | None:
        """The beginning of this file; None if there is none."""
        try:
            with os.fdopen(self.open(name, os.O_RDONLY), "rb") as file:
                return file.read(most_bytes)
        except FileNotFoundError:
            return None

    def replace(self, name: str, content: bytes) -> None:
        """Have the file hold this, in one step: nobody reads half of it."""
        draft = f"{name}.draft"
        self.remove(draft)
        with os.fdopen(self.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY), "wb") as file:
            file.write(content)
        with self._opened() as directory:
            os.replace(draft, name, src_dir_fd=directory, dst_dir_fd=directory)

    def rename(self, name: str, other: str) -> None:
        """Have the file, if there is one, under another name, in place of what had that."""
        with self._opened() as directory, suppress(FileNotFoundError):
            os.replace(name, other, src_dir_fd=directory, dst_dir_fd=directory)

    def remove(self, name: str) -> None:
        """Have no such file, or link, any more."""
        with self._opened() as directory, suppress(FileNotFoundError):
            os.unlink(name, dir_fd=directory)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            directory = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | _NEVER_ELSEWHERE)
        except OSError as error:
            raise self._refused("", f"cannot be opened ({error.strerror})") from None
        try:
            flaw = _flaw(os.fstat(directory))
            if flaw:
                raise self._refused("", flaw)
            yield directory
        finally:
            os.close(directory)

    def _refused(self, name: str, flaw: str) -> StateDirectoryRefused:
        what = self.path / name if name else self.path
        return StateDirectoryRefused(
            f"{what} {flaw}: whoever can write there could have any process of yours ended.",
            "look who made it; remove it, `chmod go-w` it if it is yours, or set XDG_STATE_HOME to a directory of"
            " your own (a link is not followed).",
        )


def _flaw(about: os.stat_result) -> str | None:
    if about.st_uid != os.geteuid():
        return f"belongs to another user (id {about.st_uid})"
    if about.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "can be written to by others"
    return None
