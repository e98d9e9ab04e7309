"""Calls that are refused: each gets the documented problem, and changes nothing."""

import json
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from functions.json_body import MAX_BODY_BYTES
from functions.problems import PROBLEM_MEDIA_TYPE
from functions.trigger_request import MAX_NOTIFICATION_IDS, MAX_RECIPIENTS
from tests.cloud_run.metadata import instance_of_a_service
from tests.contract.functions.bench import OPERATOR, TENANT, Bench, open_function
from tests.unit.functions.test_platform_identity import claims, token


def assert_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The answer is this problem object; returns it."""
    assert answer.headers["content-type"] == PROBLEM_MEDIA_TYPE
    problem: dict[str, Any] = answer.json()
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    return problem


@dataclass(frozen=True)
class Malformed:
    """A call's body, and what it is answered."""

    body: bytes
    code: str = "invalid_request"


def _body(**members: Any) -> bytes:
    valid = {"enterpriseId": "ours", "workflowKey": "key", "recipients": ["ada"], "payload": {}}
    return json.dumps({**valid, **members}).encode()


MALFORMED = {
    "empty": Malformed(b"", "invalid_json"),
    "no JSON": Malformed(b"{notificationId: 1}", "invalid_json"),
    "no UTF-8": Malformed(b'{"notificationId": "\xff"}', "invalid_json"),
    "NaN": Malformed(b'{"notificationId": NaN}', "invalid_json"),
    "infinite": Malformed(b'{"notificationId": 1e999}', "invalid_json"),
    "half a surrogate pair": Malformed(_body(recipients=["\ud800"]), "invalid_json"),
    "U+0000 in a value": Malformed(_body(payload={"a": ["\x00"]}), "invalid_json"),
    "U+0000 in a name": Malformed(_body(payload={"a\x00": 1}), "invalid_json"),
    "too deep": Malformed(b'{"payload": ' + b"[" * 5000 + b"]" * 5000 + b"}", "invalid_json"),
    "no object": Malformed(b"[42]"),
    "nothing asked": Malformed(b"{}"),
    "id as text": Malformed(b'{"notificationId": "42"}'),
    "id as boolean": Malformed(b'{"notificationId": true}'),
    "id of nobody": Malformed(b'{"notificationId": 0}'),
    "id too large": Malformed(b'{"notificationId": 9223372036854775808}'),
    "no ids": Malformed(b'{"notificationIds": []}'),
    "too many ids": Malformed(json.dumps({"notificationIds": list(range(1, MAX_NOTIFICATION_IDS + 2))}).encode()),
    "two requests in one": Malformed(_body(notificationId=42)),
    "unknown member": Malformed(_body(status="SENT")),
    "no recipients": Malformed(_body(recipients=[])),
    "blank recipient": Malformed(_body(recipients=[" "])),
    "too many recipients": Malformed(_body(recipients=["ada"] * (MAX_RECIPIENTS + 1))),
    "payload no object": Malformed(_body(payload=[])),
    "overrides no object": Malformed(_body(overrides="x")),
    "enterprise of other letters": Malformed(_body(enterpriseId="a/b")),
    "instant without offset": Malformed(_body(scheduledFor="2027-03-01T09:00:00")),
    "instant off the calendar": Malformed(_body(scheduledFor="2027-02-30T09:00:00Z")),
    "instant before time": Malformed(_body(scheduledFor="0001-01-01T00:00:00+23:00")),
    "instant as number": Malformed(_body(scheduledFor=1700000000)),
    "dry run as text": Malformed(_body(dryRun="true")),
}


@pytest.mark.parametrize("case", MALFORMED.values(), ids=MALFORMED)
async def test_a_malformed_body_is_refused(bench: Bench, case: Malformed) -> None:
    body = case.body.replace(b'"ours"', json.dumps(bench.ours.enterprise_id).encode())
    before = await bench.count()

    answer = await bench.trigger.post("/trigger", content=body, headers={**TENANT, "Content-Type": "application/json"})

    assert_problem(answer, 400, case.code)
    assert await bench.count() == before


async def test_a_refusal_names_the_members_that_are_wrong_and_quotes_none(bench: Bench) -> None:
    body = bench.new(recipients=["ada", 4711], payload="secret")

    answer = await bench.trigger.post("/trigger", json=body, headers=TENANT)

    problem = assert_problem(answer, 400, "invalid_request")
    assert [error["member"] for error in problem["errors"]] == ["recipients.1", "payload"]
    assert "4711" not in answer.text
    assert "secret" not in answer.text


async def test_a_body_too_large_is_refused_whether_it_says_its_length_or_not(bench: Bench) -> None:
    body = json.dumps(bench.new(payload={"text": "x" * MAX_BODY_BYTES})).encode()
    before = await bench.count()

    async def chunks() -> Any:
        for start in range(0, len(body), 10_000):
            yield body[start : start + 10_000]

    for content in (body, chunks()):
        answer = await bench.trigger.post(
            "/trigger", content=content, headers={**TENANT, "Content-Type": "application/json"}
        )
        assert_problem(answer, 413, "body_too_large")

    assert await bench.count() == before


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_another_media_type_is_refused(bench: Bench, media_type: str) -> None:
    answer = await bench.trigger.post("/trigger", content=b"{}", headers={**TENANT, "Content-Type": media_type})

    assert_problem(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_another_method_is_refused(bench: Bench, method: str) -> None:
    answer = await bench.trigger.request(method, "/trigger", headers=TENANT)

    assert_problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, HEAD, POST"


async def test_another_path_is_refused(bench: Bench) -> None:
    assert_problem(await bench.trigger.post("/trigger/42", headers=TENANT), 404, "path_not_found")


@pytest.mark.parametrize(
    "headers",
    [{}, {"X-Api-Key": ""}, {"X-Api-Key": "wrong"}, {"X-Api-Key": "ölkey"}, {"Authorization": "Bearer a.e30.c"}],
    ids=["none", "empty", "unknown", "not ASCII", "a token that nobody verified"],
)
async def test_an_unknown_caller_is_refused_before_the_body_is_read(bench: Bench, headers: dict[str, str]) -> None:
    before = await bench.count()

    sent = await bench.trigger.post("/trigger", content=b"not JSON", headers=httpx.Headers(headers, "latin-1"))

    assert_problem(sent, 401, "unauthenticated")
    assert "www-authenticate" in sent.headers
    assert await bench.count() == before


async def test_a_tenant_cannot_make_notifications_for_others(bench: Bench) -> None:
    before = await bench.count()

    answers = [
        await bench.trigger.post("/trigger", json=bench.new(enterpriseId=enterprise_id), headers=TENANT)
        for enterprise_id in (bench.theirs.enterprise_id, "nobody")
    ]

    for answer in answers:
        assert_problem(answer, 403, "enterprise_not_allowed")
    assert answers[0].text == answers[1].text
    assert await bench.count() == before


async def test_rows_of_others_and_rows_that_are_not_there_look_alike(bench: Bench) -> None:
    ours, theirs = await bench.insert(bench.ours), await bench.insert(bench.theirs)
    nobodys = await bench.connection.fetchval(
        "insert into notify.ent_notification (name, payload, recipients, publish_status)"
        " values (gen_random_uuid(), '{}', '{ada}', 'PUBLISH') returning id"
    )

    for missing in (theirs, nobodys, 2**62):
        answer = await bench.trigger.post("/trigger", json={"notificationIds": [ours, missing]}, headers=TENANT)
        problem = assert_problem(answer, 404, "notification_not_found")
        assert problem["notificationIds"] == [missing]
    for workflow_id in (
        f"notification-processing/{bench.theirs.enterprise_id}/{theirs}",
        f"notification-processing/{bench.ours.enterprise_id}/{ours}",
        "master-orchestration",
        f"cron-scheduling/{bench.ours.enterprise_id}",
        "x",
    ):
        answer = await bench.trigger.get("/trigger", params={"workflowId": workflow_id}, headers=TENANT)
        assert_problem(answer, 404, "run_not_found")


async def test_a_workflow_of_others_is_as_unknown_as_one_that_is_not_there(bench: Bench) -> None:
    theirs = await bench.connection.fetchval(
        "select workflow_key from notify.ent_notification_workflow where id = $1", bench.theirs.static
    )

    answers = [
        await bench.trigger.post(
            "/trigger", json=bench.new(workflowKey=key), headers={**TENANT, "Idempotency-Key": "k"}
        )
        for key in (theirs, "nothing")
    ]

    problems = [assert_problem(answer, 404, "workflow_not_found") for answer in answers]
    assert problems[0] == problems[1]
    assert (
        await bench.connection.fetchval(
            "select count(*) from notify.trigger_request where enterprise_id = $1", bench.ours.enterprise_id
        )
        == 0
    )


async def test_rows_of_several_enterprises_are_refused(bench: Bench) -> None:
    ids = [await bench.insert(bench.ours), await bench.insert(bench.theirs)]

    answer = await bench.trigger.post("/trigger", json={"notificationIds": ids}, headers=OPERATOR)

    assert_problem(answer, 400, "mixed_enterprises")


@pytest.mark.parametrize(
    ("assignment", "why"),
    [
        ("notification_status = 'FAILED'", "FAILED"),
        ("notification_status = 'RETRACTED'", "RETRACTED"),
        ("publish_status = 'DRAFT'", "NOT_PUBLISHED"),
        ("deactivated = true", "NOT_PUBLISHED"),
    ],
)
async def test_rows_that_cannot_be_sent_as_they_are_are_named(bench: Bench, assignment: str, why: str) -> None:
    row_id = await bench.insert(bench.ours)
    await bench.connection.execute(f"update notify.ent_notification set {assignment} where id = $1", row_id)

    answer = await bench.trigger.post("/trigger", json={"notificationId": row_id}, headers=TENANT)

    assert assert_problem(answer, 409, "not_sendable")["notifications"] == {str(row_id): why}


@pytest.mark.parametrize("key", ["", "two words", "x" * 256, "ö"])
async def test_a_key_that_is_none_is_refused(bench: Bench, key: str) -> None:
    before = await bench.count()

    answer = await bench.trigger.post(
        "/trigger",
        json=bench.new(),
        headers=httpx.Headers({**TENANT, "Idempotency-Key": key}, "latin-1"),
    )

    assert_problem(answer, 400, "invalid_idempotency_key")
    assert await bench.count() == before


@pytest.mark.parametrize("query", [{}, {"workflowId": ""}, {"workflowId": "x", "runId": "y"}, {"other": "x"}])
async def test_a_question_that_is_none_is_refused(bench: Bench, query: dict[str, str]) -> None:
    assert_problem(await bench.trigger.get("/trigger", params=query, headers=TENANT), 400, "invalid_request")


async def test_what_an_existing_projects_database_refuses_is_said(bench: Bench) -> None:
    await bench.connection.execute(
        "alter table notify.ent_notification add constraint probe check (not 'forbidden' = any(recipients)) not valid"
    )
    before = await bench.count()
    try:
        answer = await bench.trigger.post(
            "/trigger",
            json=bench.new(recipients=["forbidden"]),
            headers={**TENANT, "Idempotency-Key": "refused"},
        )
    finally:
        await bench.connection.execute("alter table notify.ent_notification drop constraint probe")

    assert_problem(answer, 400, "refused_by_database")
    assert await bench.count() == before


@pytest.mark.parametrize(
    ("headers", "caller"),
    [
        (token(claims()), "job@example.org"),
        (token(claims(), signature="c2lnbmF0dXJl"), None),
        (token(b"[" * 5_000), None),
        ({**token(claims()), "X-Api-Key": "wrong"}, None),
    ],
)
async def test_where_the_platform_verifies_callers_its_word_is_taken(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    audit_log: list[dict[str, Any]],
    headers: dict[str, str],
    caller: str | None,
) -> None:
    with instance_of_a_service() as cloud_run:
        environment = {**bench.environment, **cloud_run, "FUNCTIONS_TRUST_PLATFORM_IDENTITY": "true"}
        async with open_function("trigger", environment, monkeypatch) as trigger:
            answer = await trigger.get("/trigger", params={"workflowId": "x"}, headers=headers)

    if caller is None:
        assert_problem(answer, 401, "unauthenticated")
    else:
        assert_problem(answer, 404, "run_not_found")
    assert audit_log[-1]["caller"] == caller


async def test_strangers_above_their_common_rate_leave_no_line_and_take_nothing_from_callers(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, audit_log: list[dict[str, Any]]
) -> None:
    slow = {"FUNCTIONS_TRIGGER_CALLS_PER_SECOND": "0.01", "FUNCTIONS_TRIGGER_BURST": "2"}
    async with open_function("trigger", {**bench.environment, **slow}, monkeypatch) as trigger:
        unknown = [await trigger.post("/trigger", headers={"X-Api-Key": f"guess {number}"}) for number in range(5)]
        ours = await trigger.post("/trigger", json=bench.new(), headers=TENANT)

    assert [answer.status_code for answer in unknown] == [401, 401, 429, 429, 429]
    assert ours.status_code == 200
    assert [line["outcome"] for line in audit_log] == ["unauthenticated", "unauthenticated", "answered"]


async def test_every_call_leaves_an_audit_line_without_payload_recipients_or_keys(
    bench: Bench, audit_log: list[dict[str, Any]], capfd: pytest.CaptureFixture[str]
) -> None:
    body = bench.new(recipients=["secret-recipient"], payload={"secret-name": "secret-value"})

    made = await bench.trigger.post("/trigger", json=body, headers={**TENANT, "Idempotency-Key": "secret-key"})
    refused = await bench.trigger.post("/trigger", json={**body, "workflowKey": "unknown"}, headers=TENANT)
    unknown = await bench.trigger.post("/trigger", json=body, headers={"X-Api-Key": "secret"})

    assert [
        (line["caller"], line["action"], line["enterprise_id"], line["status"], line["outcome"]) for line in audit_log
    ] == [
        ("tenant", "create", bench.ours.enterprise_id, made.status_code, "answered"),
        ("tenant", "create", bench.ours.enterprise_id, refused.status_code, "workflow_not_found"),
        (None, None, None, unknown.status_code, "unauthenticated"),
    ]
    assert audit_log[0]["workflow_id"] == made.json()["workflowId"]
    assert audit_log[0]["notification_ids"] == made.json()["notificationIds"]
    assert "secret" not in "".join([*map(str, audit_log), *capfd.readouterr()])


WAYS = {
    "email": {
        "to": ["zanzibar@example.org"],
        "bcc": ["zanzibar@example.org"],
        "from": "zanzibar@example.org",
        "integrationIdentifier": "another",
    },
    "chat": {"webhookUrl": "https://zanzibar.example"},
}


async def test_a_tenant_may_override_words_and_an_operator_ways(bench: Bench) -> None:
    ways = bench.new(overrides=WAYS)
    words = bench.new(overrides={"email": {"subject": "Hello"}})

    refused = await bench.trigger.post("/", headers=TENANT, json=ways)
    before = await bench.count()
    taken = await bench.trigger.post("/", headers=TENANT, json=words)
    of_an_operator = await bench.trigger.post("/", headers=OPERATOR, json=ways)

    problem = assert_problem(refused, 403, "override_not_allowed")
    assert problem["overrides"] == ["email.to", "email.bcc", "email.from", "email.integrationIdentifier", "chat"]
    assert "zanzibar" not in refused.text
    assert (taken.status_code, of_an_operator.status_code) == (200, 200)
    assert await bench.count() == before + 2


@pytest.mark.parametrize("caller", [TENANT, OPERATOR])
async def test_nobody_breaks_a_line_of_a_mail_s_head(bench: Bench, caller: dict[str, str]) -> None:
    body = bench.new(overrides={"email": {"headers": {"X-Tag": "a\r\nBcc: zanzibar@example.org"}}})
    before = await bench.count()

    answer = await bench.trigger.post("/", headers=caller, json=body)

    assert assert_problem(answer, 400, "invalid_request")["errors"][0]["member"] == "overrides.email.headers.*"
    assert await bench.count() == before


async def test_recipients_that_novu_drops_are_refused_before_a_row_is_made(bench: Bench) -> None:
    before = await bench.count()

    answer = await bench.trigger.post("/", headers=TENANT, json=bench.new(recipients=["ada", "u 1", "u/1?x=2"]))

    assert assert_problem(answer, 400, "invalid_recipients")["recipients"] == [1, 2]
    assert await bench.count() == before
