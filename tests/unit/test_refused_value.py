"""What is refused is told in our words, wherever pydantic refuses it: settings, requests, files."""

import os
from typing import Any
from unittest import mock

import pytest

from functions.autoscale_settings import AutoscaleSettings
from functions.problems import Problem
from functions.settings import FunctionsSettings
from functions.trigger_request import parse_trigger_request
from shared.refused_value import one_of
from shared.settings import DaemonSettings, Environment, SettingsError

FOREIGN = ("Input should", "Value error", "String should", "valid integer", "List should", "not permitted", "Field ")

SETTINGS = (DaemonSettings, FunctionsSettings, AutoscaleSettings)


def told(settings: type[Environment], name: str, value: str) -> list[str]:
    with mock.patch.dict(os.environ, {name: value}, clear=True):
        try:
            settings.load()
        except SettingsError as error:
            return [problem for problem in error.problems if problem.startswith(f"{name}:")]
    return []


def variables(settings: type[Environment]) -> list[str]:
    with mock.patch.dict(os.environ, {}, clear=True):
        aliases = {
            name: getattr(field.validation_alias, "choices", [field.validation_alias])[0]
            for name, field in settings.model_fields.items()
        }
    return [str(alias or name.upper()) for name, alias in aliases.items()]


@pytest.mark.parametrize("value", ["no such value", "-1", "nan", ",", "9" * 400])
@pytest.mark.parametrize("settings", SETTINGS)
def test_no_setting_is_refused_in_a_library_s_words(settings: type[Environment], value: str) -> None:
    problems = [problem for name in variables(settings) for problem in told(settings, name, value)]

    assert len(problems) >= 3
    assert [problem for problem in problems if any(words in problem for words in FOREIGN)] == []
    assert [problem for problem in problems if len(problem) > 300] == []


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("DAEMON_HEALTH_PORT", "soon", "must be a whole number from 1 to 65535, not 'soon'"),
        ("DAEMON_HEALTH_PORT", "0", "must be from 1 to 65535, not '0'"),
        ("SUBSCRIPTION_RECONNECT_DELAY", "1s", "must be a whole number of 1 or more, not '1s'"),
        ("NOVU_RETENTION_HOURS", "0", "must be more than 0 and at most 8784, not '0'"),
        ("NOVU_RETENTION_HOURS", "a day", "must be a number of more than 0 and at most 8784, not 'a day'"),
        ("DAEMON_LOG_LEVEL", "wran", "must be one of debug, info, warn, error, not 'wran'; did you mean warn?"),
        ("FEED", "x" * 100, f"must be one of auto, broadcast, postgres_changes, not '{'x' * 60}...'"),
    ],
)
def test_a_setting_is_told_with_what_was_given_and_what_is_meant(name: str, value: str, problem: str) -> None:
    assert told(DaemonSettings, name, value) == [f"{name}: {problem}"]


@pytest.mark.parametrize("name", ["SUPABASE_SERVICE_ROLE_KEY", "NOVU_SECRET_KEY", "NEXT_PUBLIC_SUPABASE_URL"])
def test_what_may_be_a_secret_is_not_quoted(name: str) -> None:
    [problem] = told(DaemonSettings, name, "a-planted secret")

    assert "planted" not in problem


CREATE = {"enterpriseId": "a", "workflowKey": "w", "recipients": ["r"], "payload": {}}


@pytest.mark.parametrize(
    ("body", "member", "reason"),
    [
        ({"notificationId": "5"}, "notificationId", "must be a whole number"),
        ({"notificationId": 0}, "notificationId", "must be 1 or more"),
        ({"notificationIds": []}, "notificationIds", "must not be empty"),
        ({"notificationIds": [1, None]}, "notificationIds.1", "must be a whole number"),
        ({"notificationIds": list(range(1, 102))}, "notificationIds", "may have 100 members"),
        ({"notificationId": 5, "dryRun": "yes"}, "dryRun", "must be true or false"),
        ({"notificationId": 5, "dryrun": True}, "dryrun", "is not known; did you mean dryRun?"),
        ({**CREATE, "enterpriseId": "a/b"}, "enterpriseId", "must be 1-64 of letters, digits, '_', '-', '.'"),
        ({**CREATE, "workflowKey": ""}, "workflowKey", "must not be empty"),
        ({**CREATE, "workflowKey": "w" * 256}, "workflowKey", "may have 255 characters"),
        ({**CREATE, "recipients": "ada"}, "recipients", "must be a list"),
        ({**CREATE, "recipients": [" "]}, "recipients.0", "must not be blank"),
        ({**CREATE, "recipients": [{}]}, "recipients.0", "must be text"),
        ({**CREATE, "payload": []}, "payload", "must be an object"),
        ({**CREATE, "scheduledFor": "soon"}, "scheduledFor", "must be an instant with its offset"),
        ({"enterpriseId": "a"}, "workflowKey", "is missing"),
    ],
)
def test_a_request_is_told_what_is_meant_and_quotes_nothing(body: dict[str, Any], member: str, reason: str) -> None:
    with pytest.raises(Problem) as refused:
        parse_trigger_request(body)

    found = refused.value.members["errors"][0]
    assert found["member"] == member
    assert found["reason"].startswith(reason)
    assert "a/b" not in found["reason"]


def test_of_a_few_words_the_one_that_may_be_meant_is_named_as_it_is_spelt() -> None:
    assert one_of(["EMAIL", "SMS"], "e-mail").endswith("not 'e-mail'; did you mean EMAIL?")
    assert one_of(["EMAIL", "SMS"], "fax") == "must be one of EMAIL, SMS, not 'fax'"
