"""`make chaos-mutants`: each lock is taken out in turn, and the ledger has to find out. No lock without its finding,
and none where nothing was taken out.

Locks in the database are taken out by functions defined anew in the test's own, those in processes by `mutated.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from tests.chaos.bed import running_bed
from tests.chaos.ledger import Finding
from tests.chaos.mutated import PATCHES
from tests.chaos.run import Outcome, Patience, run_seed

SEEDS = (59, 301, 368)
"""In whose first faults workers die or stand still with calls at Novu, Temporal's database is deleted, and rules are
fired by who was given up meanwhile: each lock is leant upon.
"""

ENTERPRISES = tuple(f"chaos-{number}" for number in range(20))
SECONDS, ROWS_PER_SECOND, RULES = 30.0, 60.0, 5
PATIENCE = Patience(late_after_seconds=60.0, give_up_after_seconds=60.0)
MOST_SHOWN = 5
RESULT = Path("build/chaos-mutants.json")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One lock, and what is left of it. `edits`: a pattern in the text of SQL functions, and what takes its place."""

    lock: str
    what: str
    functions: Sequence[str] = ()
    edits: Mapping[str, str] = field(default_factory=dict)
    heeds_idempotency: bool = False

    @property
    def is_control(self) -> bool:
        """Nothing is taken out: nothing may be found."""
        return not self.edits and not self.of_processes

    @property
    def of_processes(self) -> str:
        """Its name for `mutated.py`, where it is there."""
        return self.lock if self.lock in PATCHES else ""


TAKING = ("take_rows", "take_rows_of")
WRITING = ("write_outcomes",)

MUTANTS = (
    Mutant("workflow id", "the same for all rows, and a run that has ended counts for all"),
    Mutant(
        "claim",
        "rows of any status may be taken",
        TAKING,
        {r"n\.notification_status = 'PENDING'": "n.notification_status <> 'PROCESSING'"},
    ),
    Mutant(
        "lease",
        "never runs out",
        TAKING,
        {r"n\.lease_expires_at is null or n\.lease_expires_at <= now\(\)": "false"},
    ),
    Mutant(
        "owner guard in record",
        "anybody records, whatever the row is by now",
        WRITING,
        {
            r"and n\.claim_owner = p_claim_owner": "",
            r"and n\.lease_expires_at is not null": "",
            r"and n\.notification_status in \('PROCESSING', 'RETRACTED'\)": "",
        },
    ),
    Mutant("transaction id", "another one for each call", heeds_idempotency=True),
    Mutant("idempotency key", "another one for each call", heeds_idempotency=True),
    Mutant("sweep", "there is none"),
    Mutant("handed-over memory", "never forgets"),
    Mutant(
        "fire-once key",
        "another name for each firing, whatever has fired",
        ("fire_rules",),
        {
            r"'rule %s at %s', v_firing\.id,": "'rule %s at %s ' || gen_random_uuid(), v_firing.id,",
            r"and greatest\(p\.fired_through, r\.schedule_changed_at\) = f\.expected_fired_through": "",
        },
    ),
    Mutant(
        "cancellation guard",
        "what is retracted in flight becomes SENT",
        WRITING,
        {r"when n\.notification_status = 'RETRACTED' then (?=n\.notification_status)": "when false then "},
    ),
)


CONTROLS = (
    Mutant("none", "everything"),
    Mutant("none, and Novu heeds the key", "everything", heeds_idempotency=True),
)
"""As locks are taken out with a Novu that heeds the Idempotency-Key, and with one that does not."""


class NothingToTakeOut(Exception):
    """No function has the lock's text any more: the mutant is to be written anew."""


async def take_out(url: str, mutant: Mutant) -> None:
    """Define the functions anew in this database. Raises NothingToTakeOut."""
    connection = await asyncpg.connect(url)
    try:
        left = set(mutant.edits)
        for definition in await connection.fetch(
            "select pg_get_functiondef(p.oid) as text from pg_proc p"
            " where p.pronamespace = 'notify'::regnamespace and p.proname = any($1)",
            mutant.functions,
        ):
            text = definition["text"]
            for pattern, instead in mutant.edits.items():
                text, found = re.subn(pattern, instead, text)
                left -= {pattern} if found else set()
            await connection.execute(text)
        if left:
            raise NothingToTakeOut(f"{mutant.lock}: {sorted(left)}")
    finally:
        await connection.close()


async def _try(mutant: Mutant, seed: int) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="xnovu-chaos-", ignore_cleanup_errors=True) as directory:
        async with running_bed(
            Path(directory),
            ENTERPRISES,
            heeds_idempotency=mutant.heeds_idempotency,
            mutant=mutant.of_processes,
            before_ours=lambda stack: take_out(stack.postgres.url, mutant),
            answers_lost=0.05,
        ) as bed:
            return await run_seed(
                bed, seed, seconds=SECONDS, rows_per_second=ROWS_PER_SECOND, rules=RULES, patience=PATIENCE
            )


async def hunt(locks: Sequence[str]) -> bool:
    """Try these, or all and the controls, and print the table; True if each was found, and nothing in a control."""
    found: dict[str, object] = {}
    sys.stdout.write("| lock | what is left of it | found by | seed | how often |\n|---|---|---|---|---|\n")
    as_it_should_be = True
    for mutant in (each for each in (*CONTROLS, *MUTANTS) if not locks or each.lock in locks):
        counts: Counter[str] = Counter()
        seed = SEEDS[-1]
        for seed in SEEDS:
            outcome = await _try(mutant, seed)
            # What is late shows that the machine is busy. What stays open is lost, and that is another finding.
            counts = Counter(entry.finding.value for entry in outcome.faults if entry.finding is not Finding.LATE)
            if counts:
                _tell(outcome)
                break
        as_it_should_be &= bool(counts) is not mutant.is_control
        nothing = "nothing, as it should be" if mutant.is_control else "**not found**"
        by = ", ".join(f"{name} {count}" for name, count in counts.most_common()) or nothing
        sys.stdout.write(f"| {mutant.lock} | {mutant.what} | {by} | {seed} | {counts.total()} |\n")
        sys.stdout.flush()
        found[mutant.lock] = {"what": mutant.what, "seed": seed, "found": dict(counts)}
        _write(found)
    return as_it_should_be


def _tell(outcome: Outcome) -> None:
    shown = [entry for entry in outcome.faults if entry.finding is not Finding.LATE][:MOST_SHOWN]
    sys.stderr.writelines(f"seed {outcome.seed}: {entry.finding}: {entry.what}\n" for entry in shown)
    sys.stderr.flush()


def _write(found: Mapping[str, object]) -> None:
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def main() -> int:
    """Exit code 1 if the ledger misses one, or finds something where nothing was taken out."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.mutants", description=__doc__)
    parser.add_argument("--locks", default="", help="only these, with commas")
    options = parser.parse_args()
    return 0 if asyncio.run(hunt([lock for lock in options.locks.split(",") if lock])) else 1


if __name__ == "__main__":
    sys.exit(main())
