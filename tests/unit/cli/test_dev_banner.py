"""What a daemon with a stack of its own says of it: a command that works as it stands."""

import shlex
from pathlib import Path

import pytest

from cli.daemon_record import DaemonBook, DaemonRecord
from cli.dev_banner import banner

ADDRESSES = (
    *("SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_ANON_KEY", "NOVU_API_URL", "NOVU_SECRET_KEY"),
    *("TEMPORAL_ADDRESS", "XNOVU_STACK_INBOX_URL", "XNOVU_STACK_TEMPORAL_UI_URL", "XNOVU_STACK_POSTGRES_URL"),
)


@pytest.mark.parametrize(
    ("served", "told", "tried"), [("ent1,ent2", "for ent1, ent2.", "ent1"), ("*", "for whoever comes.", "dev")]
)
def test_the_command_to_try_is_of_an_enterprise_that_has_samples(
    tmp_path: Path, served: str, told: str, tried: str
) -> None:
    book = DaemonBook(tmp_path / "xnovu")
    settings = {**dict.fromkeys(ADDRESSES, "there"), "DAEMON_ENTERPRISE_IDS": served}
    book.write_environment("".join(f"export {name}={shlex.quote(value)}\n" for name, value in settings.items()))

    said = banner(book, DaemonRecord(1, 0.0, "127.0.0.1", 3001))

    [to_try] = [line for line in said.splitlines() if " send " in line]
    words = shlex.split(to_try)
    assert told in said
    assert words[words.index("--enterprise") + 1] == tried
    assert words[words.index("--workflow") + 1] == f"{tried}-hello"
