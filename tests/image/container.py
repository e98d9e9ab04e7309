"""A container of the image, run by runc as Cloud Run runs it: nobody's user, a root file system that is read-only."""

import json
import secrets
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from stack.processes import bound_command
from tests.e2e.promptness import promptly
from tests.e2e.system import PATIENCE_SECONDS
from tests.image.builder import Image

MEMORY_BYTES = 512 * 2**20
"""The least that a Cloud Run worker pool has, and what it has unless told otherwise."""

_MOUNTS = [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
    {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["nosuid", "nodev", "mode=1777"]},
    {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", "mode=1777"]},
]


class Container:
    """`xnovu <command>` in the image's own configuration, on this machine's network; killed at the end of the block.

    Everything is the image's but the environment's settings: user, entry point, path.
    """

    def __init__(
        self, image: Image, root: Path, directory: Path, command: tuple[str, ...], environment: Mapping[str, str]
    ) -> None:
        self.log_file = directory / "log"
        self.error_file = directory / "errors"
        self._bundle = directory
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._id = ""
        directory.mkdir(parents=True)
        (directory / "config.json").write_text(json.dumps(_specification(image, root, command, environment)))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._runc("delete", "--force", self._id)
        self._running.wait()

    def start(self) -> None:
        """Start it, or start it again; what it says is added to its log."""
        self._id = f"xnovu-{secrets.token_hex(6)}"
        pid_file = f"--pid-file={self._bundle / 'pid'}"
        command = self._command_line("run", pid_file, "--bundle", str(self._bundle), self._id)
        with self.log_file.open("ab") as log, self.error_file.open("ab") as errors:
            self._process = subprocess.Popen(bound_command(command, signal.SIGKILL), stdout=log, stderr=errors)

    @property
    def pid(self) -> int:
        """This machine's number of the container's first process."""
        return int((self._bundle / "pid").read_text())

    @property
    def executable(self) -> Path:
        """What its first process runs."""
        return Path("/proc", str(self.pid), "exe").readlink()

    def terminate(self) -> None:
        """What Cloud Run does first: SIGTERM to process 1."""
        self._runc("kill", self._id, "TERM")

    def require_running(self) -> None:
        """Fail with its last words if it has ended."""
        code = self._running.poll()
        assert code is None, f"{self._command} ended with code {code}:\n{self.errors()}"

    async def exit_code(self, *, within: float = PATIENCE_SECONDS) -> int:
        """The code it ends with."""

        async def has_ended() -> bool:
            return self._running.poll() is not None

        await promptly(has_ended, within=within, what=f"{self._command} ends")
        return self._running.returncode

    def errors(self) -> str:
        """What it has written to standard error."""
        return self.error_file.read_text()

    def _runc(self, *arguments: str) -> None:
        subprocess.run(self._command_line(*arguments), check=True, capture_output=True)

    def _command_line(self, *arguments: str) -> list[str]:
        return ["/usr/bin/env", "runc", "--root", str(self._bundle / "state"), *arguments]

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "started first"
        return self._process


def _specification(
    image: Image, root: Path, command: tuple[str, ...], environment: Mapping[str, str]
) -> dict[str, Any]:
    """The OCI runtime's: the image's configuration, and no right that a process could give up."""
    uid, gid = map(int, image.configuration["User"].split(":"))
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": {"uid": uid, "gid": gid},
            "args": [*image.configuration["Entrypoint"], *command],
            "env": [*image.configuration["Env"], *(f"{name}={value}" for name, value in environment.items())],
            "cwd": image.configuration.get("WorkingDir") or "/",
            "capabilities": {},
            "noNewPrivileges": True,
        },
        "root": {"path": str(root), "readonly": True},
        "mounts": _MOUNTS,
        "linux": {
            "namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts")],
            "resources": {"memory": {"limit": MEMORY_BYTES}},
            "cgroupsPath": f"/xnovu-{secrets.token_hex(6)}",
        },
    }
