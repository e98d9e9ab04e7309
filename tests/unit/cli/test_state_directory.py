"""The state directory must be ours: whoever can write there chooses which process `stop` ends."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from cli.daemon_launch import Outcome, stop
from cli.daemon_record import DaemonBook, process_of
from cli.state_directory import StateDirectory, StateDirectoryRefused

RECORD: dict[str, object] = {"pid": 7, "started_after_boot_seconds": 1.0, "health_host": "h", "health_port": 1}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "xnovu"


def _of_another_user(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home.mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)


def _writable_by_others(home: Path, _: pytest.MonkeyPatch) -> None:
    home.mkdir()
    home.chmod(0o777)


def _writable_by_the_group(home: Path, _: pytest.MonkeyPatch) -> None:
    home.mkdir()
    home.chmod(0o770)


def _a_link(home: Path, _: pytest.MonkeyPatch) -> None:
    elsewhere = home.with_name("elsewhere")
    elsewhere.mkdir()
    home.symlink_to(elsewhere)


def _a_file(home: Path, _: pytest.MonkeyPatch) -> None:
    home.touch()


@pytest.mark.parametrize("made", [_of_another_user, _writable_by_others, _writable_by_the_group, _a_link, _a_file])
def test_a_directory_that_is_not_ours_alone_is_refused_by_name_and_left_as_it_is(
    home: Path, monkeypatch: pytest.MonkeyPatch, made: Callable[[Path, pytest.MonkeyPatch], None]
) -> None:
    made(home, monkeypatch)

    for use in (DaemonBook(home).running, DaemonBook(home).open_log, DaemonBook(home).forget):
        with pytest.raises(StateDirectoryRefused, match=str(home)) as refused:
            use()
        assert "XDG_STATE_HOME" in refused.value.hint

    assert not home.is_dir() or list(home.iterdir()) == []


@pytest.mark.parametrize("name", ["daemon.log", "daemon.lock", "daemon.json"])
def test_a_link_in_it_is_not_followed(home: Path, name: str) -> None:
    home.mkdir(mode=0o700)
    victim = home.with_name("victim")
    victim.write_text("as it was")
    (home / name).symlink_to(victim)
    book = DaemonBook(home)

    with pytest.raises(StateDirectoryRefused, match=name):
        book.open_log() if name == "daemon.log" else book.running() or book.is_held()

    assert victim.read_text() == "as it was"


def test_what_is_written_anew_takes_the_place_of_a_link(home: Path) -> None:
    home.mkdir(mode=0o700)
    victim = home.with_name("victim")
    victim.write_text("as it was")
    for name in ("dev.env", "dev.env.draft"):
        (home / name).symlink_to(victim)

    DaemonBook(home).write_environment("export A=1\n")

    assert victim.read_text() == "as it was"
    assert (home / "dev.env").read_text() == "export A=1\n"
    assert (home / "dev.env").stat().st_mode & 0o077 == 0


def test_what_is_no_plain_file_is_not_waited_for(home: Path) -> None:
    home.mkdir(mode=0o700)
    os.mkfifo(home / "daemon.json")

    with pytest.raises(StateDirectoryRefused, match=r"daemon\.json is no plain file"):
        DaemonBook(home).running()


def test_a_file_that_others_can_write_to_is_not_believed(home: Path) -> None:
    home.mkdir(mode=0o700)
    (home / "daemon.json").write_text("{}")
    (home / "daemon.json").chmod(0o666)

    with pytest.raises(StateDirectoryRefused, match="can be written to by others"):
        DaemonBook(home).running()


def test_it_is_made_for_nobody_else(home: Path) -> None:
    os.close(StateDirectory(home).open("a", os.O_CREAT | os.O_WRONLY))

    assert (home.stat().st_mode & 0o777, (home / "a").stat().st_mode & 0o777) == (0o700, 0o600)


@pytest.mark.parametrize(
    "record",
    [
        *("", "{", "[]", "[" * 60_000, '{"pid": 1}', "\x00" * 100, '{"pid": ' + "9" * 5000 + "}"),
        *(
            json.dumps({**RECORD, **wrong})
            for wrong in ({"pid": -1}, {"pid": 0}, {"pid": 2**40}, {"pid": "x"}, {"more": 1})
        ),
    ],
)
def test_a_daemon_whose_record_says_nothing_is_not_waited_for(home: Path, record: str) -> None:
    book = DaemonBook(home)

    with book.held():
        book.record_file.write_text(record)
        outcome = stop(book, timeout_seconds=20)
        assert book.record_file.exists()

    assert outcome is Outcome.UNKNOWN


def test_a_record_that_names_a_process_of_another_user_names_none(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    process = psutil.Process()
    book = DaemonBook(home)
    with book.held():
        started = process.create_time() - psutil.boot_time()
        content = {"pid": process.pid, "started_after_boot_seconds": started, "health_host": "h", "health_port": 1}
        book.record_file.write_text(json.dumps(content))
        record = book.running()
        assert record is not None

        monkeypatch.setattr(os, "getuid", lambda: process.uids().real + 1)

        assert process_of(record) is None
        assert book.running() is None
