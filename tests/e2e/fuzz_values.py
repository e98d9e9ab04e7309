"""What anybody may write into a column, as SQL, each value with what it must lead to."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any


class Leads(Enum):
    """Where a value leads a row that is otherwise good."""

    TO_SENT = auto()
    TO_FAILED = auto()
    TO_EITHER = auto()
    NOWHERE = auto()
    """The row stays as it was written: a draft, a row of another status, one that waits for its time."""


@dataclass(frozen=True, slots=True)
class Value:
    """SQL for a column; `codes` are those that a refusal for its sake may bear."""

    sql: str
    leads: Leads = Leads.TO_SENT
    codes: frozenset[str] = frozenset()


TEMPLATE_CODES = frozenset(
    {
        *("template_not_found", "template_invalid", "template_undefined_variable", "template_wrong_channel"),
        *("template_include_cycle", "template_limit_exceeded"),
    }
)


def good(sql: str) -> Value:
    return Value(sql)


def bad(sql: str, *codes: str) -> Value:
    return Value(sql, Leads.TO_FAILED, frozenset(codes))


def either(sql: str, *codes: str) -> Value:
    return Value(sql, Leads.TO_EITHER, frozenset(codes))


def idle(sql: str) -> Value:
    return Value(sql, Leads.NOWHERE)


def quoted(text: str) -> str:
    """A literal; PostgreSQL takes every character but U+0000 and halves of surrogate pairs."""
    return "'" + text.replace("\x00", "").replace("'", "''") + "'"


def as_json(value: Any) -> str:
    return f"{quoted(json.dumps(value, ensure_ascii=False))}::jsonb"


def any_text(rng: random.Random, most: int = 40) -> str:
    alphabets: Sequence[Callable[[], str]] = (
        lambda: chr(rng.randrange(1, 128)),
        lambda: chr(rng.randrange(0x80, 0xD800)),
        lambda: chr(rng.randrange(0xE000, 0x110000)),
        lambda: rng.choice("'\"\\/%_{}[]<>&;,.:|$\u202e\u2028\ufeff\ufffe\x1b"),
        lambda: rng.choice(("{{", "}}", "{%", "%}", "../", "\r\n", "<script>", "null", "🙂")),
    )
    return "".join(rng.choice(alphabets)() for _ in range(rng.randrange(most)))


def any_json(rng: random.Random, depth: int = 0) -> Any:
    """Of every type and shape; within what a double and Novu's rules about attachments take."""
    kind = rng.randrange(9 if depth < 6 else 6)
    match kind:
        case 0:
            return rng.choice((None, True, False))
        case 1:
            return rng.choice((0, -1, 2**31, 2**53 + 1, -(2**63), 10**40, rng.randrange(10**9)))
        case 2:
            return rng.choice((0.1, -0.0, 1e300, 5e-324, rng.random()))
        case 3 | 4 | 5:
            return any_text(rng)
        case 6:
            return [any_json(rng, depth + 1) for _ in range(rng.randrange(5))]
        case _:
            return any_object(rng, depth + 1)


def any_object(rng: random.Random, depth: int = 0) -> dict[str, Any]:
    names = ("", "__proto__", "constructor", "payload", "rendered", "name", "order", "subscriberId", any_text(rng))
    return {rng.choice(names): any_json(rng, depth + 1) for _ in range(rng.randrange(6))}


SOON = "now() + interval '2 seconds'"
INSTANTS = (
    "'infinity'",
    "'-infinity'",
    "'294276-12-31 23:59:59.999999Z'",
    "'20000-01-01Z'",
    "'9999-12-31 23:59:59.999999Z'",
    "'4713-01-01 00:00Z BC'",
    "'0001-01-01 00:00Z'",
    "now()",
    "now() - interval '1 year'",
    "now() + interval '1 year'",
    "now() + interval '3 days'",
    "'1970-01-01Z'",
    "null",
)
DEEP = "(repeat('[', 1500) || repeat(']', 1500))::jsonb"
DEEP_OBJECT = "(repeat('{\"a\":', 1500) || '1' || repeat('}', 1500))::jsonb"
HUGE = "repeat('7', 5000)::jsonb"
HUGE_MEMBER = "jsonb_build_object('name', repeat('9', 400)::jsonb)"
FRACTION = "jsonb_build_object('name', (repeat('9', 400) || '.5')::jsonb)"
INTEGERS = ("0", "1", "-1", "2147483647", "-2147483648", "7")


def any_json_sql(rng: random.Random) -> str:
    """For columns whose content decides nothing."""
    return rng.choice((DEEP, DEEP_OBJECT, HUGE, HUGE_MEMBER, "null", as_json(any_json(rng)), as_json(any_object(rng))))


def payloads(rng: random.Random) -> Value:
    return rng.choice(
        (
            lambda: good(as_json(any_object(rng))),
            lambda: good(as_json({"text": any_text(rng, 4_000)})),
            lambda: good("jsonb_build_object('text', repeat('x', 400000))"),
            lambda: bad(
                as_json(rng.choice(([], [1, {"a": 2}], 7, 0.5, "text", "", True, None))),
                "payload_invalid",
            ),
            lambda: bad(DEEP, "row_unreadable"),
            lambda: bad(DEEP_OBJECT, "row_unreadable"),
            lambda: bad(HUGE, "row_unreadable"),
            lambda: bad(HUGE_MEMBER, "row_unreadable"),
            lambda: bad(FRACTION, "row_unreadable"),
            lambda: bad("jsonb_build_object('text', repeat('y', 600000))", "payload_too_large"),
            lambda: bad("to_jsonb(repeat('z', 3000000))", "payload_too_large"),
            lambda: bad("jsonb_build_object('t', repeat(chr(1), 300000))", "payload_too_large"),
            lambda: either(
                "(repeat('{\"a\":', 150) || '1' || repeat('}', 150))::jsonb", "payload_invalid", "novu_refused"
            ),
            lambda: either(f"jsonb_build_object('n', {'7' * 300})", "novu_refused", "payload_invalid"),
        )
    )()


def overrides(rng: random.Random) -> Value:
    return rng.choice(
        (
            lambda: good("null"),
            lambda: good("'null'"),
            lambda: good("'{}'"),
            lambda: either(as_json(any_object(rng)), "novu_refused", "payload_invalid"),
            lambda: bad(as_json(rng.choice(([], 1, "x", False))), "payload_invalid"),
            lambda: bad(as_json({"email": {"subject": "a\r\nb"}}), "payload_invalid"),
            lambda: bad(DEEP, "row_unreadable"),
            lambda: bad(HUGE_MEMBER, "row_unreadable"),
            lambda: bad("jsonb_build_object('a', repeat('z', 900000))", "payload_too_large"),
        )
    )()


def recipients(rng: random.Random) -> Value:
    refused = "invalid_recipients"
    return rng.choice(
        (
            lambda: good("'{ada,ada,grace@example.org}'"),
            lambda: good("(select array_agg('subscriber-' || i) from generate_series(1, 250) as i)"),
            lambda: good("'[7:8]={ada,grace}'"),
            lambda: bad("'{}'", refused),
            lambda: bad("'{NULL}'", refused),
            lambda: bad("'{ada,NULL,grace}'", refused),
            lambda: bad("'{{ada,grace},{alan,barbara}}'", refused),
            lambda: bad("'{\"\"}'", refused),
            lambda: bad(f"array[{quoted(any_text(rng) + ' ')}]", refused),
            lambda: bad("array[repeat('a', 5000000)]", refused),
            lambda: bad("array_fill('ada'::text, array[100001])", refused),
        )
    )()


def channels(rng: random.Random, *, dynamic: bool) -> Value:
    none = either("'{}'", "template_not_found") if dynamic else good("'{}'")
    return rng.choice(
        (
            none,
            Value("null", none.leads, none.codes),
            good("'[3:3]={EMAIL}'"),
            good("'{EMAIL,EMAIL,EMAIL}'"),
            good("'{IN_APP,EMAIL,SMS,CHAT,PUSH}'"),
            bad("'{NULL}'", "row_unreadable"),
            bad("'{EMAIL,NULL}'", "row_unreadable"),
            bad("'{EMAIL,FAX}'", "row_unreadable"),
            bad("'{{EMAIL,SMS},{PUSH,CHAT}}'", "row_unreadable"),
            bad("array_fill('EMAIL'::text, array[200])::notify.notification_channel_type[]", "row_unreadable"),
        )
    )


def scheduled_for(rng: random.Random) -> Value:
    never = [bad(instant, "row_unreadable") for instant in ("'infinity'", "'20000-01-01Z'", INSTANTS[2], INSTANTS[4])]
    past = [good(instant) for instant in ("'-infinity'", INSTANTS[5], INSTANTS[6], "now()", SOON)]
    return rng.choice([*never, *past, idle("now() + interval '1 year'"), idle("'9000-01-01Z'")])


def deliver_before(rng: random.Random) -> Value:
    late = [bad(instant, "expired") for instant in ("'-infinity'", INSTANTS[5], INSTANTS[6], "now()")]
    return rng.choice([*late, *map(good, ("'infinity'", INSTANTS[2], "'20000-01-01Z'", "now() + interval '1 hour'"))])


def chunks_sent(rng: random.Random) -> Value:
    wrong = [bad(number, "row_unreadable") for number in ("-1", "-2147483648", "2147483647", "7")]
    return rng.choice([*wrong, good("0"), good("1")])


def publish_status(rng: random.Random) -> Value:
    return idle(quoted(rng.choice(("NONE", "DRAFT", "DISCARD", "DELETED", "ARCHIVED"))))
