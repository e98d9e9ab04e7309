"""FUNCTIONS_API_KEYS: for whom a key is, and that nothing by mistake makes it one for all."""

from hashlib import sha256

import pytest

from functions.callers import Callers
from functions.settings import ApiKey, FunctionsSettings
from shared.settings import SettingsError

SHA256 = "0" * 64


@pytest.mark.parametrize(
    ("text", "enterprise_ids"),
    [
        (f"billing:{SHA256}", None),
        (f"billing:{SHA256}:*", None),
        (f"billing:{SHA256}:ent1", {"ent1"}),
        (f"billing:{SHA256}: ent1 ,ent2,", {"ent1", "ent2"}),
    ],
)
def test_a_key_is_for_the_enterprises_named_or_for_all(text: str, enterprise_ids: set[str] | None) -> None:
    assert ApiKey.parse(text).enterprise_ids == enterprise_ids


@pytest.mark.parametrize("enterprises", ["", " ", ",", " , "])
def test_an_empty_list_is_refused_and_makes_no_operator(enterprises: str) -> None:
    with pytest.raises(ValueError, match="the list of enterprises of billing is empty") as refused:
        ApiKey.parse(f"billing:{SHA256}:{enterprises}")

    assert SHA256 not in str(refused.value)


def settings(monkeypatch: pytest.MonkeyPatch, enterprises: str, keys: str) -> FunctionsSettings:
    given = {
        "SUPABASE_URL": "http://localhost:1",
        "SUPABASE_SERVICE_ROLE_KEY": "key",
        "TEMPORAL_ADDRESS": "localhost:7233",
        "DAEMON_ENTERPRISE_IDS": enterprises,
        "FUNCTIONS_API_KEYS": keys,
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return FunctionsSettings.load()


def test_where_everybody_is_served_a_key_s_list_names_whomever_and_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    read = settings(monkeypatch, "*", f"billing:{SHA256}:ent1")

    assert read.listed_enterprise_ids is None
    [key] = read.functions_api_keys
    assert key.enterprise_ids == frozenset({"ent1"})


def test_a_key_for_somebody_whom_the_list_does_not_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="billing is given enterprises that DAEMON_ENTERPRISE_IDS does not name"):
        settings(monkeypatch, "ent2", f"billing:{SHA256}:ent1")


def test_a_key_for_what_is_no_enterprise_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="the list of billing holds what is no enterprise's id"):
        settings(monkeypatch, "*", f"billing:{SHA256}:ent1,*")


@pytest.mark.parametrize(
    ("rest", "enterprises", "may", "may_not"),
    [
        ("", "*", {"ent1", "newcomer"}, {"", "a/b", "x" * 65}),
        (":*", "*", {"ent1", "newcomer"}, {"", "*"}),
        (":ent1", "*", {"ent1"}, {"ent2", "", "*"}),
        ("", "ent1", {"ent1"}, {"newcomer", "", "*"}),
    ],
)
def test_for_whom_a_caller_may_act(
    monkeypatch: pytest.MonkeyPatch, rest: str, enterprises: str, may: set[str], may_not: set[str]
) -> None:
    read = settings(monkeypatch, enterprises, f"billing:{sha256(b'secret').hexdigest()}{rest}")
    callers = Callers(read.functions_api_keys, read.listed_enterprise_ids, trust_platform_identity=False)

    caller = callers.identify({"X-Api-Key": "secret"})

    assert {each for each in may | may_not if caller.may_act_for(each)} == may
    assert caller.is_operator is (rest in ("", ":*"))
