"""How the sink behaves: which Novu it is, on which plan, how slow, and what it does wrong. Changed while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, le=86_400)]
Range = tuple[Seconds, Seconds]
"""Seconds from, to; each time a number between is drawn."""
Channel = Literal["email", "in_app", "sms", "push", "chat"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WorkerSettings(_Part):
    """Between `processed` and the messages. `storing_seconds` passes between looking for a duplicate and being one."""

    delay_seconds: Range = (0, 0)
    storing_seconds: Seconds = 0.02
    paused: bool = False
    on_time: bool = False
    """Steps run when they are due. Otherwise while no request comes in, and whenever somebody looks."""


class AnswerSettings(_Part):
    """Of the event endpoints' answers. A lost one is lost after everything was taken."""

    delay_seconds: Range = (0, 0)
    lost_share: Share = 0
    lost_by: Literal["reset", "silence"] = "reset"
    """The connection is reset, or stays open and silent until the caller gives up."""


class ActivitySettings(_Part):
    """`retention_hours` null: what the plan keeps. Entries show `delay_seconds` late."""

    retention_hours: float | None = Field(default=None, gt=0)
    delay_seconds: Seconds = 0


class ProviderFault(_Part):
    """Sending fails for those it concerns: `times` times, or null: for good; `share` of them, always the same ones."""

    channel: Channel | None = None
    subscriber: str | None = None
    workflow: str | None = None
    share: Share = 1
    times: int | None = Field(default=None, ge=1)
    raw: str = "451 4.7.1 Try again later"


class WebhookSettings(_Part):
    """Where message events go, and what goes wrong on the way."""

    url: str | None = None
    secret: str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    duplicate_share: Share = 0
    reorder_share: Share = 0
    lose_share: Share = 0
    retry_seconds: tuple[Seconds, ...] = (0, 5, 300, 1800, 7200, 18000, 36000, 36000)
    timeout_seconds: float = Field(default=15, gt=0)
    disabled_after_seconds: float = Field(default=5 * 86_400, gt=0)
    """Of nothing but failures."""
    missing_address_fails: bool = False
    """Whether a missing address is told as message.failed: nobody has seen Novu do either."""
    chat_failures_as_sent: bool = True
    """A failed chat message is told as message.sent with an `error`."""


class Settings(_Part):
    """Everything at once. The defaults are today's Novu without limits, fast."""

    generation: Literal["2024", "current"] = "current"
    plan: Literal["free", "pro", "team", "enterprise", "unlimited"] = "unlimited"
    unknown_workflows: Literal["refuse", "make"] = "refuse"
    """`make`: the first trigger of an unknown workflow makes a sample one, as if it had been there."""
    workflow_identifiers: Literal["kept", "derived"] = "kept"
    """`derived`: POST ignores `workflowId`, as before August 2025."""
    workflows_allowed: Annotated[int, Field(ge=0)] | None = None
    """In an environment; null: as many as the plan allows."""
    workflow_lag_seconds: Seconds = 0
    """For so long after it was made, triggers do not find a workflow."""
    cancelling: Literal["held_back", "all_taken"] = "held_back"
    """`all_taken`: cancelling finds whatever was taken, which Novu never does."""
    addresses: Literal["required", "assumed"] = "required"
    """`assumed`: who has no address or credentials gets one made up."""
    check_recipients: bool = False
    """Novu's check of subscriber ids: off, as its dry run is; on, wrong ids are dropped."""
    idempotency: bool = False
    api_keys: tuple[Annotated[str, Field(min_length=1)], ...] | None = None
    """Of Development; null: the one that the sink was started with. Novu has one; two are for the moment between."""
    payment: Literal["ok", "events_used_up", "paused"] = "ok"
    kill_switch: bool = False
    tenants: tuple[str, ...] = ()
    trace_url: Annotated[str, Field(pattern="^https?://")] | None = None
    """With a transaction id behind it, where the inbox's links lead."""
    answers: AnswerSettings = AnswerSettings()
    worker: WorkerSettings = WorkerSettings()
    activity: ActivitySettings = ActivitySettings()
    provider_faults: tuple[ProviderFault, ...] = ()
    webhooks: WebhookSettings = WebhookSettings()
    seed: int = 20261128
    """Of everything drawn at random."""

    @model_validator(mode="after")
    def _ranges_run_forward(self) -> Settings:
        for name, (low, high) in {
            "answers.delay_seconds": self.answers.delay_seconds,
            "worker.delay_seconds": self.worker.delay_seconds,
        }.items():
            if low > high:
                raise ValueError(f"{name}: the first number must not be above the second")
        return self

    def changed(self, changes: Mapping[str, Any]) -> Settings:
        """These settings with some of them replaced, as deep as the changes go.

        Raises:
            ValidationError: a change names no setting, or has a value that is none of its.
        """
        return Settings.model_validate(_merge(self.model_dump(), changes))


def _merge(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(old)
    for name, value in new.items():
        before = merged.get(name)
        merged[name] = _merge(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return merged
