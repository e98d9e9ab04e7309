"""Random rows, rules, templates and workflows of an enterprise, and what must become of each."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count

import asyncpg

from stack.sample_data import SampleEnterprise, sample_payload
from tests.e2e import fuzz_values as values
from tests.e2e.fuzz_values import TEMPLATE_CODES, Leads, Value, any_text, as_json, bad, either, good, idle, quoted

NEW_LABELS = {
    "notification_channel_type": "FAX",
    "notification_workflow_type": "CAROUSEL",
    "notification_status": "PAUSED",
    "publish_status": "ARCHIVED",
}
"""Labels that a later release, or the project itself, has given the database's types: our code knows none of them."""

REFUSES_SENT, SWALLOWS_SENT, REFUSES_CLAIM, SWALLOWS_CLAIM = (f"'{number:032}'::uuid" for number in range(1, 5))
"""What a row's `created_by` has the trigger do with an update of it."""

REFUSING_TRIGGER = f"""
create or replace function public.refuse_update() returns trigger language plpgsql as $body$
begin
    if new.notification_status = 'SENT' and old.created_by = {REFUSES_SENT}
        or new.notification_status = 'PROCESSING' and old.created_by = {REFUSES_CLAIM}
    then
        raise exception 'not %', old.payload using errcode = 'PT409';
    end if;
    if new.notification_status = 'SENT' and old.created_by = {SWALLOWS_SENT}
        or new.notification_status = 'PROCESSING' and old.created_by = {SWALLOWS_CLAIM}
    then
        return null;
    end if;
    return new;
end
$body$;
create or replace trigger refuse_update before update on notify.ent_notification
    for each row execute function public.refuse_update();
"""

SETTLED_LEASES = ("null", "now()", "'-infinity'", "'infinity'", "'20000-01-01Z'", "now() + interval '3 days'")

RULE_CONFIGS = {
    True: (
        '{"cron": "0 0 29 2 *"}',
        '{"cron": "0 0 29 2 *", "timezone": "Europe/Berlin", "catch_up": "all"}',
        '{"enabled": false, "cron": "* * * * * *"}',
    ),
    False: (
        *("null", "[]", "7", '"* * * * *"', "{}", '{"cron": 5}', '{"cron": ""}', '{"cron": "61 * * * *"}'),
        *('{"cron": "* * * * *", "timezone": "Mars/Base"}', '{"cron": "* * * * *", "timezone": "../../etc/passwd"}'),
        *('{"cron": "* * * * *", "enabled": "yes"}', '{"cron": "* * * * *", "catch_up": []}'),
        *('{"cron": "* * * * *", "tz": "UTC"}', '{"cron": ["* * * * *"]}', '{"cron": "0 0 31 2 *"}'),
    ),
}
UNREADABLE_CONFIGS = (
    values.DEEP,
    values.HUGE,
    "jsonb_build_object('cron', repeat('9', 5000)::jsonb)",
    "jsonb_build_object('cron', repeat('* ', 60000))",
    "to_jsonb(repeat('x', 3000000))",
    "null",
)
REFUSED_RULE_PAYLOADS = (
    *("null", "'[]'", "'{}'", "'{\"recipients\": []}'", '\'{"recipients": [["ada"]]}\'', '\'{"recipients": "ada"}\''),
    *('\'{"recipients": ["ada"], "payload": 7}\'', '\'{"recipients": ["ada"], "channels": ["PIGEON"]}\''),
    "jsonb_build_object('recipients', array['ada'], 'payload', jsonb_build_object('x', repeat('x', 6000000)))",
    values.DEEP,
)
TEMPLATE_BODIES = (
    *("", "{{ name }}", "{% if name %}", "{{", "{% xnovu_render 'nobody' %}", "{{ a.b.c.d }}", "{% raw %}"),
    *("{% for i in (1..9999999) %}x{% endfor %}", "{{ name | no_such_filter }}", "<script>alert(1)</script>"),
    "{% assign x = name %}{{ x }}",
)


@dataclass(frozen=True, slots=True)
class Row:
    """One row as SQL, by column, and what must become of it."""

    columns: Mapping[str, str]
    statuses: frozenset[str]
    codes: frozenset[str] = frozenset()

    @classmethod
    def of(cls, columns: Mapping[str, Value]) -> "Row":
        """The worst that any of its values leads to."""
        leads = {value.leads for value in columns.values()}
        codes = frozenset[str]().union(*(value.codes for value in columns.values()))
        if Leads.NOWHERE in leads:
            statuses, codes = {columns["notification_status"].sql.strip("'")}, frozenset()
        elif Leads.TO_FAILED in leads:
            statuses = {"FAILED"}
        elif Leads.TO_EITHER in leads:
            statuses = {"SENT", "FAILED"}
        else:
            statuses, codes = {"SENT"}, frozenset()
        return cls({name: value.sql for name, value in columns.items()}, frozenset(statuses), codes)


@dataclass(slots=True)
class Written:
    """What was written: rows by id, and rules by id with whether they must bear a `schedule_error`.

    Ids begin at `first_id`; those that the database gives meanwhile are smaller.
    """

    first_id: int
    good: dict[int, Row] = field(default_factory=dict)
    random: dict[int, Row] = field(default_factory=dict)
    rules: dict[int, bool] = field(default_factory=dict)
    firing_rules: list[int] = field(default_factory=list)
    _ids: Iterator[int] = field(init=False)
    _statements: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ids = count(self.first_id)

    @property
    def rows(self) -> dict[int, Row]:
        return self.good | self.random

    def insert(self, table: str, columns: Mapping[str, str]) -> int:
        """To be written with the next `flush`; returns the id, which may be among the columns."""
        columns = {"id": str(next(self._ids)), **columns}
        self._statements.append(
            f"insert into notify.{table} ({', '.join(columns)}) overriding system value"
            f" values ({', '.join(columns.values())})"
        )
        return int(columns["id"])

    def execute(self, statement: str) -> None:
        """With the next `flush`, in its place."""
        self._statements.append(statement)

    async def flush(self, connection: asyncpg.Connection) -> None:
        """Write what there is, in one transaction."""
        statements, self._statements = self._statements, []
        if statements:
            await connection.execute(";\n".join(statements))


async def make_strange(connection: asyncpg.Connection) -> None:
    """Give the types of a fresh database their NEW_LABELS, and its notifications the project's REFUSING_TRIGGER."""
    for name, label in NEW_LABELS.items():
        await connection.execute(f"alter type notify.{name} add value if not exists '{label}'")
    await connection.execute(REFUSING_TRIGGER)


def good_row(enterprise: SampleEnterprise, number: int) -> Row:
    dynamic = number % 2 == 1
    return Row.of(_base(enterprise, f"good {number}", dynamic=dynamic, number=number))


def random_row(rng: random.Random, enterprises: list[SampleEnterprise], name: str, big_id: int) -> Row:
    """A good row of which one to three columns, and any of those that decide nothing, are something else."""
    enterprise, other = rng.sample(enterprises, 2)
    dynamic = rng.random() < 0.3
    row = _base(enterprise, name, dynamic=dynamic, number=rng.randrange(1000))
    mutations = {
        "payload": lambda: values.payloads(rng),
        "overrides": lambda: values.overrides(rng),
        "recipients": lambda: values.recipients(rng),
        "channels": lambda: values.channels(rng, dynamic=dynamic),
        "scheduled_for": lambda: values.scheduled_for(rng),
        "deliver_before": lambda: values.deliver_before(rng),
        "chunks_sent": lambda: values.chunks_sent(rng),
        "publish_status": lambda: values.publish_status(rng),
        "deactivated": lambda: idle("true"),
        "notification_workflow_id": lambda: rng.choice(
            [bad("null", "workflow_not_found"), bad(str(other.static), "workflow_not_found")]
        ),
        "notification_status": lambda: rng.choice(
            [*map(idle, ("'SENT'", "'FAILED'", "'RETRACTED'", "'PAUSED'")), good("'PROCESSING'"), good("'PROCESSING'")]
        ),
        "enterprise_id": lambda: idle(
            rng.choice(["null", quoted(any_text(rng) + "?"), "''", quoted("é" * 500), "'fuzz-A'"])
        ),
        "id": lambda: good(str(rng.choice([big_id, -big_id]))),
        "created_by": lambda: rng.choice(
            [
                *(bad(it, "outcome_refused") for it in (REFUSES_SENT, SWALLOWS_SENT)),
                *(bad(it, "claim_refused") for it in (REFUSES_CLAIM, SWALLOWS_CLAIM)),
            ]
        ),
    }
    for column in rng.sample(sorted(mutations), rng.choice([1, 1, 1, 2, 3])):
        row[column] = mutations[column]()
        if column == "payload" and dynamic:
            value = row[column]
            if value.leads is not Leads.TO_FAILED:
                row[column] = either(value.sql, *value.codes, *TEMPLATE_CODES, "payload_too_large", "payload_invalid")
            elif "payload_too_large" in value.codes:  # it may lack what its template uses, which is seen before
                row[column] = bad(value.sql, *value.codes, *TEMPLATE_CODES)
    if rng.random() < 0.5:
        row |= _indifferent(rng)
    if row["notification_status"].sql == "'PROCESSING'":
        row["lease_expires_at"] = good(rng.choice(SETTLED_LEASES))
    return Row.of(row)


def write_rule(rng: random.Random, written: Written, rule: Mapping[str, str]) -> None:
    """A rule of any configuration; some with progress that no scheduler has made."""
    is_right = rng.random() < 0.3
    config = quoted(rng.choice(RULE_CONFIGS[is_right]))
    if not is_right and rng.random() < 0.5:
        config = rng.choice(UNREADABLE_CONFIGS)
    columns = {**rule, "trigger_config": config, "rule_payload": values.any_json_sql(rng)}
    if rng.random() < 0.1:
        is_right = False
        columns |= {"trigger_config": '\'{"cron": "* * * * * *"}\'', "rule_payload": rng.choice(REFUSED_RULE_PAYLOADS)}
    elif is_right:
        columns |= {"rule_payload": '\'{"recipients": ["ada"]}\'', "schedule_error": quoted(any_text(rng))}
    is_draft = rng.random() < 0.1
    if is_draft:
        columns |= {"publish_status": "'DRAFT'"}
    rule_id = written.insert("ent_notification_rule", columns)
    if rng.random() < 0.3:
        instant = rng.choice(values.INSTANTS[:-1])
        written.execute(f"insert into notify.rule_progress values ({rule_id}, {instant})")
        written.execute(f"update notify.ent_notification_rule set schedule_changed_at = {instant} where id = {rule_id}")
    if not is_draft:
        written.rules[rule_id] = not is_right


def write_template(rng: random.Random, written: Written, enterprise: SampleEnterprise, name: str) -> Row:
    """A template of any text, and a row whose workflow names it."""
    body = rng.choice(
        [
            *map(quoted, TEMPLATE_BODIES),
            quoted(any_text(rng, 400)),
            "repeat('x', 3000000)",
            "repeat('{{ name }}', 30000)",
        ]
    )
    template_id = written.insert(
        "ent_notification_template",
        {
            "name": quoted(name),
            "template_key": quoted(name + any_text(rng)),
            "enterprise_id": quoted(enterprise.enterprise_id),
            "publish_status": "'PUBLISH'",
            "channel_type": quoted(rng.choice(["EMAIL", "EMAIL", "EMAIL", "SMS", "FAX"])),
            "subject_template": rng.choice(["null", quoted(any_text(rng)), "'{{ name }}'", "repeat('s', 300000)"]),
            "body_template": body,
        },
    )
    references = rng.choice([{"emailTemplateId": template_id}, {"emailTemplateId": str(template_id)}])
    return _row_of_workflow(
        written, enterprise, name, {"workflow_type": "'DYNAMIC'", "template_overrides": as_json(references)}
    )


def write_workflow(rng: random.Random, written: Written, enterprise: SampleEnterprise, name: str) -> Row:
    """A workflow of any columns, and a row that names it."""
    return _row_of_workflow(
        written,
        enterprise,
        name,
        {
            "workflow_key": rng.choice(
                [quoted(name), quoted(name + any_text(rng)), f"{quoted(name)} || repeat('k', 2000)"]
            ),
            "workflow_type": quoted(rng.choice(["STATIC", "STATIC", "DYNAMIC", "DYNAMIC", "CAROUSEL"])),
            "default_channels": rng.choice(["null", "'{}'", "'{NULL}'", "'{{EMAIL,SMS}}'", "'{EMAIL}'", "'{FAX}'"]),
            "template_overrides": rng.choice(
                [values.any_json_sql(rng), "jsonb_build_object('emailTemplateId', repeat('t', 3000000))"]
            ),
            "payload_schema": values.any_json_sql(rng),
            "control_schema": values.any_json_sql(rng),
            "publish_status": rng.choice(["'PUBLISH'", "'PUBLISH'", "'DRAFT'", "'ARCHIVED'"]),
            "created_at": rng.choice(values.INSTANTS[:-1]),
        },
    )


def _row_of_workflow(written: Written, enterprise: SampleEnterprise, name: str, columns: Mapping[str, str]) -> Row:
    workflow = {
        "name": quoted(name),
        "workflow_key": quoted(name),
        "enterprise_id": quoted(enterprise.enterprise_id),
        "publish_status": "'PUBLISH'",
        **columns,
    }
    workflow_id = written.insert("ent_notification_workflow", workflow)
    refusals = (
        *TEMPLATE_CODES,
        *("row_unreadable", "workflow_not_found", "novu_refused", "payload_invalid", "payload_schema_invalid"),
    )
    return Row.of(
        {
            **_base(enterprise, name, dynamic=False, number=0),
            "notification_workflow_id": either(str(workflow_id), *refusals),
            "channels": good("'{EMAIL}'" if "template" in name else "null"),
        }
    )


def _base(enterprise: SampleEnterprise, name: str, *, dynamic: bool, number: int) -> dict[str, Value]:
    columns = {
        "name": quoted(name),
        "enterprise_id": quoted(enterprise.enterprise_id),
        "notification_workflow_id": str(enterprise.dynamic if dynamic else enterprise.static),
        "notification_status": "'PENDING'",
        "publish_status": "'PUBLISH'",
        "payload": as_json(sample_payload(number)),
        "recipients": "'{ada}'",
        "channels": "'{EMAIL}'",
    }
    return {column: good(sql) for column, sql in columns.items()}


def _indifferent(rng: random.Random) -> dict[str, Value]:
    """Columns that decide nothing, whatever they hold."""
    columns = {
        **{name: rng.choice(values.INSTANTS[:-1]) for name in ("created_at", "updated_at")},
        **{name: rng.choice(values.INSTANTS) for name in ("processed_at", "retracted_at", "lease_expires_at")},
        **{name: values.any_json_sql(rng) for name in ("error_details", "cancellation")},
        **{name: quoted(any_text(rng)) for name in ("description", "retraction_reason", "claim_owner")},
        "transaction_id": rng.choice(["null", quoted(any_text(rng)), "repeat('t', 100000)"]),
        "attempts": rng.choice(values.INTEGERS),
        "workflow_version": rng.choice(values.INTEGERS),
        "tags": rng.choice(["null", "'{}'", "'{NULL}'", "'{{a,b},{c,d}}'", f"array[{quoted(any_text(rng))}]"]),
        "business_id": rng.choice(["null", "gen_random_uuid()"]),
    }
    chosen = rng.sample(sorted(columns), rng.randrange(1, len(columns)))
    return {name: good(columns[name]) for name in chosen}
