"""What would have to be done at Novu: rows beside the list of workflows, read whole only where something changed."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cli.action import Action
from cli.novu.api import ListedWorkflow, NovuApi, NovuEnvironment, at_once
from cli.novu.desired import TAG, Desired, desired_workflow, united
from cli.novu.diff import Change, differences
from cli.novu.findings import Finding, find_in_document, integration_findings
from cli.novu.rows import Scope, WorkflowRows
from shared.notification.models import WorkflowType

ALL = "all"
"""As a key to adopt: whatever has the key of a row of ours."""

NOVU_CLOUD = "novu-cloud"
"""The origin of workflows that are kept by the interface; others are written in somebody's code."""

MOST_READ_FOR_ISSUES = 20
"""Unchanged workflows in which Novu finds issues are read for them, so many at most."""


@dataclass(frozen=True, slots=True)
class Step:
    """One workflow of the plan. `observed` is Novu's document where it was read."""

    key: str
    action: Action
    desired: Desired | None = None
    changes: tuple[Change, ...] = ()
    observed: Mapping[str, Any] | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """What the caller allows and asks for. `adopt` names keys, or `all`; `full` reads what has not changed, too."""

    scope: Scope = field(default_factory=Scope)
    adopt: frozenset[str] = frozenset()
    prune: bool = False
    full: bool = False

    def may_adopt(self, key: str) -> bool:
        """Whether what others have made under this key may be taken over."""
        return bool(self.adopt & {key, ALL})


@dataclass(slots=True)
class Plan:
    """For one environment. `elsewhere` counts workflows with our tag that this database knows nothing of."""

    environment: NovuEnvironment
    steps: list[Step] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    """Noted, of no row, and not at Novu either: to be forgotten."""
    elsewhere: int = 0

    def of(self, *actions: Action) -> list[Step]:
        return [step for step in self.steps if step.action in actions]

    @property
    def todo(self) -> list[Step]:
        return self.of(Action.CREATE, Action.UPDATE, Action.DELETE)


@dataclass(frozen=True, slots=True)
class Wanted:
    """By key: what we keep, and what is only looked at."""

    dynamic: Mapping[str, Desired]
    static: Collection[str]


async def make_plan(api: NovuApi, rows: WorkflowRows, wish: Wish) -> Plan:
    """Reads, and writes nothing. Raises NovuFailed and StoreUnavailable."""
    environment = await api.my_environment()
    ours = await read_wanted(rows, environment.id, wish.scope)
    left = await rows.left(environment.id) if wish.scope.enterprise_ids is None else []
    if not ours.dynamic and not ours.static and not left:
        return Plan(environment)  # nothing of ours: a Novu that shows no workflows would be asked in vain
    listed = {one.key: one for one in await api.list_workflows()}
    plan = Plan(environment)
    plan.steps = await at_once(lambda one: _step(api, one, listed.get(one.key), wish), ours.dynamic.values())
    plan.steps += [_left(key, wish) for key in left if key in listed and TAG in listed[key].tags]
    plan.gone = [key for key in left if key not in listed or TAG not in listed[key].tags]
    if wish.scope.enterprise_ids is None:
        known = {*ours.dynamic, *ours.static, *left}
        plan.elsewhere = sum(TAG in one.tags and one.key not in known for one in listed.values())
    plan.findings = [*static_findings(ours.static, listed), *await _findings(api, plan, listed)]
    return plan


async def read_wanted(rows: WorkflowRows, environment_id: str, scope: Scope) -> Wanted:
    """All that the rows ask for. Raises StoreUnavailable."""
    dynamic: dict[str, Desired] = {}
    static: list[str] = []
    async for row in rows.read(environment_id, scope):
        if row.type is WorkflowType.STATIC:
            static.append(row.key)
            continue
        desired = desired_workflow(row)
        dynamic[row.key] = united(dynamic[row.key], desired) if row.key in dynamic else desired
    return Wanted(dynamic, static)


async def _step(api: NovuApi, desired: Desired, listed: ListedWorkflow | None, wish: Wish) -> Step:
    key = desired.key
    if desired.flaw:
        return Step(key, Action.REFUSED, desired, reason=desired.flaw)
    if listed is None:
        return Step(key, Action.CREATE, desired)
    if listed.origin != NOVU_CLOUD:
        return Step(key, Action.REFUSED, desired, reason=f"it is written in code (origin {listed.origin})")
    if TAG not in listed.tags and not wish.may_adopt(key):
        return Step(key, Action.REFUSED, desired, reason=f"it is not kept by XNovu: --adopt {key} takes it over")
    if not wish.full and TAG in listed.tags and is_as_noted(desired, listed):
        return Step(key, Action.UNCHANGED, desired)
    observed = await api.find_workflow(key)
    if observed is None:
        return Step(key, Action.CREATE, desired)
    changes = tuple(differences(desired.body, observed))
    return Step(key, Action.UPDATE if changes else Action.UNCHANGED, desired, changes, observed)


def is_as_noted(desired: Desired, listed: ListedWorkflow) -> bool:
    """Whether neither our wish nor Novu's workflow has changed since we noted them."""
    noted = desired.noted
    return (
        noted is not None
        and noted.fingerprint == desired.fingerprint
        and noted.novu_updated_at == listed.updated_at != ""
    )


def _left(key: str, wish: Wish) -> Step:
    if wish.prune:
        return Step(key, Action.DELETE)
    return Step(key, Action.LEFT, reason="no active row has this key any more: --prune deletes it at Novu")


def static_findings(keys: Collection[str], listed: Mapping[str, ListedWorkflow]) -> list[Finding]:
    """Of a STATIC workflow everything is its owner's, but that it is there, and active."""
    found = []
    for key in keys:
        if key not in listed:
            found.append(Finding(key, "missing", "a STATIC workflow that Novu does not have", "make it in Novu."))
        elif listed[key].status == "INACTIVE":
            found.append(Finding(key, "inactive", "a STATIC workflow that is inactive at Novu", "activate it there."))
    return found


async def _findings(api: NovuApi, plan: Plan, listed: Mapping[str, ListedWorkflow]) -> list[Finding]:
    kept = [step for step in plan.steps if step.desired and not step.desired.flaw]
    wanted = [step.desired for step in kept if step.desired]
    found = [Finding(one.key, "remark", remark, "") for one in wanted for remark in one.remarks]
    found += await missing_integrations(api, plan.environment, wanted)
    documents = [step.observed for step in kept if step.observed and step.action is Action.UNCHANGED]
    unread = [
        step.key
        for step in kept
        if step.action is Action.UNCHANGED and not step.observed and listed[step.key].status == "ERROR"
    ]
    read = await at_once(api.find_workflow, unread[:MOST_READ_FOR_ISSUES])
    documents += [document for document in read if document is not None]
    for document in documents:
        found += find_in_document(document)
    if len(unread) > MOST_READ_FOR_ISSUES:
        text = f"Novu finds issues in {len(unread) - MOST_READ_FOR_ISSUES} more workflows"
        found.append(Finding(None, "issue", text, "mend these first, or see Novu's dashboard."))
    return found


async def missing_integrations(api: NovuApi, environment: NovuEnvironment, wanted: Sequence[Desired]) -> list[Finding]:
    """Channels of these workflows that nothing sends. Raises NovuFailed."""
    channels = Counter(channel for desired in wanted for channel in desired.channels)
    return integration_findings(environment.name, channels, await api.active_integrations()) if channels else []
