"""What is wrong with an enterprise's templates, workflows and rules, all of them together, before they are written.

Templates are rendered by the worker's own code and limits, in its own child process; rules are asked of the scheduler's
own reading.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from cli.files.kinds import Entry, Kind
from cli.files.rows import Surroundings
from cli.files.samples import sample_variables
from shared.cron import CronExpression, CronSchedule, load_zone
from shared.notification.models import Channel, NovuWorkflow, Template, WorkflowType
from shared.notification.outcomes import Refusal, RefusalCode
from shared.notification.payload_rules import refused_member
from shared.suggestion import did_you_mean
from shared.supabase.claimed_batch import TEMPLATE_REFERENCES
from worker.render_pool.pool import RenderPool
from worker.rendering.request import RenderDelayed, RenderRequest
from worker.scheduling.rule_decision import DEFAULT_TIME_ZONE, decide, zone_of

LARGEST_SCHEMA_BYTES = 64 * 1024
PREVIEWED = 3
"""Firings of a rule."""

_RULE_PAYLOAD = ("recipients", "payload", "overrides", "channels")
_QUOTED = re.compile(r"""(['"])(.+?)\1""")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one of them. `column` is where; a remark (not `is_error`) hinders nothing. Two are equal
    whatever they suggest: that depends on what else there is.
    """

    kind: Kind
    identity: str
    column: str
    message: str
    is_error: bool = True
    hint: str = field(default="", compare=False)

    @property
    def text(self) -> str:
        return f"{self.message}: {self.hint}" if self.hint else self.message


class _State:
    """An enterprise as it is, or would be."""

    def __init__(self, enterprise_id: str, entries: Sequence[Entry]) -> None:
        self.enterprise_id = enterprise_id
        self.entries = [entry for entry in entries if not entry.is_deleted]
        self.templates = self._of(Kind.TEMPLATE)
        self.workflows = self._of(Kind.WORKFLOW)
        self._sources = {
            entry.identity: Template(
                number,
                entry.identity,
                entry.columns["channel_type"],
                entry.columns["subject_template"],
                entry.columns["body_template"],
            )
            for number, entry in enumerate(self.templates.values(), 1)
        }
        self._active = {key for key, entry in self.templates.items() if entry.is_active}

    def reached(self, roots: Sequence[str]) -> dict[str, Template]:
        """These and what they may include: whatever is quoted in them and has the name of an active one."""
        found: dict[str, Template] = {}
        waiting = [key for key in roots if key in self._sources]
        while waiting:
            key = waiting.pop()
            template = found[key] = self._sources[key]
            quoted = {match[2] for match in _QUOTED.finditer(f"{template.subject or ''} {template.body}")}
            waiting += [it for it in quoted if it in self._active and it not in found]
        return found

    def _of(self, kind: Kind) -> dict[str, Entry]:
        return {entry.identity: entry for entry in self.entries if entry.kind is kind}


async def find_faults(
    pool: RenderPool, enterprise_id: str, entries: Sequence[Entry], surroundings: Surroundings
) -> list[Fault]:
    """All of them. Raises RenderPoolUnavailable."""
    state = _State(enterprise_id, entries)
    faults = [fault for entry in state.entries for fault in _faults(entry, state, surroundings)]
    trials = [trial for entry in state.entries for trial in _trials(entry, state)]
    if trials:
        results = await pool.render([trial.request for trial in trials])
        for trial, result in zip(trials, results, strict=True):
            if isinstance(result, Refusal) and (fault := trial.judge(result)):
                faults.append(fault)
            elif isinstance(result, RenderDelayed):
                entry = trial.entry
                faults.append(Fault(entry.kind, entry.identity, trial.column, "costs too much to be rendered"))
    return faults


def coming_firings(entry: Entry, time_zone: str | None = None) -> list[str]:
    """The next instants at which an active CRON rule fires, in its own zone or else its enterprise's `time_zone`; none
    for what does not fire.
    """
    if entry.kind is not Kind.RULE or not entry.is_active or not is_cron(entry):
        return []
    now = datetime.now(UTC)
    config = entry.columns["trigger_config"]
    if decide(config, now, now, time_zone or DEFAULT_TIME_ZONE).next_due_at is None:
        return []
    schedule = CronSchedule(CronExpression.parse(config["cron"]), load_zone(zone_of(config, time_zone)))
    return [firing.local.isoformat() for firing in islice(schedule.after(now), PREVIEWED)]


def is_cron(entry: Entry) -> bool:
    """Whether the rule is one for the scheduler; it does not look at small and capital letters."""
    return (entry.columns["trigger_type"] or "").upper() == "CRON"


def _faults(entry: Entry, state: _State, surroundings: Surroundings) -> Iterator[Fault]:
    def fault(column: str, message: str, *, is_error: bool = True, hint: str = "") -> Fault:
        return Fault(entry.kind, entry.identity, column, message, is_error, hint)

    if entry.identity in surroundings.taken.get(entry.kind, ()):
        yield fault(entry.kind.identity, f"{entry.identity} is another enterprise's already, and keys are unique here")
    category = entry.columns.get("category")
    if category is not None and category not in surroundings.categories:
        known = surroundings.categories
        hint = did_you_mean(category, known) if known else "there are none: insert typ_notification_category first."
        yield fault("category", f"there is no category of code {category}", hint=hint)
    if entry.kind is Kind.WORKFLOW:
        yield from _workflow_faults(entry, state, fault)
    if entry.kind is Kind.RULE:
        yield from _rule_faults(entry, state, fault)


def _workflow_faults(entry: Entry, state: _State, fault: Callable[..., Fault]) -> Iterator[Fault]:
    schema = json.dumps(entry.columns["payload_schema"], ensure_ascii=False)
    if len(schema.encode()) > LARGEST_SCHEMA_BYTES:
        yield fault("payload_schema", f"payload_schema is larger than {LARGEST_SCHEMA_BYTES:,} bytes")
    overrides = entry.columns["template_overrides"] or {}
    slots = TEMPLATE_REFERENCES.values()
    for name in overrides:
        if name not in slots and re.sub("[^a-z]", "", name.lower()) in {slot.lower() for slot in slots}:
            yield fault("template_overrides", f"template_overrides has no {name}", hint=did_you_mean(name, slots))
    if entry.columns["workflow_type"] != WorkflowType.DYNAMIC:
        return
    for channel, slot in TEMPLATE_REFERENCES.items():
        reference = overrides.get(slot)
        if reference is None:
            continue
        template = state.templates.get(str(reference))
        if template is None:
            hint = did_you_mean(str(reference), state.templates) if state.templates else "there are none."
            yield fault("template_overrides", f"{slot}: there is no template {reference}", hint=hint)
        elif template.columns["channel_type"] != channel:
            of = template.columns["channel_type"]
            yield fault("template_overrides", f"{slot}: template {reference} is of channel {of}")
        elif entry.is_active and not template.is_active:
            yield fault("template_overrides", f"{slot}: template {reference} is not published, or deactivated")
    bare = [
        name
        for name in entry.columns["default_channels"] or ()
        if name not in TEMPLATE_REFERENCES or not overrides.get(TEMPLATE_REFERENCES[name])
    ]
    if bare:
        names = ", ".join(map(str, bare))
        yield fault("default_channels", f"default channel {names} has no template in template_overrides")


def _rule_faults(entry: Entry, state: _State, fault: Callable[..., Fault]) -> Iterator[Fault]:
    workflow = state.workflows.get(entry.columns["workflow"])
    if workflow is None:
        hint = did_you_mean(entry.columns["workflow"], state.workflows) if state.workflows else "there are none."
        yield fault("workflow", f"there is no workflow {entry.columns['workflow']}", hint=hint)
    elif entry.is_active and not workflow.is_active:
        yield fault("workflow", f"workflow {workflow.identity} is not published: the rule rests", is_error=False)
    if not is_cron(entry):
        return
    now = datetime.now(UTC)
    if error := decide(entry.columns["trigger_config"], now, now).error:
        yield fault("trigger_config", error)
    if problem := _rule_payload_problem(entry.columns["rule_payload"]):
        yield fault("rule_payload", problem)


def _rule_payload_problem(payload: Any) -> str | None:
    """What would be the rule's schedule_error at its first firing; a member that nobody reads, too."""
    if not isinstance(payload, dict):
        return 'rule_payload must be an object, such as {"recipients": ["ada"], "payload": {}}'
    for name in payload:
        if name not in _RULE_PAYLOAD:
            return f"rule_payload has no member {name}: {did_you_mean(name, _RULE_PAYLOAD)}"
    recipients = payload.get("recipients")
    if not isinstance(recipients, list) or not recipients or not all(it and isinstance(it, str) for it in recipients):
        return "rule_payload.recipients must be a list of subscriber ids, at least one"
    if not isinstance(payload.get("payload", {}), dict):
        return "rule_payload.payload must be an object"
    if not isinstance(payload.get("overrides") or {}, dict):
        return "rule_payload.overrides must be an object"
    channels = payload.get("channels")
    if channels is not None and not (isinstance(channels, list) and all(it in tuple(Channel) for it in channels)):
        return f"rule_payload.channels must be a list of {', '.join(Channel)}"
    return None


@dataclass(frozen=True, slots=True)
class _Trial:
    """Something to render, and what its refusal means."""

    entry: Entry
    column: str
    request: RenderRequest

    def judge(self, refusal: Refusal) -> Fault | None:
        entry = self.entry
        message, is_error = refusal.message, True
        match entry.kind, refusal.code:
            case Kind.WORKFLOW, code if code is not RefusalCode.PAYLOAD_SCHEMA_INVALID:
                return None  # it was tried with no payload at all
            case Kind.TEMPLATE, RefusalCode.TEMPLATE_UNDEFINED_VARIABLE:
                # Without any description nobody promised anything.
                is_error = entry.columns["variables_description"] is not None
                message += ": variables_description does not describe it"
        return Fault(entry.kind, entry.identity, self.column, message, is_error)


def _trials(entry: Entry, state: _State) -> Iterator[_Trial]:
    match entry.kind:
        case Kind.TEMPLATE:
            channel = (
                Channel(entry.columns["channel_type"]) if entry.columns["channel_type"] in tuple(Channel) else None
            )
            if channel is not None:
                workflow = NovuWorkflow(
                    entry.identity, WorkflowType.DYNAMIC, template_references={channel: entry.identity}
                )
                variables = sample_variables(entry.columns["variables_description"])
                yield _Trial(entry, "body_file", _request(state, workflow, [channel], variables))
        case Kind.WORKFLOW if entry.columns["payload_schema"] is not None:
            schema = json.dumps(entry.columns["payload_schema"], ensure_ascii=False)
            workflow = NovuWorkflow(entry.identity, WorkflowType.DYNAMIC, payload_schema=schema)
            yield _Trial(entry, "payload_schema", _request(state, workflow, [], {}))
        case Kind.RULE:
            yield from _rule_trials(entry, state)


def _rule_trials(entry: Entry, state: _State) -> Iterator[_Trial]:
    """What its first firing would render."""
    workflow = state.workflows.get(entry.columns["workflow"])
    payload = entry.columns["rule_payload"]
    if workflow is None or not workflow.is_active or _rule_payload_problem(payload) is not None:
        return
    variables = payload.get("payload", {})
    read = _novu_workflow(workflow)
    if not is_cron(entry) or refused_member(variables, read.type):
        return
    channels = payload.get("channels") or workflow.columns["default_channels"] or ["IN_APP"]
    yield _Trial(
        entry,
        "rule_payload",
        _request(
            state,
            read,
            [Channel(it) for it in channels if it in TEMPLATE_REFERENCES] if read.type is WorkflowType.DYNAMIC else [],
            variables,
        ),
    )


def _novu_workflow(entry: Entry) -> NovuWorkflow:
    overrides: Mapping[str, Any] = entry.columns["template_overrides"] or {}
    schema = entry.columns["payload_schema"]
    return NovuWorkflow(
        entry.identity,
        WorkflowType(entry.columns["workflow_type"]),
        template_references={
            channel: str(overrides[slot]) for channel, slot in TEMPLATE_REFERENCES.items() if overrides.get(slot)
        },
        payload_schema=None if schema is None else json.dumps(schema),
    )


def _request(
    state: _State, workflow: NovuWorkflow, channels: Sequence[Channel], variables: Mapping[str, Any]
) -> RenderRequest:
    templates = state.reached([*workflow.template_references.values()])
    return RenderRequest(state.enterprise_id, workflow, tuple(dict.fromkeys(channels)), templates, variables)
