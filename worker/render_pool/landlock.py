"""Landlock: a process forbids itself all files but those beneath some directories (landlock(7)). No rights needed."""

import ctypes
import os
import struct
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

_CREATE_RULESET: Final = 444
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446
"""System calls; younger ones have one number on all machines."""

_VERSION: Final = 1
_PATH_BENEATH: Final = 1
_READ_FILE: Final = 1 << 2
_READ_DIRECTORY: Final = 1 << 3
_FILE_ACCESSES: Final = {1: 13, 2: 14, 3: 15, 4: 15}
"""By the kernel's version of Landlock: how many kinds of access there are. From 5 on: 16."""
_CONNECT_AND_BIND: Final = 3
_SIGNALS_AND_ABSTRACT_SOCKETS: Final = 3


def allow_reading_only(directories: Iterable[str]) -> bool:
    """Forbid this process, for good, every access to files but reading beneath `directories`; what is open stays open.

    Newer kernels also forbid TCP, signals to others and abstract sockets. False: this kernel has no Landlock.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)
    if version < 1:
        return False
    files = (1 << _FILE_ACCESSES.get(version, 16)) - 1
    attributes = struct.pack("=QQQ", files, _CONNECT_AND_BIND, _SIGNALS_AND_ABSTRACT_SOCKETS)
    attributes = attributes[: 24 if version >= 6 else 16 if version >= 4 else 8]
    ruleset = libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    if ruleset < 0:
        return False
    try:
        for directory in directories:
            with suppress(OSError):  # it is not there: nothing to allow
                _allow_reading(libc, ruleset, directory)
        return bool(libc.syscall(_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _allow_reading(libc: ctypes.CDLL, ruleset: int, directory: str) -> None:
    descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        rule = struct.pack("=Qi", _READ_FILE | _READ_DIRECTORY, descriptor)
        libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0)
    finally:
        os.close(descriptor)
