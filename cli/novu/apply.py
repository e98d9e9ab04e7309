"""Carries out a plan: what it does may be done again, by anybody, at any time, and ends in the same state."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from cli.action import Action
from cli.novu.api import NovuApi, NovuFailed, at_once
from cli.novu.desired import TAG, Desired, channels_of_types
from cli.novu.diff import differences, put_body
from cli.novu.findings import Finding, find_in_document
from cli.novu.plan import Plan, Step, Wish
from cli.novu.rows import Noted, WorkflowRows

NOTE_EVERY = 50
"""So many workflows are lost from the notes, and read again next time, where an apply is killed."""

UNMET = "-"
"""A fingerprint of nothing: what is noted with it is read again."""

Done = Callable[[Step], None]
"""Is told of each step that is carried out."""


@dataclass(slots=True)
class Applied:
    """What became of the steps: those done, why others were not, and what Novu finds in what it was given."""

    done: list[Step] = field(default_factory=list)
    failed: dict[str, NovuFailed] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


class Applying:
    """One application of one plan. Raises StoreUnavailable; what Novu refuses is in the result."""

    def __init__(self, api: NovuApi, rows: WorkflowRows, plan: Plan, wish: Wish, *, done: Done):
        self._api = api
        self._rows = rows
        self._plan = plan
        self._wish = wish
        self._tell = done
        self._result = Applied()
        self._noted: dict[str, Noted] = {}
        self._full: NovuFailed | None = None

    async def run(self) -> Applied:
        """Every step that can be done is; then what is known is noted."""
        environment_id = self._plan.environment.id
        forget = list(self._plan.gone)
        for step in self._plan.of(Action.UNCHANGED):
            if step.desired and step.observed:
                self._noted[step.key] = noted_of(step.desired, step.observed)
        try:
            await at_once(self._attempt, self._plan.todo)
        finally:
            await self._write_notes()
        forget += [step.key for step in self._result.done if step.action is Action.DELETE]
        await self._rows.forget(environment_id, forget)
        return self._result

    async def _attempt(self, step: Step) -> None:
        try:
            if step.desired is None:
                await self._api.delete_workflow(step.key)
            else:
                document = await self._keep(step, step.desired)
                self._noted[step.key] = noted_of(step.desired, document)
                self._result.findings += find_in_document(document)
        except NovuFailed as failed:
            self._result.failed[step.key] = failed
            return
        self._result.done.append(step)
        self._tell(step)
        if len(self._noted) >= NOTE_EVERY:
            await self._write_notes()

    async def _write_notes(self) -> None:
        noted, self._noted = self._noted, {}
        await self._rows.note(self._plan.environment.id, noted)

    async def _keep(self, step: Step, desired: Desired) -> dict[str, Any]:
        if step.observed is not None:
            try:
                return await self._api.replace_workflow(step.key, put_body(desired.body, step.observed))
            except NovuFailed as failed:
                if failed.status != HTTPStatus.NOT_FOUND:
                    raise  # deleted meanwhile: made anew
        return await self._create(desired)

    async def _create(self, desired: Desired) -> dict[str, Any]:
        """Raises NovuFailed. Where somebody else was faster, theirs is brought to what we want."""
        if self._full:
            raise self._full
        try:
            made = await self._api.create_workflow(desired.key, desired.body)
        except NovuFailed as failed:
            if failed.status not in (HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY):
                raise
            there = await self._api.find_workflow(desired.key)
            if there is None:
                if "limit" in str(failed).lower():
                    self._full = failed  # the plan's: the others would be told the same
                raise
            return await self._overtaken(desired, there)
        identifier = str(made.get("workflowId"))
        if identifier == desired.key:
            return made
        await self._api.delete_workflow(identifier)
        there = await self._api.find_workflow(desired.key)
        if there is not None:
            return await self._overtaken(desired, there)
        raise NovuFailed(
            f"this Novu chose the identifier {identifier} by itself; what was made is deleted again",
            status=HTTPStatus.OK,
            hint=f"update Novu, or give the row a name that becomes {desired.key}.",
        )

    async def _overtaken(self, desired: Desired, there: Mapping[str, Any]) -> dict[str, Any]:
        if TAG not in (there.get("tags") or []) and not self._wish.may_adopt(desired.key):
            hint = f"--adopt {desired.key} takes it over."
            raise NovuFailed("somebody else has made it meanwhile", status=HTTPStatus.CONFLICT, hint=hint)
        if not differences(desired.body, there):
            return dict(there)
        return await self._api.replace_workflow(desired.key, put_body(desired.body, there))


def noted_of(desired: Desired, document: Mapping[str, Any]) -> Noted:
    """What the document says of the workflow; nothing that was wished, where it is otherwise than that."""
    as_wished = not differences(desired.body, document)
    return Noted(
        fingerprint=desired.fingerprint if as_wished else UNMET,
        novu_updated_at=str(document.get("updatedAt") or ""),
        channels=channels_of_types([str(step.get("type")) for step in document.get("steps") or []]),
    )
