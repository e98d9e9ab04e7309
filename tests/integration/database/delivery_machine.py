"""What may befall rows, in any order and by several connections, beside a model of what must have become of each."""

import asyncio
from collections.abc import Awaitable, Collection
from dataclasses import dataclass
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.integration.database.project import OURS, Connection, call, insert_notifications

WORKERS = ("one", "two", "three")
WORKER = st.sampled_from(WORKERS)
CHOSEN = st.sets(st.integers(0, 5), min_size=1)
"""Places among the rows: those that there are not yet are left out."""

LAPSED = "lease_expires_at = now() - interval '1 second'"


@dataclass(slots=True)
class Row:
    """What must be true of a row now."""

    status: str = "PENDING"
    owner: str | None = None
    open: bool = False
    """A claim was made, and has no outcome."""
    lapsed: bool = False
    attempts: int = 0
    chunks_sent: int = 0
    reached_novu: bool = False
    """It bears a transaction id."""
    cancelled: bool = False
    unanswered: bool = False
    """A claim has not told how its calls ended: the next one must know that Novu may have it."""
    in_doubt: bool = False

    def is_free_for(self, worker: str) -> bool:
        if self.status == "PROCESSING" and self.owner == worker:
            return True
        return self.status == "PENDING" or (self.status == "PROCESSING" and self.lapsed)

    def is_open_for(self, worker: str) -> bool:
        return self.open and self.owner == worker and self.status in ("PROCESSING", "RETRACTED")

    def be_claimed(self, worker: str) -> None:
        self.status, self.owner, self.open, self.lapsed = "PROCESSING", worker, True, False
        self.attempts += 1
        self.in_doubt |= self.unanswered
        self.unanswered = True

    def be_recorded(self, status: str) -> None:
        if self.status == "PROCESSING":
            self.status = status
        self.open = self.lapsed = self.unanswered = False
        if status == "SENT":
            self.reached_novu, self.cancelled, self.in_doubt = True, False, False
        self.reached_novu |= self.in_doubt

    def be_retracted(self) -> None:
        if self.status != "RETRACTED":
            self.status, self.cancelled = "RETRACTED", False


class DeliveryMachine(RuleBasedStateMachine):
    """Workers, an operator and time. Each worker has a connection, and so has who looks on."""

    connections: ClassVar[dict[str, Connection]]
    loop: ClassVar[asyncio.AbstractEventLoop]

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[int, Row] = {}

    def run(self, awaitable: Awaitable[Any]) -> Any:
        return self.loop.run_until_complete(awaitable)

    def at_once(self, *awaitables: Awaitable[Any]) -> list[Any]:
        async def gather() -> list[Any]:
            return list(await asyncio.gather(*awaitables))

        return list(self.run(gather()))

    def ids(self, places: Collection[int]) -> list[int]:
        known = sorted(self.rows)
        return [known[place] for place in sorted(places) if place < len(known)]

    @initialize()
    def begin(self) -> None:
        self.run(self.connections["operator"].execute("delete from notify.ent_notification"))
        self.insert(2)

    @rule(count=st.integers(1, 2))
    def insert(self, count: int) -> None:
        if len(self.rows) < 6:
            made = self.run(insert_notifications(self.connections["operator"], count))
            self.rows |= {each: Row() for each in made}

    # What each asks of the database.

    async def _claim(self, worker: str, ids: list[int]) -> dict[int, dict[str, Any]]:
        answer = await call(
            self.connections[worker],
            "claim_batch",
            p_enterprise_id=OURS,
            p_notification_ids=ids,
            p_claim_owner=worker,
            p_lease_seconds=3600,
            p_keyed=True,
        )
        return {found["id"]: found for found in answer["notifications"]}

    async def _record(self, worker: str, ids: list[int], status: str) -> set[int]:
        base = {each: f"xnovu.{OURS}.{each}" for each in ids}
        outcomes = [
            {"id": each, "status": "SENT", "transaction_id": base[each]}
            if status == "SENT"
            else {"id": each, "status": "FAILED", "error_details": {"code": "novu_refused", "message": "no"}}
            for each in ids
        ]
        answer = await call(
            self.connections[worker],
            "record_outcomes",
            p_enterprise_id=OURS,
            p_claim_owner=worker,
            p_outcomes=outcomes,
        )
        return set(answer["recorded"])

    async def _retract(self, ids: list[int]) -> dict[str, Any]:
        answer: dict[str, Any] = await call(
            self.connections["operator"],
            "retract_notifications",
            p_enterprise_id=OURS,
            p_notification_ids=ids,
            p_reason="withdrawn",
        )
        return answer

    def claimed(self, worker: str, won: dict[int, dict[str, Any]]) -> None:
        """What must be true of each that a claim won, of which none was anybody else's."""
        for each, found in won.items():
            row = self.rows[each]
            assert row.is_free_for(worker), f"{worker} claimed a row that was {row}"
            if row.unanswered:
                assert found["doubt_seconds"] is not None, f"{worker} does not know that Novu may have what was {row}"
            row.be_claimed(worker)
            assert (found["attempts"], found["chunks_sent"]) == (row.attempts, row.chunks_sent)

    # One at a time.

    @rule(worker=WORKER, places=CHOSEN)
    def claim(self, worker: str, places: set[int]) -> None:
        """A delivery, or a redelivery: the same owner may claim again what is not settled."""
        ids = self.ids(places)
        won = self.run(self._claim(worker, ids))
        assert set(won) == {each for each in ids if self.rows[each].is_free_for(worker)}
        self.claimed(worker, won)

    @rule(worker=WORKER, places=CHOSEN, chunks=st.integers(0, 3))
    def renew(self, worker: str, places: set[int], chunks: int) -> None:
        ids = self.ids(places)
        answer = self.run(
            call(
                self.connections[worker],
                "renew_claims",
                p_enterprise_id=OURS,
                p_claim_owner=worker,
                p_chunks_sent={str(each): chunks for each in ids},
                p_lease_seconds=3600,
            )
        )
        mine = [each for each in ids if self.rows[each].owner == worker and self.rows[each].status == "PROCESSING"]
        assert answer["held"] == mine
        for each in mine:
            self.rows[each].lapsed = False
            self.rows[each].chunks_sent = max(self.rows[each].chunks_sent, chunks)

    @rule(worker=WORKER, places=CHOSEN, put_off=st.booleans())
    def hold(self, worker: str, places: set[int], put_off: bool) -> None:
        """An attempt ends, every call answered; put off, the row is nobody's until later."""
        ids = self.ids(places)
        rows = [{"id": each, "answered": True, **({"put_off_seconds": 3600} if put_off else {})} for each in ids]
        answer = self.run(
            call(
                self.connections[worker],
                "hold_claims",
                p_enterprise_id=OURS,
                p_claim_owner=worker,
                p_rows=rows,
                p_lease_seconds=3600,
            )
        )
        mine = [each for each in ids if self.rows[each].owner == worker and self.rows[each].status == "PROCESSING"]
        assert answer["held"] == mine
        for each in mine:
            row = self.rows[each]
            row.lapsed = row.unanswered = False
            row.owner = None if put_off else worker

    @rule(worker=WORKER, places=CHOSEN, status=st.sampled_from(["SENT", "FAILED"]))
    def record(self, worker: str, places: set[int], status: str) -> None:
        """By whoever thinks that it delivered: only an open claim's owner is heard, also if its lease has lapsed."""
        ids = self.ids(places)
        recorded = self.run(self._record(worker, ids, status))
        for each in ids:
            row = self.rows[each]
            if row.is_open_for(worker):
                # One that is retracted takes the report, and does not say that it failed.
                says_so = status == "SENT" or row.status == "PROCESSING"
                assert (each in recorded) == says_so, f"what {worker} delivered was not recorded: {row}"
                row.be_recorded(status)
            elif each in recorded:  # said before
                assert row.owner == worker, f"{worker} recorded a row that was {row}"
                assert row.status in (status, "RETRACTED")
                assert not row.open

    @rule(places=CHOSEN)
    def lease_lapses(self, places: set[int]) -> None:
        ids = [each for each in self.ids(places) if self.rows[each].status == "PROCESSING"]
        statement = f"update notify.ent_notification set {LAPSED} where id = any($1)"
        self.run(self.connections["operator"].execute(statement, ids))
        for each in ids:
            self.rows[each].lapsed = True

    @rule(places=CHOSEN)
    def retract(self, places: set[int]) -> None:
        ids = self.ids(places)
        answer = self.run(self._retract(ids))
        assert answer["retracted"] == ids
        for each in ids:
            self.rows[each].be_retracted()

    @rule()
    def cancel(self) -> None:
        """Of each that went out and is retracted Novu is asked once."""
        ids = sorted(self.rows)
        operator = self.connections["operator"]
        asked = self.run(call(operator, "retractions_to_cancel", p_enterprise_id=OURS, p_notification_ids=ids))
        expected = {
            each
            for each, row in self.rows.items()
            if row.status == "RETRACTED"
            and not row.cancelled
            and (row.reached_novu or row.chunks_sent or row.open)
            and (not row.open or row.lapsed)
        }
        assert {each["id"] for each in asked} == expected
        answers = [
            {"id": each["id"], "transaction_id": each["transaction_id"], "cancellation": {"settled": each["settled"]}}
            for each in asked
        ]
        self.run(call(operator, "record_cancellations", p_enterprise_id=OURS, p_cancellations=answers))
        for each in expected:
            self.rows[each].cancelled = self.rows[each].reached_novu = True

    @rule()
    def replay(self) -> None:
        answer = self.run(
            call(
                self.connections["operator"],
                "replay_notifications",
                p_enterprise_id=OURS,
                p_since=None,
                p_code=None,
                p_limit=100,
                p_dry_run=False,
            )
        )
        failed = [each for each, row in sorted(self.rows.items()) if row.status == "FAILED"]
        assert sorted(answer["notification_ids"]) == failed
        for each in failed:
            row = self.rows[each]
            row.status, row.owner, row.open, row.lapsed = "PENDING", None, False, False

    # Two at once, on connections of their own: whichever is first, nothing is both's.

    @rule(places=CHOSEN)
    def claims_at_once(self, places: set[int]) -> None:
        ids = self.ids(places)
        claims = self.at_once(*(self._claim(worker, ids) for worker in WORKERS))
        owners: dict[int, list[str]] = {}
        for worker, won in zip(WORKERS, claims, strict=True):
            for each in won:
                owners.setdefault(each, []).append(worker)
        for each, winners in owners.items():
            assert len(winners) == 1, f"{each} has owners {winners}"
        for worker, won in zip(WORKERS, claims, strict=True):
            self.claimed(worker, won)

    @rule(worker=WORKER, places=CHOSEN)
    def claim_while_retracted(self, worker: str, places: set[int]) -> None:
        ids = self.ids(places)
        won, _ = self.at_once(self._claim(worker, ids), self._retract(ids))
        self.claimed(worker, won)
        for each in ids:
            self.rows[each].be_retracted()

    @rule(late=WORKER, new=WORKER, places=CHOSEN)
    def record_while_claimed(self, late: str, new: str, places: set[int]) -> None:
        """Whose lease has lapsed reports while another takes the row."""
        if late == new:
            return
        ids = self.ids(places)
        before = {each: self.rows[each].is_open_for(late) for each in ids}
        recorded, won = self.at_once(self._record(late, ids, "SENT"), self._claim(new, ids))
        for each in ids:
            if before[each] and each in recorded:
                assert each not in won, f"{each} is recorded by {late} and claimed by {new}"
                self.rows[each].be_recorded("SENT")
        self.claimed(new, won)

    @invariant()
    def every_row_is_what_it_must_be(self) -> None:
        columns = (
            "id, notification_status::text as status, claim_owner, attempts, chunks_sent, transaction_id,"
            " lease_expires_at is not null as open, cancellation is not null as cancelled"
        )
        for found in self.run(self.connections["operator"].fetch(f"select {columns} from notify.ent_notification")):
            row = self.rows[found["id"]]
            assert found["status"] == row.status
            assert found["claim_owner"] == row.owner
            assert (found["attempts"], found["chunks_sent"]) == (row.attempts, row.chunks_sent)
            assert found["open"] == row.open
            assert found["cancelled"] == row.cancelled
            assert (found["transaction_id"] is not None) == row.reached_novu
            assert row.status != "SENT" or (row.reached_novu and not row.open)
            assert row.status != "PENDING" or (row.owner is None and not row.open)
