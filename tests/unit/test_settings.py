import os
from pathlib import Path
from unittest import mock

import pytest

from shared.settings import (
    DaemonSettings,
    ListenerSettings,
    SettingsError,
    WorkerSettings,
    named_novu_keys,
    temporal_connect_config,
)
from shared.temporal.names import build_id

COMPLETE = {
    "TEMPORAL_ADDRESS": "localhost:7233",
    "NEXT_PUBLIC_SUPABASE_URL": "https://project.supabase.co/",
    "SUPABASE_SERVICE_ROLE_KEY": "sb_secret_key",
    "NOVU_SECRET_KEY": "novu-key",
    "DAEMON_ENTERPRISE_IDS": "ent1, enterprise-2,ent1",
}


def environment(**changes: str | None) -> mock._patch_dict:
    values = {key: value for key, value in {**COMPLETE, **changes}.items() if value is not None}
    return mock.patch.dict(os.environ, values, clear=True)


def test_defaults_are_the_documented_ones() -> None:
    with environment():
        settings = DaemonSettings.load()

    assert settings.temporal_task_queue == "xnovu-notification-processing"
    assert settings.daemon_enterprise_ids == ("ent1", "enterprise-2")
    assert settings.supabase_url == "https://project.supabase.co"
    assert settings.subscription_health_check_interval_ms == 30_000
    assert settings.daemon_health_port == 3001


def test_every_wrong_or_missing_setting_is_named_in_one_message() -> None:
    changes = {
        "TEMPORAL_ADDRESS": "nowhere",
        "NEXT_PUBLIC_SUPABASE_URL": "ftp://x",
        "NOVU_SECRET_KEY": None,
        "DAEMON_ENTERPRISE_IDS": "good,not good",
        "SUBSCRIPTION_RECONNECT_DELAY": "soon",
        "TEMPORAL_MAX_CONCURRENT_ACTIVITIES": "0",
    }
    with environment(**changes), pytest.raises(SettingsError) as raised:
        DaemonSettings.load()

    for name in changes:
        assert f"{name}:" in str(raised.value)


def test_a_certificate_that_cannot_be_read_is_named_with_the_rest() -> None:
    with (
        environment(TEMPORAL_TLS_CLIENT_CERT_PATH="/nowhere.pem", TEMPORAL_ADDRESS="nowhere"),
        pytest.raises(SettingsError) as raised,
    ):
        WorkerSettings.load()

    assert [problem.split(":")[0] for problem in raised.value.problems] == ["TEMPORAL_ADDRESS", "TEMPORAL_*"]


def test_a_certificate_that_cannot_be_read_is_enough_to_refuse() -> None:
    with (
        environment(TEMPORAL_TLS_CLIENT_CERT_PATH="/nowhere.pem"),
        pytest.raises(SettingsError, match=r"TEMPORAL_\*: .*nowhere.pem"),
    ):
        WorkerSettings.load()


def test_a_secret_is_never_quoted() -> None:
    with environment(SUPABASE_SERVICE_ROLE_KEY="two words"), pytest.raises(SettingsError) as raised:
        DaemonSettings.load()

    assert "SUPABASE_SERVICE_ROLE_KEY" in str(raised.value)
    assert "two words" not in str(raised.value)


def test_the_listener_needs_no_novu_key_and_the_worker_no_enterprises() -> None:
    with environment(NOVU_SECRET_KEY=None):
        ListenerSettings.load()
    with environment(DAEMON_ENTERPRISE_IDS=None):
        WorkerSettings.load()


def test_an_empty_variable_counts_as_missing() -> None:
    with environment(DAEMON_ENTERPRISE_IDS=""), pytest.raises(SettingsError, match="DAEMON_ENTERPRISE_IDS: is missing"):
        ListenerSettings.load()


def test_a_flag_wins_over_the_environment() -> None:
    with environment():
        settings = DaemonSettings.load(daemon_enterprise_ids="other", daemon_log_level=None)

    assert settings.daemon_enterprise_ids == ("other",)
    assert settings.daemon_log_level == "info"


def test_either_spelling_of_the_supabase_url_is_read() -> None:
    with environment(NEXT_PUBLIC_SUPABASE_URL=None, SUPABASE_URL="http://localhost:54321"):
        assert WorkerSettings.load().supabase_url == "http://localhost:54321"


DIGEST = "0f1e2d3c4b5a" + 52 * "0"


@pytest.mark.parametrize(
    ("build", "version"),
    [
        (f"sha256:{DIGEST}", "0f1e2d3c4b5a"),
        (f"registry.example/xnovu@sha256:{DIGEST}", "0f1e2d3c4b5a"),
        ("1.4.2-rc1", "1.4.2-rc1"),
    ],
)
def test_a_worker_of_a_deployment_is_a_version_by_its_build(build: str, version: str) -> None:
    with environment(TEMPORAL_WORKER_DEPLOYMENT_NAME="xnovu-prod", XNOVU_BUILD=build):
        settings = WorkerSettings.load()

    assert build_id(settings.xnovu_build) == version


@pytest.mark.parametrize("build", [None, "a build", "sha256:0f1e", "x" * 65])
def test_a_worker_of_a_deployment_needs_a_build_that_can_be_a_version(build: str | None) -> None:
    with (
        environment(TEMPORAL_WORKER_DEPLOYMENT_NAME="xnovu-prod", XNOVU_BUILD=build),
        pytest.raises(SettingsError, match=r"TEMPORAL_WORKER_DEPLOYMENT_NAME: needs .*XNOVU_BUILD"),
    ):
        WorkerSettings.load()


def test_without_a_deployment_any_build_will_do() -> None:
    with environment(XNOVU_BUILD="a build"):
        assert WorkerSettings.load().temporal_worker_deployment_name is None


def test_a_configuration_file_that_cannot_be_read_is_not_quoted(tmp_path: Path) -> None:
    file = tmp_path / "temporal.toml"
    file.write_text('[profile.default]\napi_key = "a-planted-secret" and more\n')

    with environment(TEMPORAL_CONFIG_FILE=str(file)), pytest.raises(SettingsError, match="line 2") as refused:
        WorkerSettings.load()

    assert "a-planted-secret" not in str(refused.value)


def test_a_daemon_whose_worker_would_not_send_for_what_it_hears_does_not_start() -> None:
    with environment(WORKER_ENTERPRISE_IDS="ent1,other"), pytest.raises(SettingsError) as refused:
        DaemonSettings.load()

    assert refused.value.problems == (
        "WORKER_ENTERPRISE_IDS: must name all of DAEMON_ENTERPRISE_IDS, or nobody sends for them",
    )


def test_a_worker_s_list_is_read_like_the_listener_s() -> None:
    with environment(WORKER_ENTERPRISE_IDS="ent1, enterprise-2,ent1"):
        assert DaemonSettings.load().worker_enterprise_ids == ("ent1", "enterprise-2")
    with environment(WORKER_ENTERPRISE_IDS="not good"), pytest.raises(SettingsError, match="WORKER_ENTERPRISE_IDS: "):
        WorkerSettings.load()
    with environment():
        assert WorkerSettings.load().worker_enterprise_ids == ()


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"TEMPORAL_ADDRESS": "http://127.0.0.1:7233"}, "TEMPORAL_ADDRESS: must be host:port without a scheme"),
        (
            {"NEXT_PUBLIC_SUPABASE_URL": "https://x.supabase.co/rest/v1/"},
            "NEXT_PUBLIC_SUPABASE_URL: must be the project's URL, without /rest/v1",
        ),
        ({"DAEMON_ENTERPRISE_IDS": ""}, "DAEMON_ENTERPRISE_IDS: "),
        ({"DAEMON_ENTERPRISE_IDS": ","}, "DAEMON_ENTERPRISE_IDS: names none; a list such as ent1,ent2"),
    ],
)
def test_what_is_likely_to_be_set_wrongly_is_told_in_our_words(variables: dict[str, str], told: str) -> None:
    with environment(**variables), pytest.raises(SettingsError) as refused:
        DaemonSettings.load()

    assert any(problem.startswith(told) for problem in refused.value.problems)
    assert "Tuple" not in str(refused.value)


def test_secrets_may_be_given_as_files(tmp_path: Path) -> None:
    files = {}
    for name in ("SUPABASE_SERVICE_ROLE_KEY", "NOVU_SECRET_KEY", "NOVU_SECRET_KEY__ACME", "TEMPORAL_API_KEY"):
        (tmp_path / name).write_text(f"of-{name}\n")
        files[f"{name}_FILE"] = str(tmp_path / name)
    with environment(**files, SUPABASE_SERVICE_ROLE_KEY=None, NOVU_SECRET_KEY=None):
        settings = DaemonSettings.load()
        named = named_novu_keys()
        temporal = temporal_connect_config()

    assert settings.supabase_service_role_key.get_secret_value() == "of-SUPABASE_SERVICE_ROLE_KEY"
    assert settings.novu_secret_key.get_secret_value() == "of-NOVU_SECRET_KEY"
    assert {name: key.get_secret_value() for name, key in named.items()} == {
        "NOVU_SECRET_KEY__ACME": "of-NOVU_SECRET_KEY__ACME"
    }
    assert temporal["api_key"] == "of-TEMPORAL_API_KEY"


def test_a_secrets_file_that_is_wrong_is_named_once_and_not_quoted(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "key").write_text("two words")
    changes = {
        "SUPABASE_SERVICE_ROLE_KEY_FILE": str(tmp_path / "key"),
        "NOVU_SECRET_KEY_FILE": str(tmp_path / "empty"),
        "TEMPORAL_API_KEY_FILE": str(tmp_path / "nowhere"),
    }
    with (
        environment(**changes, SUPABASE_SERVICE_ROLE_KEY=None, NOVU_SECRET_KEY=None),
        pytest.raises(SettingsError) as raised,
    ):
        WorkerSettings.load()

    assert sorted(problem.split(": ")[0] for problem in raised.value.problems) == [
        "NOVU_SECRET_KEY_FILE",
        "SUPABASE_SERVICE_ROLE_KEY",
        "TEMPORAL_API_KEY_FILE",
    ]
    assert "two words" not in str(raised.value)


def test_a_secret_is_given_once(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("another")
    with environment(NOVU_SECRET_KEY_FILE=str(tmp_path / "key")), pytest.raises(SettingsError) as raised:
        WorkerSettings.load()

    assert raised.value.problems == ("NOVU_SECRET_KEY_FILE: NOVU_SECRET_KEY is set, too; give one of the two",)
