"""infra/cloudbuild/verify with the real curl, against servers on loopback: what a deployment is really asked."""

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

VERIFY = Path(__file__).parents[2] / "infra" / "cloudbuild" / "verify"
BUILD = "sha256:" + "0f1e2d3c" * 8
BEFORE = "sha256:" + "a" * 64
BODY = {"enterpriseId": "acme", "workflowKey": "welcome", "recipients": ["nobody"], "payload": {}}

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@dataclass
class Functions:
    """Answers as `status` and `trigger` do, to whoever brings the token that was made for this address."""

    address: str = ""
    builds: list[str] = field(default_factory=lambda: [BUILD])
    """Which build `status` tells of, call by call; the last of them from then on."""
    asked: list[str] = field(default_factory=list)

    def answer(self, method: str, path: str, authorization: str, body: bytes) -> tuple[int, object]:
        self.asked.append(f"{method} {path}")
        if authorization != f"Bearer token-for-{self.address}":
            return 401, {}
        if (method, path) == ("GET", "/status"):
            build = self.builds.pop(0) if len(self.builds) > 1 else self.builds[0]
            processes = [{"component": "listener", "build": build}, {"component": "worker", "build": "older"}]
            return 200, {"status": "healthy", "build": build, "processes": processes}
        if (method, path) == ("POST", "/trigger?dryRun=true") and json.loads(body) == BODY:
            return 200, {"success": True, "workflowId": None, "runId": None, "dryRun": True}
        return 404, {}


@pytest.fixture
def functions() -> Iterator[Functions]:
    made = Functions()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            authorization = self.headers.get("Authorization", "")
            status, answer = made.answer(self.command, self.path, authorization, body)
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Nothing: stderr is the test's."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield made
        server.shutdown()
        thread.join()


def verify(folder: Path, functions: Functions, *, within_seconds: int = 45) -> subprocess.CompletedProcess[str]:
    environment = folder / "infra" / "terraform" / "environments" / "dev"
    environment.mkdir(parents=True)
    (environment / "dry_run.json").write_text(json.dumps(BODY))
    build = folder / "build"
    build.mkdir()
    (build / "applied").write_text("whole\n")
    (build / "image").write_text(f"registry/xnovu@{BUILD}\n")
    (build / "functions.json").write_text(
        json.dumps({name: {"uri": functions.address} for name in ("status", "trigger")})
    )
    tools = folder / "tools"
    tools.mkdir()
    (tools / "gcloud").write_text('#!/bin/sh\necho "token-for-${3#--audiences=}"\n')
    (tools / "gcloud").chmod(0o755)
    given = {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "ENVIRONMENT": "dev"}
    given |= {"WITHIN_SECONDS": str(within_seconds), "EVERY_SECONDS": "0.1", "NO_PROXY": "127.0.0.1"}
    return subprocess.run([str(VERIFY)], cwd=folder, env=given, capture_output=True, text=True, timeout=60)


def test_a_deployment_is_asked_how_it_is_and_to_try_a_notification(tmp_path: Path, functions: Functions) -> None:
    ended = verify(tmp_path, functions)

    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "build" / "verified").read_text() == "passed\n", ended.stderr
    assert functions.asked == ["GET /status", "POST /trigger?dryRun=true"]
    assert "token-for" not in ended.stdout + ended.stderr


def test_the_build_before_is_asked_again_until_the_new_one_answers(tmp_path: Path, functions: Functions) -> None:
    functions.builds = [BEFORE, BEFORE, BUILD]

    ended = verify(tmp_path, functions)

    assert (tmp_path / "build" / "verified").read_text() == "passed\n", ended.stderr
    assert functions.asked == ["GET /status"] * 3 + ["POST /trigger?dryRun=true"]


def test_when_time_is_up_the_build_before_is_not_taken_for_the_new_one(tmp_path: Path, functions: Functions) -> None:
    functions.builds = [BEFORE]

    ended = verify(tmp_path, functions, within_seconds=0)

    assert ended.returncode == 0, "what follows has to roll back"
    assert (tmp_path / "build" / "verified").read_text() == "failed\n"
    assert functions.asked == ["GET /status"]
    assert BEFORE in ended.stderr
