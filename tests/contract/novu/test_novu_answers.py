"""What Novu's event endpoints answer, case by case, in both of its generations. The sink says the same."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.contract.novu.events import event_body
from tests.contract.novu.sink_process import SECRET_KEY, SinkProcess

TOO_MUCH = "x" * (512 * 1024)
GENERATIONS = ["2024", "current"]


@pytest.mark.parametrize(
    ("authorization", "message", "error"),
    [
        (None, "Missing authorization header", "Unauthorized"),
        ("ApiKey another-key", "API Key not found", "Unauthorized"),
        ("ApiKey", "Unauthorized", None),
        (f"Bearer {SECRET_KEY}", "Unauthorized", None),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/events/trigger"),
        ("DELETE", "/v1/events/trigger/t1"),
        ("GET", "/v1/environments"),
        ("GET", "/v2/workflows/x"),
    ],
)
def test_without_the_right_key_everything_is_401(
    sink: SinkProcess, method: str, path: str, authorization: str | None, message: str, error: str | None
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}

    answer = sink.client.request(method, path, headers=headers)

    assert (answer.status_code, answer.json()["message"], answer.json().get("error")) == (401, message, error)


def test_once_the_key_was_replaced_only_the_new_one_is_known(sink: SinkProcess) -> None:
    def answered(key: str) -> tuple[int, str | None]:
        answer = sink.client.delete("/v1/events/trigger/t1", headers={"Authorization": f"ApiKey {key}"})
        return answer.status_code, answer.json().get("message")

    sink.settings(api_keys=["the-new-one"])

    assert answered(SECRET_KEY) == (401, "API Key not found")
    assert answered("the-new-one") == (200, None)


async def test_an_endpoint_closed_to_keys_is_401_with_the_right_key(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    sink.settings(generation="2024")

    for method, path in [("GET", "/v2/workflows"), ("POST", "/v2/workflows"), ("PUT", "/v2/workflows/welcome")]:
        answer = await api.request(method, path)
        assert (answer.status_code, answer.json()["message"]) == (401, "API endpoint not available")


async def test_another_environment_than_the_keys_is_403(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    production, development = sink.environment("Production")["id"], sink.environment("Development")["id"]

    theirs = await api.post(f"/v1/events/trigger?environmentId={production}", json=event_body())
    ours = await api.post(f"/v1/events/trigger?environmentId={development}", json=event_body())

    assert (theirs.status_code, ours.status_code) == (403, 201)
    assert "scoped to a single environment" in theirs.json()["message"]


@pytest.mark.parametrize(
    ("payment", "members"),
    [
        ("events_used_up", {"message": "API rate limit exceeded"}),
        ("paused", {"error": "Payment required", "status": 402}),
    ],
)
async def test_a_used_up_or_paused_plan_is_402_for_triggers_alone(
    api: httpx.AsyncClient, sink: SinkProcess, payment: str, members: dict[str, Any]
) -> None:
    sink.settings(payment=payment)

    answer = await api.post("/v1/events/trigger", json=event_body())
    others = await api.get("/v1/notifications")

    assert answer.status_code == 402
    assert "X-QuotaLimit-Limit" in answer.headers
    assert answer.json().items() >= members.items()
    assert others.status_code == 200


async def test_the_kill_switch_is_503(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    sink.settings(kill_switch=True)

    assert (await api.post("/v1/events/trigger", json=event_body())).status_code == 503


@pytest.mark.parametrize("name", ["nowhere", ""])
async def test_an_unknown_or_empty_workflow_is_422_alone_and_an_item_in_bulk(api: httpx.AsyncClient, name: str) -> None:
    single = await api.post("/v1/events/trigger", json=event_body(name=name))
    bulk = await api.post("/v1/events/trigger/bulk", json={"events": [event_body(name=name)]})

    assert (single.status_code, single.json()["message"]) == (422, "workflow_not_found")
    assert bulk.status_code == 201
    [item] = bulk.json()["data"]
    assert item.items() >= {"acknowledged": True, "status": "error", "error": ["workflow_not_found"]}.items()


@pytest.mark.parametrize("generation", GENERATIONS)
async def test_an_inactive_workflow_is_acknowledged(api: httpx.AsyncClient, sink: SinkProcess, generation: str) -> None:
    await api.patch("/v2/workflows/welcome", json={"active": False})
    sink.settings(generation=generation)

    answer = await api.post("/v1/events/trigger", json=event_body())

    assert (answer.status_code, answer.json()["data"]["status"]) == (201, "trigger_not_active")
    assert sink.truth()["people"] == []


@pytest.mark.parametrize(("generation", "status"), [("2024", "no_workflow_steps_defined"), ("current", "processed")])
async def test_a_workflow_without_steps_is_told_apart_in_2024_only(
    api: httpx.AsyncClient, sink: SinkProcess, generation: str, status: str
) -> None:
    await api.post("/v2/workflows", json={"name": "empty", "workflowId": "empty", "steps": []})
    sink.settings(generation=generation)

    answer = await api.post("/v1/events/trigger", json=event_body(name="empty"))

    assert answer.json()["data"]["status"] == status
    assert sink.truth()["people"] == []


@pytest.mark.parametrize(("tenant", "status"), [("nobody", "no_tenant_found"), ({"identifier": "acme"}, "processed")])
async def test_an_unknown_tenant_is_acknowledged(
    api: httpx.AsyncClient, sink: SinkProcess, tenant: Any, status: str
) -> None:
    sink.settings(tenants=["acme"])

    answer = await api.post("/v1/events/trigger", json=event_body(tenant=tenant))

    assert (answer.status_code, answer.json()["data"]["status"]) == (201, status)


NOBODY: list[Any] = [
    [],
    "",
    [""],
    ["  "],
    [5],
    [{}],
    {"subscriberId": ""},
    [{"type": "Topic", "topicKey": "unheard-of"}],
]


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("to", NOBODY)
async def test_whoever_it_is_for_it_is_processed_and_may_reach_nobody(
    api: httpx.AsyncClient, sink: SinkProcess, to: Any, generation: str
) -> None:
    sink.settings(generation=generation)

    single = await api.post("/v1/events/trigger", json=event_body(to=to))
    bulk = await api.post("/v1/events/trigger/bulk", json={"events": [event_body("t2", to=to)]})

    assert (single.status_code, single.json()["data"]["status"]) == (201, "processed")
    assert bulk.json()["data"][0]["status"] == "processed"
    assert sink.truth()["people"] == []


@pytest.mark.parametrize(("to", "people"), [(["id with spaces"], 1), ([f"s{n}" for n in range(101)], 101)])
async def test_odd_ids_and_a_hundred_and_one_recipients_are_processed_and_reached(
    api: httpx.AsyncClient, sink: SinkProcess, to: list[str], people: int
) -> None:
    answer = await api.post("/v1/events/trigger", json=event_body(to=to))

    assert answer.json()["data"]["status"] == "processed"
    assert sink.truth()["sent"] == {"in_app": people}


@pytest.mark.parametrize(
    ("to", "status", "reached"),
    [
        (["id with spaces"], "invalid_recipients", []),
        ([], "invalid_recipients", []),
        (["id with spaces", "ada", "a@b.org"], "processed", ["ada", "a@b.org"]),
    ],
)
async def test_where_ids_are_checked_only_nobody_at_all_is_told(
    api: httpx.AsyncClient, sink: SinkProcess, to: list[str], status: str, reached: list[str]
) -> None:
    sink.settings(check_recipients=True)

    answer = await api.post("/v1/events/trigger", json=event_body(to=to))

    assert (answer.status_code, answer.json()["data"]["status"]) == (201, status)
    assert list(dict.fromkeys(one["subscriber"] for one in sink.truth()["people"])) == reached


@pytest.mark.parametrize(
    ("field", "wrong", "complaint"),
    [
        ("name", 7, "name must be a string"),
        ("to", None, "to should not be null or undefined"),
        ("to", 7, "to must be a string, an object or an array"),
        ("payload", "text", "payload must be an object"),
        ("overrides", [], "overrides must be an object"),
        ("transactionId", 7, "transactionId must be a string"),
    ],
)
@pytest.mark.parametrize("generation", GENERATIONS)
async def test_wrong_types_are_refused_without_naming_a_field(
    api: httpx.AsyncClient, sink: SinkProcess, field: str, wrong: Any, complaint: str, generation: str
) -> None:
    sink.settings(generation=generation)
    body = {**event_body(), field: wrong}

    single = await api.post("/v1/events/trigger", json=body)
    bulk = await api.post("/v1/events/trigger/bulk", json={"events": [body, event_body("t2")]})

    if generation == "2024":
        assert single.status_code == 400
        assert (single.json()["message"], single.json()["error"]) == ([complaint], "Bad Request")
    else:
        assert (single.status_code, single.json()["message"]) == (422, "Validation Error")
        assert single.json()["errors"] == {"general": {"messages": [complaint], "value": "No Value Recorded"}}
    assert [item["status"] for item in bulk.json()["data"]] == ["error", "processed"]
    assert bulk.json()["data"][0]["error"] == [complaint]


async def test_any_object_and_null_are_overrides(api: httpx.AsyncClient) -> None:
    for overrides in ({"nonsense": 1}, None):
        body = {**event_body(), "overrides": overrides}
        assert (await api.post("/v1/events/trigger", json=body)).json()["data"]["status"] == "processed"


@pytest.mark.parametrize("events", [None, [], [event_body()] * 101])
@pytest.mark.parametrize(("generation", "status"), [("2024", 400), ("current", 422)])
async def test_an_empty_or_too_large_bulk_is_refused(
    api: httpx.AsyncClient, sink: SinkProcess, events: Any, generation: str, status: int
) -> None:
    sink.settings(generation=generation)

    answer = await api.post("/v1/events/trigger/bulk", json={"events": events})

    assert answer.status_code == status
    if generation == "current":
        assert answer.json()["errors"]["events"]["messages"][0].startswith("events must")


@pytest.mark.parametrize("body", [b"{not json at all", b'{"name": NaN}', b'{"name": "\xff"}', b"7", b""])
async def test_a_body_that_is_not_json_is_400_and_quoted(api: httpx.AsyncClient, body: bytes) -> None:
    answer = await api.post("/v1/events/trigger", content=body)

    assert answer.status_code == 400
    assert body[:5].decode(errors="replace") in answer.json()["message"]


async def test_a_list_is_an_object_without_members(api: httpx.AsyncClient) -> None:
    answer = await api.post("/v1/events/trigger", json=[event_body()])

    assert answer.status_code == 422
    messages = answer.json()["errors"]["general"]["messages"]
    assert messages == ["name must be a string", "to should not be null or undefined"]


SCHEMA = {
    "type": "object",
    "required": ["order"],
    "properties": {"order": {"type": "integer"}, "greeting": {"type": "string", "default": "Hello"}},
}


async def test_a_payload_against_its_schema_is_refused_where_the_workflow_asks_for_it(
    api: httpx.AsyncClient, sink: SinkProcess
) -> None:
    step = {"name": "I", "type": "in_app", "controlValues": {"body": "{{ payload.greeting }} {{ payload.order }}"}}
    workflow = {
        "name": "strict",
        "workflowId": "strict",
        "steps": [step],
        "payloadSchema": SCHEMA,
        "validatePayload": True,
    }
    await api.post("/v2/workflows", json=workflow)
    wrong = event_body(name="strict", payload={"order": "seven"})

    single = await api.post("/v1/events/trigger", json=wrong)
    bulk = await api.post(
        "/v1/events/trigger/bulk", json={"events": [wrong, event_body("t2", name="strict", payload={"order": 7})]}
    )
    sink.truth()
    messages = (await api.get("/v1/messages")).json()["data"]

    assert single.status_code == 400
    assert single.json()["message"].startswith("Payload validation failed: order: ")
    assert single.json()["ctx"]["type"] == "PAYLOAD_VALIDATION_ERROR"
    assert single.json()["ctx"]["schema"] == SCHEMA
    assert set(single.json()["ctx"]["errors"][0]) == {"field", "message", "value", "schemaPath"}
    assert [item["status"] for item in bulk.json()["data"]] == ["error", "processed"]
    assert bulk.json()["data"][0]["error"] == [single.json()["message"]]
    assert [message["content"] for message in messages] == ["Hello 7"]


async def test_a_payload_above_512_kib_is_413_and_refuses_its_whole_bulk(
    api: httpx.AsyncClient, sink: SinkProcess
) -> None:
    heavy = event_body("t2", payload={"text": TOO_MUCH})

    single = await api.post("/v1/events/trigger", json=heavy)
    bulk = await api.post("/v1/events/trigger/bulk", json={"events": [event_body("t1"), heavy]})

    assert (single.status_code, bulk.status_code) == (413, 413)
    assert "exceeds maximum allowed size of 524288 bytes (512KB)" in single.json()["message"]
    assert 'Event at index 1 (workflow: "welcome")' in bulk.json()["message"]
    assert sink.summary()["events"] == 0


async def test_attachments_and_what_is_beside_the_payload_do_not_count(api: httpx.AsyncClient) -> None:
    attached = event_body(payload={"attachments": [{"file": TOO_MUCH}]})
    beside = event_body("t2", overrides={"text": TOO_MUCH})
    halves = [event_body(f"t{n}", payload={"text": TOO_MUCH[: 400 * 1024]}) for n in (3, 4, 5)]

    assert (await api.post("/v1/events/trigger", json=attached)).status_code == 201
    assert (await api.post("/v1/events/trigger", json=beside)).status_code == 201
    assert (await api.post("/v1/events/trigger/bulk", json={"events": halves})).status_code == 201


async def test_in_2024_no_payload_is_too_large(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    sink.settings(generation="2024")

    assert (await api.post("/v1/events/trigger", json=event_body(payload={"text": TOO_MUCH}))).status_code == 201


@pytest.mark.parametrize("attachments", [["a.pdf"], [{"name": "x"}], [None]])
async def test_attachments_without_a_file_are_500_alone_and_an_item_in_bulk(
    api: httpx.AsyncClient, attachments: list[Any]
) -> None:
    body = event_body(payload={"attachments": attachments})

    single = await api.post("/v1/events/trigger", json=body)
    bulk = await api.post("/v1/events/trigger/bulk", json={"events": [body]})

    assert single.status_code == 500
    assert "errorId" in single.json()
    assert bulk.json()["data"][0]["status"] == "error"


async def test_attachments_that_are_a_text_pass(api: httpx.AsyncClient) -> None:
    assert (await api.post("/v1/events/trigger", json=event_body(payload={"attachments": "a"}))).status_code == 201


@pytest.mark.parametrize(("generation", "told"), [("2024", {"processed"}), ("current", {"processed", "error"})])
async def test_items_of_newer_versions_carry_more(
    api: httpx.AsyncClient, sink: SinkProcess, generation: str, told: set[str]
) -> None:
    sink.settings(generation=generation)

    answer = await api.post(
        "/v1/events/trigger/bulk", json={"events": [event_body(), event_body("t2", name="nowhere")]}
    )

    items = answer.json()["data"]
    assert {item["status"] for item in items if "transactionId" in item} == told
    assert all(("activityFeedLink" in item) == (generation == "current") for item in items)


async def test_an_event_without_transaction_id_is_given_one(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    body = event_body()
    del body["transactionId"]

    answer = await api.post("/v1/events/trigger", json=body)

    assert sink.transaction_ids() == [answer.json()["data"]["transactionId"]]


@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/events/trigger/broadcast"), ("GET", "/v1/events/trigger")])
async def test_what_the_sink_does_not_have_is_not_found(api: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await api.request(method, path)

    assert (answer.status_code, answer.json()["message"]) == (404, f"Cannot {method} {path}")
