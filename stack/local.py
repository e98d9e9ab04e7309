"""The whole stack on one machine: PostgreSQL, the Supabase edge on it, Temporal, and the Novu sink.

async with LocalStack() as stack:
    stack.environment["TEMPORAL_ADDRESS"]
    await stack.postgres.restart()      # every part starts, stops, is killed and restarted on its own
"""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

from stack.http_part import HttpPart
from stack.identity import Identity
from stack.occupancy import occupied
from stack.postgres import MIGRATIONS, Postgres
from stack.processes import PartFailed
from stack.supabase_keys import api_key
from stack.temporal import NAMESPACE, Temporal

FORGIVING_NOVU: Mapping[str, Any] = MappingProxyType({"unknown_workflows": "make", "addresses": "assumed"})
"""For whoever is about something else than workflows and addresses at Novu, and writes rows without seeing to these
(docs/novu_sink.md)."""


_IDENTITY = "stack.json"


class LocalStack:
    """All parts, on loopback ports and with keys of their own."""

    def __init__(
        self,
        state_directory: Path | None = None,
        *,
        migrations: Path | None = MIGRATIONS,
        novu_settings: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """Data, logs, ports and keys go to `state_directory` and stay there: the next stack in it goes on where this
        one ends. Without one, to a temporary directory that goes with the stack. `migrations` is applied to the
        database, None leaves it a fresh Supabase project. `novu_settings` are the sink's that differ
        (stack/novu_sink/control/settings.py).

        Raises PartFailed if what is kept there cannot be read.
        """
        self._is_temporary = state_directory is None
        temporary = Path(tempfile.gettempdir()) / f"xnovu-stack-{secrets.token_hex(8)}"
        self.state_directory = (state_directory or temporary).absolute()
        self._occupation = ExitStack()
        self._identity = identity = self._identify()
        ports = identity.ports
        self.postgres = Postgres(self.state_directory / "postgres", migrations=migrations, port=ports.postgres)
        self.temporal = Temporal(self.state_directory / "temporal", port=ports.temporal, ui_port=ports.temporal_ui)
        self.edge = HttpPart(
            "edge",
            "stack.edge",
            self.state_directory / "edge.log",
            ready_path="/health",
            environment=lambda: {"EDGE_DATABASE_URL": self.postgres.url, "EDGE_JWT_SECRET": identity.jwt_secret},
            port=ports.edge,
        )
        self.novu_sink = HttpPart(
            "novu sink",
            "stack.novu_sink",
            self.state_directory / "novu_sink.log",
            ready_path="/",
            environment=lambda: {
                "NOVU_SECRET_KEY": identity.novu_secret_key,
                "NOVU_PRODUCTION_SECRET_KEY": identity.novu_production_key,
            },
            # It remembers what it accepted when it is killed, as Novu does.
            arguments=[
                *("--record", str(self.state_directory / "novu_sink.record")),
                *("--settings", json.dumps(dict(novu_settings))),
            ],
            port=ports.novu_sink,
        )

    @cached_property
    def environment(self) -> Mapping[str, str]:
        """What XNovu's processes need to find the stack, and (XNOVU_STACK_*) what people and tests do.

        There from the first start on: the database's password is made then.
        """
        identity = self._identity
        return {
            "TEMPORAL_ADDRESS": self.temporal.address,
            "TEMPORAL_NAMESPACE": NAMESPACE,
            "NEXT_PUBLIC_SUPABASE_URL": self.edge.url,
            "SUPABASE_URL": self.edge.url,
            "SUPABASE_SERVICE_ROLE_KEY": api_key("service_role", identity.jwt_secret, identity.issued_at),
            "SUPABASE_ANON_KEY": api_key("anon", identity.jwt_secret, identity.issued_at),
            "SUPABASE_JWT_SECRET": identity.jwt_secret,
            "NOVU_API_URL": self.novu_sink.url,
            "NOVU_SECRET_KEY": identity.novu_secret_key,
            "XNOVU_STACK_POSTGRES_URL": self.postgres.url,
            "XNOVU_STACK_TEMPORAL_UI_URL": self.temporal.ui_url,
            "XNOVU_STACK_INBOX_URL": f"{self.novu_sink.url}/",
            "XNOVU_STACK_EDGE_URL": self.edge.url,
        }

    @property
    def process_ids(self) -> Mapping[str, int]:
        """The parts that are running, by name."""
        parts = {
            "postgres": self.postgres.pid,
            "temporal": self.temporal.pid,
            "edge": self.edge.pid,
            "novu_sink": self.novu_sink.pid,
        }
        return {name: pid for name, pid in parts.items() if pid is not None}

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start everything at once and wait until all of it answers.

        Raises PartFailed, naming the part that did not come up, or the ports that are taken; nothing is left running
        then. So it is if another stack runs in the directory, and does not end.
        """
        await asyncio.to_thread(self._occupation.enter_context, occupied(self.state_directory))
        try:
            await self._identity.require_free_ports()
            async with asyncio.TaskGroup() as parts:
                parts.create_task(self._start_database_and_edge())
                parts.create_task(self.temporal.start())
                parts.create_task(self.novu_sink.start())
        except BaseExceptionGroup as errors:
            await self.stop()
            failures, others = errors.split(PartFailed)
            if failures is None or others is not None:
                raise
            raise PartFailed("\n\n".join(map(str, failures.exceptions))) from errors
        except (asyncio.CancelledError, PartFailed):
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop everything, and remove a temporary state directory."""
        # The database last: the edge lives on it.
        await asyncio.gather(self.edge.stop(), self.novu_sink.stop(), self.temporal.stop())
        await self.postgres.stop()
        self._occupation.close()
        if self._is_temporary:
            await asyncio.to_thread(shutil.rmtree, self.state_directory)

    def _identify(self) -> Identity:
        """Whoever comes to a directory where a stack was is that stack again."""
        if self._is_temporary:
            return Identity()
        self.state_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Identity.kept_in(self.state_directory / _IDENTITY)

    async def _start_database_and_edge(self) -> None:
        await self.postgres.start()
        await self.edge.start()
