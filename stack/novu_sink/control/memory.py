"""What a killed sink knows when it is back: it writes down what it was told, and lives through it again."""

from __future__ import annotations

import time
from typing import Any, Protocol

from stack.novu_sink.account import Account, Environment
from stack.novu_sink.control.journal import PROCESSED, Journal
from stack.novu_sink.control.record_file import RecordFile
from stack.novu_sink.worker.providers import Providers
from stack.novu_sink.worker.queue import TakenEvent


class Worker(Protocol):
    """What lives through it again."""

    @property
    def providers(self) -> Providers: ...

    def take(self, environment: Environment, event: TakenEvent, *, due: float | None = None) -> None:
        """Queue an event."""
        ...

    def cancel(self, environment: Environment, transaction_id: str, *, now: float | None = None) -> bool:
        """Cancel what is held back of a transaction."""
        ...


class Memory:
    """Without a record file it keeps nothing. Settings and faults are not kept: they are the tester's, not Novu's."""

    def __init__(self, account: Account, record_file: RecordFile | None) -> None:
        self._account = account
        self._file = record_file

    def start_over(self) -> None:
        """Everything is forgotten but the environments' ids."""
        if self._file is not None:
            self._file.clear()
            self._append(
                environments={
                    one.name: {"id": one.id, "identifier": one.identifier} for one in self._account.environments
                }
            )

    def workflow_changed(self, environment: Environment, workflow_id: str) -> None:
        workflow = environment.workflows.find(workflow_id)
        self._append(environment_id=environment.id, workflow=workflow, workflow_id=workflow_id)

    def subscriber_changed(self, environment: Environment, subscriber_id: str) -> None:
        subscriber = environment.subscribers.find(subscriber_id)
        self._append(environment_id=environment.id, subscriber=subscriber, subscriber_id=subscriber_id)

    def cancelled(self, environment: Environment, transaction_id: str) -> None:
        self._append(environment_id=environment.id, cancelled=transaction_id, at=time.time())

    def provider_refused(self, key: str, raw: str) -> None:
        self._append(provider_refused=key, raw=raw)

    def remember(self, journal: Journal, worker: Worker) -> None:
        """Go through the file's entries in their order; a new file gets its first one."""
        entries = list(self._file.read()) if self._file is not None else []
        if not entries:
            self.start_over()
        # What providers refused comes first: the entry is written after the event that it is about.
        for entry in entries:
            if "provider_refused" in entry:
                worker.providers.known[entry["provider_refused"]] = entry["raw"]
        for entry in entries:
            self._live_through(entry, journal, worker)

    def _live_through(self, entry: dict[str, Any], journal: Journal, worker: Worker) -> None:
        if "environments" in entry:
            for one in self._account.environments:
                kept = entry["environments"][one.name]
                one.become(kept["id"], kept["identifier"])
            return
        environment_id = entry.get("environment_id") or entry.get("request", {}).get("environment_id")
        environment = next((one for one in self._account.environments if one.id == environment_id), None)
        if "request" in entry:
            request = journal.replay(entry["request"])
            for event, content in zip(request.events, request.contents_or_none(), strict=True):
                if event.status == PROCESSED and environment is not None:
                    worker.take(environment, TakenEvent(event, content, request.received_at_ns / 1e9), due=event.due)
        elif environment is None:
            return
        elif "workflow" in entry:
            if entry["workflow"] is None:
                environment.workflows.delete(entry["workflow_id"])
            else:
                environment.workflows.put(entry["workflow"])
        elif "subscriber" in entry:
            if entry["subscriber"] is None:
                environment.subscribers.delete(entry["subscriber_id"])
            else:
                environment.subscribers.put(entry["subscriber"])
        elif "cancelled" in entry:
            worker.cancel(environment, entry["cancelled"], now=entry["at"])

    def _append(self, **entry: Any) -> None:
        if self._file is not None:
            self._file.append(entry)
