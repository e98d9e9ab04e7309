"""`xnovu enterprise`: what it says of who is served, and what it refuses."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.enterprise import app, command, settings

NOW = "2026-11-28T12:00:00+00:00"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    calls: list[tuple[str, dict[str, Any]]] = []
    served = {"acme": True}
    own: dict[str, Any] = {}

    async def answer(client: object, function: str, **arguments: Any) -> Any:
        calls.append((function, arguments))
        if function == "list_enterprises":
            times = {
                "known_since": NOW,
                "changed_at": NOW,
                "rules_seen_to_at": None,
                "next_rule_at": None,
                "settings": dict(own),
            }
            return [{"enterprise_id": each, "served": is_served, **times} for each, is_served in served.items()]
        was = served.get(arguments["p_enterprise_id"])
        if function == "set_enterprise":
            told = dict(own)
            own.update(arguments["p_settings"])
            now = {name: value for name, value in own.items() if value is not None}
            return {"enterprise_id": arguments["p_enterprise_id"], "was": told, "settings": now}
        if function == "remove_enterprise":
            left = {"waiting_rows": 2, "rules": 0, "workflows": 1, "templates": 0}
            return {"enterprise_id": arguments["p_enterprise_id"], "was": was, "forgotten": False, "left": left}
        served[arguments["p_enterprise_id"]] = arguments["p_served"]
        return {"enterprise_id": arguments["p_enterprise_id"], "served": arguments["p_served"], "was": was}

    for module in (command, settings):
        monkeypatch.setattr(module, "call_function", answer)
    monkeypatch.setenv("SUPABASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", "nobody-asks")
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    return calls


def said(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return result.output


def test_repeating_a_command_is_no_error(asked: list[tuple[str, dict[str, Any]]]) -> None:
    assert said("pause", "acme") == "acme: paused\n"
    assert said("pause", "acme") == "acme: already_paused\n"
    assert said("resume", "acme") == "acme: served\n"
    assert said("resume", "acme") == "acme: already_served\n"
    assert json.loads(said("pause", "acme", "--json"))["result"] == "paused"


def test_the_list_says_who_is_served_and_that_there_may_be_more(asked: list[tuple[str, dict[str, Any]]]) -> None:
    lines = said("list", "--search", "ac", "-n", "1").splitlines()

    assert lines[1].split() == ["acme", "yes", NOW, "never", "none", "-"]
    assert lines[2] == "There may be more: --after acme"
    assert asked == [("list_enterprises", {"p_search": "ac", "p_after": "", "p_limit": 1})]


def test_an_id_that_no_enterprise_can_have_is_refused(asked: list[tuple[str, dict[str, Any]]]) -> None:
    result = CliRunner().invoke(app, ["pause", "not good"])

    assert result.exit_code == 2
    assert asked == []


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    told: list[str] = []
    monkeypatch.setattr(command, "_stop_schedulers", lambda _, enterprise_id: told.append(enterprise_id))
    return told


def test_who_is_removed_has_its_schedulers_stopped_and_what_is_left_is_said(
    asked: list[tuple[str, dict[str, Any]]], stopped: list[str]
) -> None:
    lines = said("remove", "acme").splitlines()
    told = json.loads(said("remove", "acme", "--json"))

    assert lines[0] == "acme: removed"
    assert lines[1].startswith("Still in the tables: waiting rows 2, workflows 1. Nothing of that is sent.")
    assert (told["result"], told["forgotten"], told["was"]) == ("removed", False, True)
    assert stopped == ["acme", "acme"]
    assert [function for function, _ in asked] == ["remove_enterprise"] * 2


def test_while_temporal_does_not_answer_it_rests_and_the_command_says_to_repeat_it(
    asked: list[tuple[str, dict[str, Any]]],
) -> None:
    result = CliRunner().invoke(app, ["remove", "acme"])

    assert result.exit_code == 2
    assert "acme rests, but Temporal at 127.0.0.1:1 was not told to stop its schedulers" in result.output
    assert [function for function, _ in asked] == ["remove_enterprise"]


def test_without_temporal_s_address_nothing_is_done(
    asked: list[tuple[str, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TEMPORAL_ADDRESS")

    result = CliRunner().invoke(app, ["remove", "acme"])

    assert result.exit_code == 2
    assert "TEMPORAL_ADDRESS" in result.output
    assert asked == []


def test_a_setting_of_its_own_is_set_shown_and_taken_back(asked: list[tuple[str, dict[str, Any]]]) -> None:
    first = said("set", "acme", "--time-zone", "Europe/Berlin")
    again = said("set", "acme", "--time-zone", "Europe/Berlin")

    assert first.splitlines() == [
        "acme: set",
        "  time zone of rules that name none: Europe/Berlin",
        "  events a second: no bound of its own (default)",
        "  key to Novu, in the variable: NOVU_SECRET_KEY (default)",
    ]
    assert again.splitlines()[0] == "acme: already_set"
    assert "  time zone of rules that name none: Europe/Berlin" in said("show", "acme").splitlines()
    assert json.loads(said("show", "acme", "--json"))["settings"] == {"time_zone": "Europe/Berlin"}
    assert said("list").splitlines()[1].endswith("time_zone=Europe/Berlin")
    assert said("set", "acme", "--time-zone", "default").splitlines()[1].endswith("UTC (default)")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "Nothing is named that is to be set."),
        (("--time-zone", "europe/berlin"), "Did you mean `Europe/Berlin`?"),
        (("--novu-key-name", "0123456789"), "that is no variable's name"),
        (("--rate", "0"), "is no rate"),
        (("--rate", "5/h"), "is no rate"),
        (("--rate", "-1"), "is no rate"),
        (("--rate", "200000"), "0.01 to 100,000 events a second"),
    ],
)
def test_what_cannot_be_set_is_refused_before_the_database_is_asked(
    asked: list[tuple[str, dict[str, Any]]], options: tuple[str, ...], told: str
) -> None:
    result = CliRunner().invoke(app, ["set", "acme", *options])

    assert result.exit_code == 2
    assert told in " ".join(result.output.replace("\u2502", " ").split())
    assert asked == []


def test_who_is_not_known_is_not_shown(asked: list[tuple[str, dict[str, Any]]]) -> None:
    result = CliRunner().invoke(app, ["show", "nobody"])

    assert result.exit_code == 1
    assert "Nobody knows nobody." in result.output


@pytest.mark.parametrize(("rate", "per_second"), [("5", 5.0), ("0.5/s", 0.5), ("90/m", 1.5), ("default", None)])
def test_a_rate_is_of_seconds_or_minutes(
    asked: list[tuple[str, dict[str, Any]]], rate: str, per_second: float | None
) -> None:
    said("set", "acme", "--rate", rate)

    assert asked == [
        ("set_enterprise", {"p_enterprise_id": "acme", "p_settings": {"rate_per_second": per_second}}),
    ]


def test_a_key_that_is_given_for_its_name_is_not_said_again(asked: list[tuple[str, dict[str, Any]]]) -> None:
    result = CliRunner().invoke(app, ["set", "acme", "--novu-key-name", "keyofnovu"])

    assert result.exit_code == 2
    assert "keyofnovu" not in result.output
    said("set", "acme", "--novu-key-name", "NOVU_SECRET_KEY__ACME")
    assert asked[0][1]["p_settings"] == {"novu_key_name": "NOVU_SECRET_KEY__ACME"}
