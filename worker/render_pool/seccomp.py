"""Seccomp: a process forbids itself system calls (seccomp(2)). No rights needed, no library."""

import ctypes
import errno
import platform
import struct
from typing import Final

_SET_NO_NEW_PRIVILEGES: Final = 38
_SET_SECCOMP: Final = 22
_FILTER: Final = 2

_LOAD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_AT_LEAST: Final = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_RETURN: Final = 0x06  # BPF_RET | BPF_K
_NUMBER_OFFSET: Final = 0
_ARCHITECTURE_OFFSET: Final = 4
_ALLOW: Final = 0x7FFF0000
_REFUSE: Final = 0x00050000 | errno.EPERM
_KILL: Final = 0x80000000
_X32: Final = 0x40000000
"""A second set of numbers for the same calls on x86_64 begins here."""

_ON_BOTH: Final = {424, 425, 434, 435, 438}
"""pidfd_send_signal, io_uring_setup, pidfd_open, clone3, pidfd_getfd"""

# Network: socket, connect, accept, bind, listen, socketpair, accept4. Processes: clone, fork, vfork, execve, execveat,
# unshare, setns. Others' processes: kill, tkill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo, ptrace, process_vm_readv,
# process_vm_writev, prlimit64, setrlimit. Ways into the kernel: add_key, request_key, keyctl, mount, perf_event_open,
# bpf, userfaultfd.
_REFUSED: Final = {
    "x86_64": (
        0xC000003E,
        {41, 42, 43, 49, 50, 53, 288, 56, 57, 58, 59, 322, 272, 308, 62, 200, 234, 129, 297, 101, 310, 311, 302, 160}
        | {248, 249, 250, 165, 298, 321, 323},
    ),
    "aarch64": (
        0xC00000B7,
        {198, 203, 202, 200, 201, 199, 242, 220, 221, 281, 97, 268, 129, 130, 131, 138, 240, 117, 270, 271, 261, 164}
        | {217, 218, 219, 40, 241, 280, 282},
    ),
}
"""By machine: its name in audit.h, and the numbers of the calls refused."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def refuse_processes_and_network() -> bool:
    """Have this process refused, for good, every call by which it could reach another process, start one, or open a
    socket: each fails with EPERM. False: this is a machine or a kernel without.
    """
    machine = platform.machine()
    if machine not in _REFUSED:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        return False
    architecture, numbers = _REFUSED[machine]
    instructions = _instructions(architecture, sorted(numbers | _ON_BOTH))
    program = _Program(len(instructions) // 8, instructions)
    return bool(libc.prctl(_SET_SECCOMP, _FILTER, ctypes.byref(program), 0, 0) == 0)


def _instructions(architecture: int, numbers: list[int]) -> bytes:
    """A filter for classic BPF: code, jump if true, jump if false, operand."""
    refusals = [(_EQUAL, len(numbers) - place, 0, number) for place, number in enumerate(numbers)]
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE_OFFSET),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_OFFSET),
        (_AT_LEAST, len(numbers) + 1, 0, _X32),
        *refusals,
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
