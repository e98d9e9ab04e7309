"""The daemon of this user, as it wrote itself down: whom `stop` may end, and what `restart` carries on.

Two files in the state directory. `daemon.lock` is locked for as long as the daemon lives: the kernel lets go of it
whatever ends the process, so neither a stale record nor two daemons starting at once can mislead. `daemon.json` is the
record, and goes when the daemon does.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar

import psutil
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from cli.state_directory import StateDirectory
from shared.settings import DaemonSettings

_PROBES_END_WITHIN_SECONDS = 1.0
"""Who asks whether a daemon lives holds the lock for microseconds; a daemon holds it longer."""


_BOOT_TIME_IS_TRUE_WITHIN_SECONDS = 2.0
"""The kernel tells it in whole seconds of a clock that is being corrected."""


_LONGEST_RECORD_BYTES = 64 * 1024

_RECORD, _LOG, _ENVIRONMENT, _LOCK = "daemon.json", "daemon.log", "dev.env", "daemon.lock"
_DEV = "dev"

_COPIED_AT_ONCE_BYTES = 1024 * 1024

_LONGEST_ENVIRONMENT_BYTES = 64 * 1024


def old_log(ago: int) -> str:
    """The name of the log that was begun so many logs `ago`."""
    return f"{_LOG}.{ago}" if ago else _LOG


class AlreadyRunning(Exception):
    """Another daemon of this user holds the lock."""


@dataclass(frozen=True, slots=True)
class StartOptions:
    """What `start` was told; None where the settings were to decide."""

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    enterprises: str | None = None
    health_port: int | None = None
    log_level: str | None = None
    workers: int = 0
    dev: bool = False
    fresh: bool = False
    """With `dev`, once: a restart goes on with what there is."""

    def arguments(self) -> list[str]:
        """As `start` takes them."""
        values = {"--enterprises": self.enterprises, "--health-port": self.health_port, "--log-level": self.log_level}
        given = [text for name, value in values.items() if value is not None for text in (name, str(value))]
        workers = ["--workers", str(self.workers)] if self.workers else []
        return [*given, *workers, *(["--dev"] if self.dev else []), *(["--fresh"] if self.fresh else [])]


@dataclass(frozen=True, slots=True)
class DaemonRecord:
    """`started_after_boot_seconds`, by the kernel, tells the process from a later one with the same id; unlike the time
    of day, it stays true when the clock is set.
    """

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid", allow_inf_nan=False)

    pid: Annotated[int, Field(ge=1, lt=2**31)]
    started_after_boot_seconds: float
    health_host: str
    health_port: int
    options: StartOptions = field(default_factory=StartOptions)
    log_file: str | None = None

    @property
    def health_url(self) -> str:
        """Where this machine reaches its health server, whichever addresses that listens on."""
        return reached_at(self.health_host, self.health_port)


def reached_at(host: str, port: int) -> str:
    """The address on this machine of what listens there.

    >>> reached_at("::", 3001)
    'http://[::1]:3001'
    """
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


_RECORDS = TypeAdapter(DaemonRecord)


class DaemonBook:
    """The record and its lock, in one directory. Every method raises StateDirectoryRefused if that is not ours."""

    def __init__(self, directory: Path | None = None) -> None:
        """By default $XDG_STATE_HOME/xnovu, which is ~/.local/state/xnovu where that is not set."""
        home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
        self.directory = directory or home / "xnovu"
        self.record_file = self.directory / _RECORD
        self.log_file = self.directory / _LOG
        self.environment_file = self.directory / _ENVIRONMENT
        self.lock_file = self.directory / _LOCK
        self.dev_directory = self.directory / _DEV
        self._files = StateDirectory(self.directory)

    def running(self) -> DaemonRecord | None:
        """The daemon that runs, if it is ours: it holds the lock, and its process is the one that wrote the record."""
        record = self._read()
        return record if record is not None and self.is_held() and process_of(record) is not None else None

    def has_record(self) -> bool:
        """Whether there is a record, readable or not."""
        return self._files.read(_RECORD, 0) is not None

    def is_held(self) -> bool:
        """Whether a daemon lives: one that just starts or ends has no record."""
        with self._open_lock() as lock:
            return not _lock(lock, fcntl.LOCK_SH)

    def forget(self) -> None:
        """Remove what a daemon left that was killed; harmless if there is nothing, and if one runs."""
        with self._open_lock() as lock:
            if _lock(lock, fcntl.LOCK_EX):
                self._remove()

    @contextmanager
    def held(self) -> Iterator[None]:
        """The daemon's own, for as long as the block lasts; at its end what it wrote goes. Raises AlreadyRunning."""
        with self._open_lock() as lock:
            deadline = time.monotonic() + _PROBES_END_WITHIN_SECONDS
            while not _lock(lock, fcntl.LOCK_EX):
                if time.monotonic() > deadline:
                    raise AlreadyRunning
                time.sleep(0.01)
            self._remove()
            try:
                yield
            finally:
                self._remove()

    def write(self, record: DaemonRecord) -> None:
        """In one step: nobody reads half a record. Only within `held`."""
        self._files.replace(_RECORD, _RECORDS.dump_json(record))

    def write_environment(self, content: str) -> None:
        """What other shells need of the stack of `start --dev`: keys among it, for nobody else's eyes."""
        self._files.replace(_ENVIRONMENT, content.encode())

    def read_environment(self) -> str:
        """That again; empty if there is none."""
        return (self._files.read(_ENVIRONMENT, _LONGEST_ENVIRONMENT_BYTES) or b"").decode()

    def open_log(self) -> int:
        """A descriptor for appending to the log, and for reading it; the caller closes it."""
        return self._files.open(_LOG, os.O_CREAT | os.O_APPEND | os.O_RDWR)

    def open_log_to_read(self, ago: int = 0) -> int:
        """A descriptor of the log as it is, or of the one so many `ago`; the caller closes it. Raises FileNotFoundError
        if there is none.
        """
        return self._files.open(old_log(ago), os.O_RDONLY)

    def begin_log_anew(self, kept: int) -> None:
        """What is in the log becomes the latest of the `kept` old ones. The file itself stays, emptied: whoever writes
        to it (additional workers, an interpreter's last words) need not know.
        """
        for ago in range(kept, 1, -1):
            self._files.rename(old_log(ago - 1), old_log(ago))
        log = self._files.open(_LOG, os.O_RDWR)
        try:
            # If there is no room for it, the newest lines matter more than the old ones.
            with suppress(OSError):
                self._files.remove(old_log(1))
                _copy(log, self._files.open(old_log(1), os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            os.ftruncate(log, 0)
        finally:
            os.close(log)

    def _read(self) -> DaemonRecord | None:
        """None if there is no record, or one that cannot be read: another release's, or nobody's."""
        content = self._files.read(_RECORD, _LONGEST_RECORD_BYTES)
        try:
            return None if content is None else _RECORDS.validate_json(content)
        except ValidationError:
            return None

    @contextmanager
    def _open_lock(self) -> Iterator[int]:
        lock = self._files.open(_LOCK, os.O_CREAT | os.O_RDWR)
        try:
            yield lock
        finally:
            os.close(lock)

    def _remove(self) -> None:
        for name in (_RECORD, _ENVIRONMENT):
            self._files.remove(name)


def _copy(source: int, target: int) -> None:
    """To the end, also where that moves meanwhile. Closes the target."""
    try:
        place = 0
        while copied := os.sendfile(target, source, place, _COPIED_AT_ONCE_BYTES):
            place += copied
    finally:
        os.close(target)


def record_of_this_process(settings: DaemonSettings, options: StartOptions, log_file: Path | None) -> DaemonRecord:
    """The record of the process that asks."""
    return DaemonRecord(
        pid=os.getpid(),
        started_after_boot_seconds=_started_after_boot_seconds(psutil.Process()),
        health_host=settings.daemon_health_host,
        health_port=settings.daemon_health_port,
        options=options,
        log_file=None if log_file is None else str(log_file),
    )


def _lock(lock: int, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def process_of(record: DaemonRecord) -> psutil.Process | None:
    """The recorded process; None if it is gone, whoever has its id now, or another user's. A zombie is gone: it holds
    nothing any more.
    """
    try:
        process = psutil.Process(record.pid)
        if process.status() == psutil.STATUS_ZOMBIE or process.uids().real != os.getuid():
            return None
        age_difference = _started_after_boot_seconds(process) - record.started_after_boot_seconds
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None
    return process if abs(age_difference) < _BOOT_TIME_IS_TRUE_WITHIN_SECONDS else None


def _started_after_boot_seconds(process: psutil.Process) -> float:
    return process.create_time() - psutil.boot_time()
