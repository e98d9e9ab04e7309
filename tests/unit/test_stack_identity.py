"""A stack that is started again where one was has its ports and keys; a taken port is said before anything starts."""

import asyncio
import socket
from pathlib import Path

import pytest

from stack.identity import Identity
from stack.local import LocalStack
from stack.occupancy import LOCK, occupied, remove
from stack.processes import PartFailed


def test_what_was_kept_is_the_same_again_and_nobody_else_s_to_read(tmp_path: Path) -> None:
    first = Identity.kept_in(tmp_path / "stack.json")

    assert Identity.kept_in(tmp_path / "stack.json") == first
    assert (tmp_path / "stack.json").stat().st_mode & 0o077 == 0
    assert Identity() != Identity()


def test_two_stacks_in_one_directory_one_after_the_other_are_reached_alike(tmp_path: Path) -> None:
    first, second = (LocalStack(tmp_path) for _ in range(2))

    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "password").write_text("secret")

    assert dict(first.environment) == dict(second.environment)
    assert LocalStack(tmp_path / "elsewhere").temporal.address != first.temporal.address


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"ports": {"kitchen": 1}}'])
def test_what_nobody_wrote_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "stack.json").write_text(content)

    with pytest.raises(PartFailed, match=r"stack\.json is not as it was written"):
        LocalStack(tmp_path)


def test_taken_ports_are_named_before_anything_starts(tmp_path: Path) -> None:
    stack = LocalStack(tmp_path)

    with socket.create_server(("127.0.0.1", stack.edge.port)), pytest.raises(PartFailed) as failed:
        asyncio.run(stack.start())

    assert str(failed.value).startswith(f"edge cannot start: port {stack.edge.port} is taken by another process\n")
    assert str(tmp_path / "stack.json") in str(failed.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["stack.json", LOCK]


def test_a_directory_is_one_stack_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stack.occupancy._ENDS_WITHIN_SECONDS", 0.1)

    with occupied(tmp_path / "stack"):
        with pytest.raises(PartFailed, match="another one runs in"), occupied(tmp_path / "stack"):
            pass
        with pytest.raises(PartFailed, match="another one runs in"):
            remove(tmp_path / "stack")
    remove(tmp_path / "stack")
    remove(tmp_path / "stack")

    assert not (tmp_path / "stack").exists()
