"""`xnovu daemon logs`: the last lines, those that come, and nothing that commands the terminal."""

import errno
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import cli.daemon_logs
from cli.__main__ import app
from cli.daemon_log import MOST_BYTES, OLD_ONES, DaemonLog
from cli.daemon_record import DaemonBook
from cli.log_lines import LineForPeople, follow, last_lines

WARNING = {
    "timestamp": "2026-03-02T12:00:00.000+00:00",
    "level": "warn",
    "component": "TemporalService",
    "event": "temporal_away",
    "why": "no answer\x1b[2J",
}


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "xnovu"
    directory.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return directory / "daemon.log"


def write(log: Path, text: str) -> None:
    log.write_text(text)
    log.chmod(0o600)


def logs(*options: str) -> Result:
    return CliRunner().invoke(app, ["daemon", "logs", *options])


@pytest.mark.parametrize(("count", "expected"), [(2, "c\nd\n"), (100, "a\nb\nc\nd\n"), (0, "")])
def test_the_last_whole_lines_are_printed(log: Path, count: int, expected: str) -> None:
    write(log, "a\nb\nc\nd\nhalf of o")

    assert logs("-n", str(count)).stdout == expected


def test_what_a_line_holds_does_not_reach_the_terminal(log: Path) -> None:
    write(log, "planted \x1b[2J\n")

    assert logs().stdout == "planted \\u001b[2J\n"


def test_a_line_is_for_people_what_the_daemon_writes_on_a_terminal() -> None:
    text, level = LineForPeople().read(json.dumps(WARNING).encode())

    assert (text, level) == ('12:00:00.000 warn  TemporalService: temporal_away why="no answer\\u001b[2J"', "warn")
    assert LineForPeople().read(b"Killed") == ("Killed", "")
    assert LineForPeople().read(b"[1]") == ("[1]", "")


@pytest.mark.parametrize("length", [10, 70_000, 200_000])
def test_lines_longer_than_a_piece_are_whole(tmp_path: Path, length: int) -> None:
    file = tmp_path / "log"
    file.write_bytes(b"".join(b"%d%s\n" % (number, b"x" * length) for number in range(5)))
    descriptor = os.open(file, os.O_RDONLY)

    lines, place = last_lines(descriptor, 2)

    os.close(descriptor)
    assert [(line[:1], len(line)) for line in lines] == [(b"3", length + 1), (b"4", length + 1)]
    assert place == file.stat().st_size


def test_lines_are_followed_as_they_come_and_from_the_beginning_of_a_log_that_begins_anew(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_bytes(b"old\nhal")
    descriptor = os.open(file, os.O_RDONLY)
    _, place = last_lines(descriptor, 1)
    writings: Iterator[bytes] = iter([b"old\nhalf\nmore\n", b"n\n", b"n\nlast words"])
    alive = [True, True, True, False]

    def write_on(_: float) -> None:
        file.write_bytes(next(writings))

    followed = list(follow(descriptor, place, lambda: alive.pop(0), sleep=write_on))

    os.close(descriptor)
    assert followed == [b"half", b"more", b"n", b"last words"]


def test_following_the_log_of_a_daemon_that_has_ended_ends(log: Path) -> None:
    write(log, "a\nb\n")

    answer = logs("-f", "-n", "1")

    assert (answer.exit_code, answer.stdout) == (0, "b\n")


def test_no_log_is_said_to_be_none(log: Path) -> None:
    answer = logs("--json")

    error = json.loads(answer.stdout)["error"]
    assert answer.exit_code == error["exit_code"] == cli.daemon_logs.EXIT_NO_LOG
    assert f"There is no {log}" in error["message"]


def test_a_log_that_is_a_link_is_not_followed(log: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("password\n")
    log.symlink_to(tmp_path / "secret")

    answer = logs()

    assert answer.exit_code == 1
    assert "password" not in answer.output


def test_a_log_is_begun_anew_before_it_is_too_large_and_the_latest_old_ones_stay(log: Path) -> None:
    handler = DaemonLog(DaemonBook(), most_bytes=1000)

    for number in range(100):
        handler.handle(logging.LogRecord("x", logging.INFO, "", 0, f"line {number:04} {'.' * 90}", (), None))
    handler.close()

    files = {file.name: file for file in log.parent.glob("daemon.log*")}
    assert files.keys() == {"daemon.log", *(f"daemon.log.{ago}" for ago in range(1, OLD_ONES + 1))}
    assert all(file.stat().st_size <= 1000 for file in files.values())
    assert all(file.stat().st_mode & 0o077 == 0 for file in files.values())
    lines = logs("-n", "30").stdout.splitlines()
    assert [line[:9] for line in lines] == [f"line {number:04}" for number in range(70, 100)]
    assert len(logs("-n", "1000").stdout.splitlines()) == sum(
        len(file.read_text().splitlines()) for file in files.values()
    )


def test_who_writes_on_after_a_log_was_begun_anew_writes_into_the_new_one(log: Path) -> None:
    write(log, "before\n")
    additional_worker = os.open(log, os.O_WRONLY | os.O_APPEND)

    DaemonBook().begin_log_anew(OLD_ONES)
    os.write(additional_worker, b"after\n")
    os.close(additional_worker)

    assert (log.read_text(), log.with_name("daemon.log.1").read_text()) == ("after\n", "before\n")
    assert logs().stdout == "before\nafter\n"


def test_where_there_is_no_room_for_the_old_one_the_new_lines_are_kept(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "no space left")

    write(log, "before\n")
    monkeypatch.setattr(os, "sendfile", full)

    DaemonBook().begin_log_anew(OLD_ONES)

    assert log.read_text() == ""


def test_a_daemon_in_the_background_has_such_a_log_and_the_document_says_how_large(log: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text()

    assert f"`daemon.log` is begun anew at {MOST_BYTES // 1024**2} MiB, and the {OLD_ONES} before it are kept" in text
