"""Become a server that cannot outlive the process that started it.

    python -IS child_launcher.py <parent's process id> <death signal> <user or -> <command> [<argument> ...]

Run as a script of its own, not as a `preexec_fn`: Python code between fork and exec is unsafe where there are threads.
The standard library alone is imported, so that it starts in milliseconds.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_SET_SECUREBITS = 28
_SECBIT_NO_SETUID_FIXUP = 1 << 2
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAPABILITY_VERSION_3 = 0x20080522
_CAP_DAC_OVERRIDE = 1


def main(arguments: list[str]) -> None:
    """Replace this process by the command, run as the user; it gets the death signal when the parent dies.

    The death signal is Linux's. Elsewhere nothing stops the command when its parent is killed.
    """
    parent, death_signal, user, *command = arguments
    # Changing credentials clears the death signal: the user first.
    if user != "-":
        _become(user)
    if sys.platform == "linux":
        _die_with_parent(int(parent), int(death_signal))
    os.execv(command[0], command)


def _become(name: str) -> None:
    """Give up root for `name`, keeping the right to reach files wherever the project or its state lie.

    PostgreSQL refuses to run as root, and root's directories are closed to everybody else.
    """
    import pwd

    account = pwd.getpwnam(name)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    # access(2), by which initdb finds its own programs, would leave the right out for whoever is not root.
    libc.prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP, 0, 0, 0)
    os.setgroups([])
    os.setresgid(account.pw_gid, account.pw_gid, account.pw_gid)
    os.setresuid(account.pw_uid, account.pw_uid, account.pw_uid)
    capability = 1 << _CAP_DAC_OVERRIDE
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)(capability, capability, capability, 0, 0, 0)
    # Both may be refused where root itself lacks the capability: then the files have to be within reach.
    if libc.capset(header, sets) == 0:
        libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0)


def _die_with_parent(parent: int, death_signal: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        # It died before the line above: nobody will tell us.
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1:])
