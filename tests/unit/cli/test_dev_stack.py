"""When `xnovu daemon start --dev` may bring servers of its own, and whom it serves then."""

import pytest
import typer

from cli.daemon_process import refuse_servers_beside_dev
from cli.daemon_record import StartOptions
from cli.dev_stack import MARK, enterprises_of, is_wanted, servers_set, with_samples
from shared.process_exit import EXIT_BAD_SETTINGS

ELSEWHERE = (
    *("TEMPORAL_ADDRESS", "NEXT_PUBLIC_SUPABASE_URL", "SUPABASE_URL"),
    *("TEMPORAL_API_KEY", "TEMPORAL_TLS", "TEMPORAL_TLS_CLIENT_CERT_PATH", "TEMPORAL_CONFIG_FILE", "TEMPORAL_PROFILE"),
)


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (MARK, "DAEMON_ENTERPRISE_IDS", *ELSEWHERE):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_whatever_is_set_of_a_server_elsewhere_has_dev_refused_by_its_name(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, "production")

    with pytest.raises(typer.Exit) as left:
        refuse_servers_beside_dev(StartOptions(dev=True))

    assert left.value.exit_code == EXIT_BAD_SETTINGS
    said = capsys.readouterr().err
    assert f"others are set: {name}." in said
    assert f"Hint: unset {name}, here or in .env" in said


def test_where_none_is_set_or_a_daemon_s_own_stack_it_is_brought(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (is_wanted(), servers_set()) == (True, [])

    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    assert not is_wanted()
    monkeypatch.setenv(MARK, "1")
    assert is_wanted()


def test_who_is_given_is_served_and_has_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    assert enterprises_of(None) == "dev"
    monkeypatch.setenv("DAEMON_ENTERPRISE_IDS", "ent3")
    assert enterprises_of(None) == "ent3"
    assert enterprises_of("ent1,ent2") == "ent1,ent2"
    assert with_samples(["ent1", "ent2"]) == ["ent1", "ent2"]
    assert with_samples(["*"]) == ["dev"]
