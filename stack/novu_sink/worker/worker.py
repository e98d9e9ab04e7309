"""The worker: takes events off the queue, drops those whose transaction id has jobs already, and runs the steps.

Looking for duplicates and storing jobs are two moments, as in Novu: events that come between them are not recognised.
Steps wait while requests come in, unless they are wanted on time: the sink must not slow down what it measures.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from functools import partial
from random import Random

from stack.novu_sink.account import Account, Environment
from stack.novu_sink.activity.store import HELD_BACK, Job, Notification
from stack.novu_sink.control.memory import Memory
from stack.novu_sink.webhooks.sender import Webhooks
from stack.novu_sink.worker.providers import Providers
from stack.novu_sink.worker.queue import Queue, TakenEvent
from stack.novu_sink.worker.recipients import resolve
from stack.novu_sink.worker.steps import held_back_seconds, perform

_TICK_SECONDS = 0.05
_SLICE_SECONDS = 0.01
_QUIET_SECONDS = 2.0


class Worker:
    """One for all environments. `catch_up` brings it to the present; the background task does so by itself."""

    def __init__(self, account: Account, webhooks: Webhooks, memory: Memory) -> None:
        self._account = account
        self._webhooks = webhooks
        self._memory = memory
        self._queue = Queue()
        self._ready: deque[tuple[Environment, Notification, int, float]] = deque()
        self._chance = Random(account.settings.seed)
        self._last_taken = 0.0
        self.providers = Providers(memory.provider_refused)

    def take(self, environment: Environment, event: TakenEvent, *, due: float | None = None) -> None:
        """Queue an event; `due` is when the worker gets to it, by default after the delay that is set."""
        if due is None:
            shortest, longest = self._account.settings.worker.delay_seconds
            due = event.at + (self._chance.uniform(shortest, longest) if longest else 0)
        event.received.due = due
        environment.activity.take(event.received)
        self._last_taken = event.at
        self._queue.put(due, partial(self._look_for_duplicate, environment, event))

    def cancel(self, environment: Environment, transaction_id: str, *, now: float | None = None) -> bool:
        """Cancel what is held back of a transaction; False also for what is queued and will be sent."""
        self.catch_up(now=now)
        taken = environment.activity.taken(transaction_id)
        if self._account.settings.cancelling == "all_taken":
            cancelled = any(not event.cancelled for event in taken)
        else:
            jobs = [job for one in environment.activity.of_transaction(transaction_id) for job in one.jobs]
            cancelled = any(job.status in HELD_BACK for job in jobs)
            for job in jobs:
                if cancelled and job.status in {*HELD_BACK, "pending"}:
                    job.status = "canceled"
        for event in taken:
            event.cancelled = event.cancelled or cancelled
        return cancelled

    def catch_up(self, *, steps: bool = True, within_seconds: float | None = None, now: float | None = None) -> bool:
        """Do everything that is due; without `steps`, only look for duplicates and store jobs. False: time was up."""
        if self._account.settings.worker.paused:
            return True
        now = time.time() if now is None else now
        deadline = None if within_seconds is None else time.monotonic() + within_seconds
        while self._queue.run_next(now) or (steps and self._run_next_notification()):
            if deadline is not None and time.monotonic() > deadline:
                return False
        return True

    async def present(self, *, steps: bool = True) -> None:
        """Catch up in slices, so that requests are answered meanwhile."""
        while not self.catch_up(steps=steps, within_seconds=_SLICE_SECONDS):  # noqa: ASYNC110 (it does the work itself)
            await asyncio.sleep(0)

    def resume(self) -> None:
        """The worker was stopped and is back: everything that fell due meanwhile happens now, all at once."""
        self._queue.release(time.time())

    def waiting(self) -> int:
        """How much is queued or has steps to run."""
        return len(self._queue) + len(self._ready)

    def forget(self) -> None:
        """Drop all that is queued."""
        self._queue.clear()
        self._ready.clear()
        self.providers = Providers(self._memory.provider_refused)

    async def run(self) -> None:
        """Until cancelled: look for duplicates on time; run steps on time, or when no request has come for a while."""
        while True:
            settings = self._account.settings
            on_time = settings.worker.on_time or settings.webhooks.url is not None
            steps = on_time or time.time() - self._last_taken > _QUIET_SECONDS
            # One slice: an event that comes meanwhile ends the quiet.
            done = self.catch_up(steps=steps, within_seconds=_SLICE_SECONDS)
            await asyncio.sleep(0 if steps and not done else _TICK_SECONDS)

    def _look_for_duplicate(self, environment: Environment, event: TakenEvent, at: float) -> None:
        received = event.received
        kept_since = at - self._account.retention_seconds
        received.duplicate = environment.activity.has_jobs(received.transaction_id, kept_since)
        if received.duplicate:
            reason = "duplicate: its transaction id has jobs already"
            environment.activity.drop(at, received.transaction_id, received.workflow, reason)
        else:
            stored_at = at + self._account.settings.worker.storing_seconds
            self._queue.put(stored_at, partial(self._store_jobs, environment, event))

    def _store_jobs(self, environment: Environment, event: TakenEvent, at: float) -> None:
        received = event.received
        settings = self._account.settings
        workflow = environment.workflows.find(received.workflow)
        if workflow is None:
            reason = "workflow deleted before the worker came to it"
            environment.activity.drop(at, received.transaction_id, received.workflow, reason)
            return
        check = settings.check_recipients and settings.generation != "2024"
        recipients = resolve(event.content["to"], check=check)
        for reason in recipients.dropped:
            environment.activity.drop(at, received.transaction_id, received.workflow, reason)
        if not workflow["steps"]:
            environment.activity.drop(at, received.transaction_id, received.workflow, "workflow without steps")
            return
        payload = event.content.get("payload") or {}
        for subscriber_id, inline in recipients.kept.items():
            environment.subscribers.upsert(subscriber_id, inline)
            notification = Notification(
                environment.id, received.transaction_id, workflow, subscriber_id, payload, at, received
            )
            environment.activity.add(notification)
            self._ready.append((environment, notification, 0, at))

    def _run_next_notification(self) -> bool:
        if not self._ready:
            return False
        environment, notification, first, at = self._ready.popleft()
        if not notification.jobs:
            notification.jobs = [Job(step) for step in notification.workflow["steps"]]
        for index, job in enumerate(notification.jobs[first:], first):
            if job.status == "canceled":
                continue
            held_back = held_back_seconds(job)
            if held_back is not None:
                job.status = "delayed"
                job.note(at, "Step delayed", "Pending")
                self._queue.put(at + held_back, partial(self._go_on, environment, notification, index))
                return True
            told = perform(job, notification, environment, self._account, self.providers, at)
            if told is not None:
                self._webhooks.tell(environment, told.kind, told.message, told.error, at)
        return True

    def _go_on(self, environment: Environment, notification: Notification, index: int, at: float) -> None:
        job = notification.jobs[index]
        if job.status == "canceled":
            return
        job.status = "completed"
        job.note(at, "Delay is finished", "Success")
        self._ready.append((environment, notification, index + 1, at))
