"""`xnovu doctor novu`: which of several keys Novu does not believe."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from cli.doctor import novu as subject
from shared.ports import CancelFailed, TriggerFault


class _Events:
    def __init__(self, key: str, key_name: str) -> None:
        self._key = key
        self._key_name = key_name

    async def cancel(self, transaction_id: str) -> bool:
        if self._key == "wrong":
            raise CancelFailed(TriggerFault(f"HTTP 401: check {self._key_name}"))
        return False


async def test_the_key_that_is_not_believed_is_named_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    @asynccontextmanager
    async def opened(api_url: str, key: str, *, key_name: str, **_: Any) -> AsyncIterator[_Events]:
        yield _Events(key, key_name)

    monkeypatch.setattr("shared.novu.open_trigger", opened)
    for name, key in {"": "right", "__ACME": "wrong", "__BIG": "right"}.items():
        monkeypatch.setenv(f"NOVU_SECRET_KEY{name}", key)

    [problem] = await subject.check_novu()

    assert "HTTP 401: check NOVU_SECRET_KEY__ACME" in problem.message
    assert "NOVU_SECRET_KEY__ACME and NOVU_API_URL" in problem.hint
    monkeypatch.setenv("NOVU_SECRET_KEY__ACME", "right")
    assert await subject.check_novu() == []
