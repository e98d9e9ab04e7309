"""What would have to be written so that an enterprise has what its files say, and why it may not be."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cli.action import Action
from cli.files.directory import Directory, Problem
from cli.files.kinds import DELETED, Entry, Kind
from cli.files.rows import FileRows, Kept, Surroundings
from cli.files.validation import Fault, find_faults
from worker.render_pool.pool import RenderPool


@dataclass(frozen=True, slots=True)
class Change:
    """One column; `before` is None of what is created."""

    column: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Step:
    """One template, workflow or rule. `entry` is of its file, or the row where there is none."""

    action: Action
    entry: Entry
    row: Entry | None = None
    changes: tuple[Change, ...] = ()

    def as_change(self) -> Mapping[str, Any]:
        """As `notify.apply_files` wants it."""
        columns = {change.column: change.after for change in self.changes}
        return {"kind": self.entry.kind.value, "id": None if self.row is None else self.row.id, "columns": columns}


@dataclass(slots=True)
class EnterprisePlan:
    """For one enterprise. `seen` is what it was planned on; `problems` hinder, `remarks` do not."""

    enterprise_id: str
    seen: str
    steps: list[Step] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    time_zone: str | None = None

    def of(self, *actions: Action) -> list[Step]:
        return [step for step in self.steps if step.action in actions]

    @property
    def todo(self) -> list[Step]:
        """In the order in which they are written: what is named before what names it, what is taken away last."""
        order = (Action.CREATE, Action.UPDATE, Action.DELETE)
        return sorted(self.of(*order), key=lambda step: (step.action is Action.DELETE, [*Kind].index(step.entry.kind)))


async def plan_enterprise(
    rows: FileRows, pool: RenderPool, enterprise_id: str, directory: Directory, *, prune: bool
) -> EnterprisePlan:
    """Reads, and writes nothing. Raises StoreUnavailable and RenderPoolUnavailable."""
    plan = EnterprisePlan(enterprise_id, await rows.seen(enterprise_id))
    files = directory.enterprises[enterprise_id]
    kept = (await rows.read([enterprise_id])).get(enterprise_id, Kept())
    plan.remarks += [f"left out: {reason}" for reason in kept.left_out]
    by_identity: dict[tuple[Kind, str], Entry] = {}
    for entry in kept.entries:
        # Where a project lets rows share a key, the one that is not deleted is meant; of two such none can be.
        other = by_identity.get((entry.kind, entry.identity))
        if other is None or other.is_deleted:
            by_identity[entry.kind, entry.identity] = entry
        elif not entry.is_deleted:
            plan.remarks.append(f"several rows are {entry.subject}: the one of id {other.id} is meant")
    plan.steps = [_step(entry, by_identity.get((entry.kind, entry.identity))) for entry in files]
    named = {(entry.kind, entry.identity) for entry in files}
    action = Action.DELETE if prune else Action.LEFT
    plan.steps += [
        Step(action, row, row, (Change("publish_status", row.columns["publish_status"], DELETED),) if prune else ())
        for key, row in by_identity.items()
        if key not in named and not row.is_deleted
    ]
    if any(step.entry.kind is Kind.RULE for step in plan.steps):
        plan.time_zone = (await rows.time_zones([enterprise_id])).get(enterprise_id)
    before = [*by_identity.values()]
    surroundings = await rows.surroundings(enterprise_id, files)
    await _judge(plan, pool, before, surroundings, directory)
    return plan


def _step(entry: Entry, row: Entry | None) -> Step:
    if row is None:
        changes = tuple(Change(column, None, entry.columns[column]) for column in entry.kind.columns)
        return Step(Action.CREATE, entry, None, changes)
    changes = tuple(
        Change(column, row.columns[column], entry.columns[column])
        for column in entry.kind.columns
        if canonical(row.columns[column]) != canonical(entry.columns[column])
    )
    action = (Action.CREATE if row.is_deleted else Action.UPDATE) if changes else Action.UNCHANGED
    return Step(action, entry, row, changes)


def canonical(value: Any) -> str:
    """Equal for what is equal as JSON: 1 and true are not."""
    return json.dumps(value, sort_keys=True)


async def _judge(
    plan: EnterprisePlan, pool: RenderPool, before: Sequence[Entry], surroundings: Surroundings, directory: Directory
) -> None:
    """Faults of what is written hinder, and of what is not if they are new: nothing may become worse than it is."""
    after = [step.entry for step in plan.steps if step.action is not Action.DELETE]
    faults = await find_faults(pool, plan.enterprise_id, after, surroundings)
    gone = [entry for entry in before if entry.is_deleted] + [step.entry for step in plan.of(Action.DELETE)]
    faults += _shared_names(after, gone)
    written = {(step.entry.kind, step.entry.identity) for step in plan.todo}
    untouched = [fault for fault in faults if (fault.kind, fault.identity) not in written]
    known: set[Fault] = set()
    if untouched:
        known = {*await find_faults(pool, plan.enterprise_id, before, surroundings)}
    files = {(step.entry.kind, step.entry.identity): step.entry.file for step in plan.steps}
    for fault in faults:
        file = files[fault.kind, fault.identity]
        hinders = fault.is_error and not (fault in known and fault in untouched)
        if not hinders and fault not in untouched:
            plan.remarks.append(f"{fault.kind.value} {fault.identity}: {fault.text}")
        elif not hinders and fault.is_error:
            plan.remarks.append(f"{fault.kind.value} {fault.identity}, as it is already: {fault.text}")
        elif hinders:
            where = file or f"{plan.enterprise_id}: {fault.kind.value} {fault.identity}"
            line = None if file is None else directory.documents[file].line((fault.column,))
            plan.problems.append(Problem(where, line, fault.text))


def _shared_names(after: Sequence[Entry], gone: Sequence[Entry]) -> list[Fault]:
    """A name is one row's, and stays with what is deleted."""
    held: dict[tuple[Kind, str], Entry] = {}
    named = {(entry.kind, entry.identity) for entry in after}
    held_on = [entry for entry in gone if (entry.kind, entry.identity) not in named]
    for entry in [*held_on, *after]:
        held.setdefault((entry.kind, entry.columns["name"]), entry)
    return [
        Fault(
            entry.kind,
            entry.identity,
            "name",
            f"the name {entry.columns['name']!r} is that of {other.subject}"
            + (", which is deleted: choose another, or rename that row" if other in held_on else ""),
        )
        for entry in after
        if (other := held[entry.kind, entry.columns["name"]]).identity != entry.identity
    ]
