"""The table of rules: what is to fire, and what has fired."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class CronRule:
    """One active CRON rule. `trigger_config` is whatever JSON its author wrote; `unreadable` why it is not sent along.

    Every instant up to `fired_through` is decided; `schedule_error` is why the rule could not fire when last tried.
    """

    id: int
    trigger_config: Any
    fired_through: datetime
    schedule_error: str | None
    unreadable: str | None = None


@dataclass(frozen=True, slots=True)
class CronRules:
    """An enterprise's active CRON rules, in id order, and the database's clock when it read them.

    `time_zone`: the enterprise's own, for rules that name none.
    """

    now: datetime
    rules: tuple[CronRule, ...]
    time_zone: str | None = None


@dataclass(frozen=True, slots=True)
class RuleFirings:
    """What was decided about one rule: the instants to fire, each of which becomes a notification.

    `decided_through` is the `now` of the CronRules decided upon, `expected_fired_through` the rule's `fired_through`
    there. `error` is why the rule cannot fire, for its author to see; None takes an earlier one back.
    """

    rule_id: int
    instants: tuple[datetime, ...]
    decided_through: datetime
    expected_fired_through: datetime
    error: str | None = None


@dataclass(frozen=True, slots=True)
class FiredRules:
    """`fired` rows were written, `already_fired` existed. Nothing was written for the rules in `skipped_rule_ids`:
    they have changed, or another scheduler was faster. `notification_ids` are those of the first 1,000 new rows. The
    rules of `unwritable_rule_ids` have fired, or not, and the database refused to have them say why.
    """

    fired: int
    already_fired: int
    skipped_rule_ids: tuple[int, ...]
    notification_ids: tuple[int, ...]
    unwritable_rule_ids: tuple[int, ...] = ()


class RuleStore(Protocol):
    """The table of rules. Both methods raise StoreUnavailable on a passing fault."""

    async def cron_rules(self, enterprise_id: str) -> CronRules:
        """The active CRON rules whose workflow is active too; those with `enabled: false` among them.

        For the scheduler alone: what is read counts as known to it.
        """
        ...

    async def fire_rules(
        self, enterprise_id: str, firings: Sequence[RuleFirings], *, next_due_at: datetime | None
    ) -> FiredRules:
        """Write the notifications of these instants and note that the scheduler has looked.

        Safe to repeat: an instant of a rule is one row. A rule whose payload cannot be sent gets an error instead.
        """
        ...
