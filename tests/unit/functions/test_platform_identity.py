"""Whose word is taken for who calls: that of Cloud Run, where it is really in front, and of nobody else."""

import base64
import json
import time
from collections.abc import Mapping
from typing import Any

import pytest

from functions import bootstrap
from functions.platform_identity import MOST_TOKEN_CHARACTERS, SIGNATURE_TAKEN_AWAY, caller_of
from functions.problems import Problem
from functions.settings import FunctionsSettings
from shared.settings import SettingsError
from tests.cloud_run.metadata import instance_of_a_service

SETTINGS = {
    "TEMPORAL_ADDRESS": "127.0.0.1:1",
    "SUPABASE_URL": "http://127.0.0.1:1",
    "SUPABASE_SERVICE_ROLE_KEY": "key",
    "DAEMON_ENTERPRISE_IDS": "ent1",
    "FUNCTIONS_TRUST_PLATFORM_IDENTITY": "true",
}


NOW = int(time.time())
"""When the tokens below are read, however long after their making these tests run."""


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: float(NOW))


def claims(**changed: Any) -> dict[str, Any]:
    valid = {
        "iss": "https://accounts.google.com",
        "exp": NOW + 24 * 3600,
        "email": "job@example.org",
        "sub": "1",
    }
    return {name: value for name, value in {**valid, **changed}.items() if value is not None}


def token(payload: bytes | Mapping[str, Any], signature: str = SIGNATURE_TAKEN_AWAY) -> dict[str, str]:
    """As Cloud Run passes it on, unless another signature is given."""
    content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return {"Authorization": f"Bearer e30.{base64.urlsafe_b64encode(content).rstrip(b'=').decode()}.{signature}"}


@pytest.mark.parametrize(
    ("headers", "caller"),
    [
        (token(claims()), "job@example.org"),
        (token(claims(email=None)), "1"),
        (token(claims(exp=NOW - 20)), "job@example.org"),
        (token({**claims(), "aud": ["x"], "email_verified": True}), "job@example.org"),
        (
            {**token(claims(email="forged")), "X-Serverless-Authorization": token(claims())["Authorization"]},
            "job@example.org",
        ),
    ],
)
def test_a_token_that_cloud_run_has_verified_names_the_caller(headers: dict[str, str], caller: str) -> None:
    assert caller_of(headers) == caller


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, "is needed"),
        ({"Authorization": "Bearer x"}, "is needed"),
        ({"Authorization": "Basic a.b.c"}, "is needed"),
        (token(claims(), signature="c2lnbmF0dXJl"), "has not verified"),
        (token(claims(), signature=""), "has not verified"),
        (token(claims(exp=NOW - 300)), "has expired"),
        (token(claims(exp=None)), "cannot be read"),
        (token(claims(exp="tomorrow")), "cannot be read"),
        (token(claims(exp=10**400)), "cannot be read"),
        (token(claims(iss="https://accounts.example.org")), "is not Google's"),
        (token(claims(email=None, sub=None)), "names nobody"),
        (token(claims(email=["a"])), "cannot be read"),
        (token(b"[" * 5000), "cannot be read"),
        (token(b"[" * 20_000), "is needed"),
        (token(b'{"exp": ' + b"9" * 5000 + b"}"), "cannot be read"),
        (token(b"\xff\xfe"), "cannot be read"),
        ({"Authorization": f"Bearer e30.!!!.{SIGNATURE_TAKEN_AWAY}"}, "cannot be read"),
        ({"Authorization": f"Bearer e30.\u00e9.{SIGNATURE_TAKEN_AWAY}"}, "cannot be read"),
        ({"Authorization": "Bearer " + "a" * MOST_TOKEN_CHARACTERS + ".b.c"}, "is needed"),
    ],
)
def test_any_other_token_is_refused_with_the_reason(headers: dict[str, str], reason: str) -> None:
    with pytest.raises(Problem, match=reason) as refused:
        caller_of(headers)

    assert refused.value.status == 401


@pytest.mark.parametrize("missing", ["K_SERVICE", "K_REVISION", "K_CONFIGURATION", "GCE_METADATA_HOST"])
def test_away_from_cloud_run_no_function_starts_that_would_take_its_word(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    with instance_of_a_service() as cloud_run:
        for name, value in {**SETTINGS, **cloud_run, missing: "127.0.0.1:1" if "HOST" in missing else ""}.items():
            monkeypatch.setenv(name, value)

        with pytest.raises(SettingsError, match="FUNCTIONS_TRUST_PLATFORM_IDENTITY: must be false here"):
            bootstrap.build(FunctionsSettings.load())


def test_on_cloud_run_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    with instance_of_a_service() as cloud_run:
        for name, value in {**SETTINGS, **cloud_run}.items():
            monkeypatch.setenv(name, value)

        assert bootstrap.build(FunctionsSettings.load()).trigger
