"""What a caller may put into a notification."""

from typing import Any

import pytest

from functions.callers import Caller
from functions.content_rules import check_content
from functions.problems import Problem, ProblemCode
from functions.trigger_request import CreateAndSend

TENANT = Caller("tenant", frozenset({"acme"}), is_operator=False)
OPERATOR = Caller("operator", frozenset({"acme", "globex"}), is_operator=True)


def asking(**members: Any) -> CreateAndSend:
    return CreateAndSend.model_validate(
        {"enterpriseId": "acme", "workflowKey": "order", "recipients": ["ada"], "payload": {}, **members}
    )


WAYS: list[tuple[dict[str, Any], str]] = [
    *(
        ({"email": {member: "zanzibar@example.org"}}, f"email.{member}")
        for member in (
            "to",
            "cc",
            "bcc",
            "from",
            "replyTo",
            "senderName",
            "integrationIdentifier",
            "ipPoolName",
            "html",
        )
    ),
    ({"email": {"headers": {"X-Tag": "a"}}}, "email.headers"),
    ({"email": {"attachments": []}}, "email.attachments"),
    ({"email": {"customData": {}}}, "email.customData"),
    ({"email": {"subject": {"not": "a text"}}}, "email.subject"),
    ({"email": []}, "email"),
    ({"sms": {"to": "+49"}}, "sms.to"),
    ({"sms": {"integrationIdentifier": "another"}}, "sms.integrationIdentifier"),
    ({"chat": {"webhookUrl": "https://evil.example"}}, "chat"),
    ({"push": {"deviceTokens": ["a"]}}, "push"),
    ({"fcm": {"deviceTokens": ["a"]}}, "fcm"),
    ({"slack": {"webhookUrl": "https://evil.example"}}, "slack"),
    ({"providers": {"sendgrid": {"_passthrough": {"body": {}}}}}, "providers"),
    ({"steps": {"email": {"providers": {}}}}, "steps"),
    ({"channels": {"email": {"layoutId": "another"}}}, "channels"),
    ({"layoutIdentifier": "another"}, "layoutIdentifier"),
    ({"severity": "zanzibar"}, "severity"),
    ({"Email": {"subject": "Hello"}}, "Email"),
    ({"delay": {"amount": 0}}, "delay"),
]


@pytest.mark.parametrize(("overrides", "path"), WAYS, ids=[path for _, path in WAYS])
def test_what_is_not_on_the_list_is_refused_with_its_path_and_left_to_operators(
    overrides: dict[str, Any], path: str
) -> None:
    with pytest.raises(Problem) as refused:
        check_content(asking(overrides=overrides), TENANT)
    check_content(asking(overrides=overrides), OPERATOR)

    assert refused.value.code is ProblemCode.OVERRIDE_NOT_ALLOWED
    assert refused.value.members == {"overrides": [path]}
    assert "zanzibar" not in str(refused.value.response().body)


def test_words_may_be_replaced_by_anybody() -> None:
    words = {"email": {"subject": "Hello", "text": "a\nb"}, "sms": {"content": "a\nb"}, "severity": "high"}

    for overrides in (words, {}, None):
        check_content(asking(overrides=overrides), TENANT)


@pytest.mark.parametrize("caller", [TENANT, OPERATOR])
def test_a_line_break_in_a_mail_s_head_is_refused_for_everybody(caller: Caller) -> None:
    with pytest.raises(Problem) as refused:
        check_content(asking(overrides={"email": {"subject": "Hello\r\nBcc: zanzibar@example.org"}}), caller)

    assert refused.value.code is ProblemCode.INVALID_REQUEST
    assert refused.value.members["errors"][0]["member"] == "overrides.email.subject"


@pytest.mark.parametrize("caller", [TENANT, OPERATOR])
def test_recipients_that_novu_would_drop_are_refused_by_their_places(caller: Caller) -> None:
    with pytest.raises(Problem) as refused:
        check_content(asking(recipients=["ada", "u 1", "bob@example.org", "u/1?x=2"]), caller)

    assert refused.value.code is ProblemCode.INVALID_RECIPIENTS
    assert refused.value.members == {"recipients": [1, 3]}


def test_many_refused_members_are_bounded() -> None:
    with pytest.raises(Problem) as refused:
        check_content(asking(overrides={f"{number:03}" + "n" * 500: 1 for number in range(50)}), TENANT)

    assert len(refused.value.members["overrides"]) == 20
    assert all(len(path) == 100 for path in refused.value.members["overrides"])


def test_other_ids_pass_where_the_project_says_so_and_else_the_setting_is_named() -> None:
    check_content(asking(recipients=["auth0|123"]), TENANT, any_subscriber_id=True)

    with pytest.raises(Problem, match="NOVU_SUBSCRIBER_IDS=any") as refused:
        check_content(asking(recipients=["ada", "auth0|123"]), TENANT)
    assert refused.value.members["recipients"] == [1]
    assert "auth0" not in str(refused.value)
