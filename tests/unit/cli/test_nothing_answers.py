"""Whatever does not answer, a command says so soon and in our words: refusing, frozen, and with a key that is no key.

In-process, and with little patience, so that a test takes as long; what the patience really is stands at the end.
"""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import orchestration_report, patience
from cli.__main__ import app
from cli.deploy import session as deploy_session
from cli.doctor import network, temporal
from cli.trace import processing
from stack.processes import free_port

PATIENCE_SECONDS = 0.3
_REFUSED_KEY = json.dumps({"message": "Invalid API key", "hint": "Double check your Supabase API key."}).encode()
_FOREIGN = ("tonic", "httpx", "Errno", "Traceback", "Status {", "Exception", "os error")

OF_THE_ROWS = {
    "trace": ["trace", "1"],
    "replay": ["replay", "--enterprise", "acme"],
    "replay of one": ["replay", "--id", "1"],
    "send": ["send", "--enterprise", "acme", "--workflow", "welcome", "--to", "ada"],
    "tail": ["tail", "--enterprise", "acme"],
    "rule next": ["rule", "next", "1"],
    "rule list": ["rule", "list", "--enterprise", "acme"],
    "workflow list": ["workflow", "list", "--enterprise", "acme"],
    "workflow show": ["workflow", "show", "welcome", "--enterprise", "acme"],
    "template list": ["template", "list", "--enterprise", "acme"],
    "template show": ["template", "show", "welcome", "--enterprise", "acme"],
    "enterprise list": ["enterprise", "list"],
    "enterprise pause": ["enterprise", "pause", "acme"],
    "recipient show": ["recipient", "show", "ada", "--enterprise", "acme"],
    "export": ["export", "files"],
    "doctor supabase": ["doctor", "supabase"],
    "doctor publication": ["doctor", "publication"],
    "doctor clock": ["doctor", "clock"],
}
OF_SEVERAL = {
    "novu plan": ["novu", "plan"],
    "novu check": ["novu", "check"],
    "doctor realtime": ["doctor", "realtime"],
}
"""They ask another server, too, and tell of that where Supabase refuses at once."""
OF_TEMPORAL = {"doctor temporal": ["doctor", "temporal"], "deploy status": ["deploy", "status"]}
OF_NOVU = {"doctor novu": ["doctor", "novu"]}


class _NoKeyIsGood(BaseHTTPRequestHandler):
    """The gateway before Supabase, and Novu: both say 401, and in their words."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(_REFUSED_KEY)))
        self.end_headers()
        self.wfile.write(_REFUSED_KEY)

    do_GET = do_DELETE = do_PATCH = do_POST  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Nowhere."""


@contextmanager
def frozen() -> Iterator[int]:
    """Takes connections, and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
        yield server.getsockname()[1]


@contextmanager
def refusing() -> Iterator[int]:
    yield free_port()


@contextmanager
def wrong_key() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _NoKeyIsGood) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


SERVERS = {"frozen": frozen, "refusing": refusing, "wrong key": wrong_key}


@pytest.fixture(autouse=True)
def _little_patience(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With who answers there is more than a busy machine needs."""
    is_frozen = "way" not in request.fixturenames or request.getfixturevalue("way") == "frozen"
    seconds = PATIENCE_SECONDS if is_frozen else 60.0
    within = timedelta(seconds=seconds)
    monkeypatch.setattr(patience, "ANSWERS_WITHIN_SECONDS", seconds)
    monkeypatch.setattr(temporal, "WITHIN", within)
    monkeypatch.setattr(deploy_session, "CONNECT_TIMEOUT", within)
    monkeypatch.chdir(tmp_path)
    settings = {
        "SUPABASE_SERVICE_ROLE_KEY": "a-key",
        "NOVU_SECRET_KEY": "a-key",
        "DAEMON_ENTERPRISE_IDS": "acme",
        "TEMPORAL_WORKER_DEPLOYMENT_NAME": "xnovu",
        "XDG_STATE_HOME": str(tmp_path),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)


def asked(monkeypatch: pytest.MonkeyPatch, port: int, command: list[str]) -> dict[str, str]:
    """What went wrong as a program reads it: message and hint, of a check's first problem too."""
    monkeypatch.setenv("SUPABASE_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("NEXT_PUBLIC_SUPABASE_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("NOVU_API_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("TEMPORAL_ADDRESS", f"127.0.0.1:{port}")
    answer = CliRunner().invoke(app, [*command, "--json"])
    said = json.loads(answer.stdout)
    found: dict[str, str] = said["error"] if "error" in said else said["problems"][0]
    assert answer.exit_code == (found.get("exit_code") or 1)
    assert not [word for word in _FOREIGN if word in found["message"]], found
    return found


@pytest.mark.parametrize("way", SERVERS)
@pytest.mark.parametrize("command", OF_THE_ROWS.values(), ids=OF_THE_ROWS.keys())
def test_a_database_that_does_not_answer_is_told_in_our_words(
    monkeypatch: pytest.MonkeyPatch, way: str, command: list[str]
) -> None:
    with SERVERS[way]() as port:
        found = asked(monkeypatch, port, command)

    expected = {
        "frozen": f"no answer within {PATIENCE_SECONDS:g} s",
        "refusing": "no connection (ConnectError)",
        "wrong key": "HTTP 401",
    }
    assert expected[way] in found["message"]
    if way == "wrong key" and command[0] != "doctor":
        assert "SUPABASE_SERVICE_ROLE_KEY" in found["hint"]


@pytest.mark.parametrize("command", OF_SEVERAL.values(), ids=OF_SEVERAL.keys())
def test_what_asks_several_servers_waits_for_none_that_is_frozen(
    monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    with frozen() as port:
        assert f"no answer within {PATIENCE_SECONDS:g} s" in asked(monkeypatch, port, command)["message"]


@pytest.mark.parametrize("way", ["frozen", "refusing"])
@pytest.mark.parametrize("command", OF_TEMPORAL.values(), ids=OF_TEMPORAL.keys())
def test_a_temporal_that_does_not_answer_is_told_in_our_words(
    monkeypatch: pytest.MonkeyPatch, way: str, command: list[str]
) -> None:
    with SERVERS[way]() as port:
        found = asked(monkeypatch, port, command)

    expected = {"frozen": f"no answer within {PATIENCE_SECONDS:g} s", "refusing": "Connection refused"}
    assert expected[way] in found["message"]
    assert found["hint"]


@pytest.mark.parametrize("way", ["frozen", "refusing"])
def test_status_tells_of_a_temporal_that_does_not_answer(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    monkeypatch.setattr(orchestration_report, "CALL_TIMEOUT", temporal.WITHIN)
    with SERVERS[way]() as port:
        monkeypatch.setenv("TEMPORAL_ADDRESS", f"127.0.0.1:{port}")
        answer = CliRunner().invoke(app, ["daemon", "status", "--json"])

    said = json.loads(answer.stdout)["orchestration"]
    assert (answer.exit_code, said["state"]) == (3, "unreachable")
    expected = {"frozen": f"no answer within {PATIENCE_SECONDS:g} s", "refusing": "Connection refused"}
    assert said["reason"] == f"Temporal at 127.0.0.1:{port}: {expected[way]}"


@pytest.mark.parametrize("way", SERVERS)
@pytest.mark.parametrize("command", OF_NOVU.values(), ids=OF_NOVU.keys())
def test_a_novu_that_does_not_answer_is_told_in_our_words(
    monkeypatch: pytest.MonkeyPatch, way: str, command: list[str]
) -> None:
    with SERVERS[way]() as port:
        found = asked(monkeypatch, port, command)

    expected = {
        "frozen": "no answer (ReadTimeout)",
        "refusing": "no answer (ConnectError)",
        "wrong key": "HTTP 401: check NOVU_SECRET_KEY",
    }
    assert expected[way] in found["message"]
    assert ("NOVU_SECRET_KEY" if way == "wrong key" else "is NOVU_API_URL right?") in found["hint"]


def test_no_command_waits_longer_than_five_seconds_with_its_own_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()

    bounds = [
        temporal.WITHIN,
        deploy_session.CONNECT_TIMEOUT,
        processing.CALL_TIMEOUT,
        orchestration_report.CALL_TIMEOUT,
    ]
    assert max(bounds) == timedelta(seconds=patience.ANSWERS_WITHIN_SECONDS) == timedelta(seconds=3)
    assert network.WITHIN_SECONDS == orchestration_report.ANSWER_WITHIN_SECONDS == patience.ANSWERS_WITHIN_SECONDS
