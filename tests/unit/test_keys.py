"""A key that is replaced in its file: taken up at once, given back where it is refused, and never lost in between."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from shared.key_watch import watching
from shared.keys import Key, KeyRefused, key_of, novu_auth, supabase_auth
from shared.supervision import Supervisor

OLD, NEW, WRONG = "old-key", "new-key", "wrong-key"


class Service:
    """Believes some keys, and remembers with which it was asked."""

    def __init__(self, *believed: str) -> None:
        self.believed = set(believed)
        self.asked: list[str] = []
        self.answer = 200

    def client(self, key: Key) -> httpx.AsyncClient:
        return httpx.AsyncClient(auth=novu_auth(key), transport=httpx.MockTransport(self._respond))

    def _respond(self, request: httpx.Request) -> httpx.Response:
        secret = request.headers["authorization"].removeprefix("ApiKey ")
        self.asked.append(secret)
        return httpx.Response(self.answer if secret in self.believed else 401)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "novu"
    path.write_text(f"{OLD}\n")
    return path


def put(file: Path, content: str | None) -> None:
    if content is None:
        file.unlink()
    else:
        file.write_text(content)


def key_in(file: Path) -> Key:
    return Key("NOVU_SECRET_KEY", OLD, file)


async def statuses(client: httpx.AsyncClient, requests: Iterable[str]) -> list[int]:
    return [(await client.post("http://novu.example/", content=each)).status_code for each in requests]


async def test_a_new_key_is_taken_up_while_requests_go_on(file: Path) -> None:
    service, key = Service(OLD, NEW), key_in(file)
    async with service.client(key) as client:
        assert await statuses(client, "a") == [200]
        put(file, NEW)
        await key.look()
        assert await statuses(client, "bc") == [200, 200]

    assert service.asked == [OLD, NEW, NEW]


async def test_a_key_that_is_gone_already_has_its_file_read_at_once(file: Path) -> None:
    """As at Novu, where the former key ends with the moment that makes its successor."""
    service, key = Service(NEW), key_in(file)
    put(file, NEW)
    async with service.client(key) as client:
        assert await statuses(client, "ab") == [200, 200]

    assert service.asked == [OLD, NEW, NEW]


async def test_many_requests_at_that_moment_all_succeed(file: Path) -> None:
    service, key = Service(NEW), key_in(file)
    put(file, NEW)
    async with service.client(key) as client:
        answers = await asyncio.gather(*(client.get("http://novu.example/") for _ in range(50)))

    assert {answer.status_code for answer in answers} == {200}


async def test_the_old_key_goes_on_where_the_new_one_is_refused(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    service, key = Service(OLD), key_in(file)
    async with service.client(key) as client:
        await statuses(client, "a")
        put(file, WRONG)
        await key.look()
        with caplog.at_level(logging.WARNING):
            assert await statuses(client, "bcd") == [200, 200, 200]
        await key.look()

    assert service.asked == [OLD, WRONG, OLD, OLD, OLD]
    assert key.current == OLD
    assert [record.message for record in caplog.records] == ["key_refused"]
    assert WRONG not in caplog.text


@pytest.mark.real_time  # its file is read in a thread
async def test_what_is_refused_is_told_until_it_is_put_right(file: Path) -> None:
    service, key = Service(OLD, NEW), key_in(file)
    parts = Supervisor(first_backoff_seconds=0.05, steady_seconds=0.2)
    async with service.client(key) as client:
        with watching(parts, [key], 0.05):
            put(file, WRONG)
            await _until(lambda: key.current == WRONG)
            await statuses(client, "a")
            await _until(lambda: bool(parts.failing()))
            [failing] = parts.failing()
            assert (failing.part, failing.last_fault) == ("NOVU_SECRET_KEY", KeyRefused.__name__)

            put(file, NEW)
            await _until(lambda: key.current == NEW)
            assert await statuses(client, "b") == [200]
            await _until(lambda: not parts.failing())

    assert service.asked == [WRONG, OLD, NEW]


async def test_the_old_key_put_back_is_right(file: Path) -> None:
    service, key = Service(OLD), key_in(file)
    async with service.client(key) as client:
        put(file, WRONG)
        await key.look()
        await statuses(client, "a")
        put(file, OLD)
        await key.look()
        watching_it = asyncio.create_task(key.watch(1))
        await asyncio.sleep(3)

    assert not watching_it.done()
    watching_it.cancel()


async def test_an_answer_that_comes_late_says_nothing_of_the_new_key(file: Path) -> None:
    key = key_in(file)
    put(file, NEW)
    await key.look()

    key.believed(OLD)

    assert key.current == NEW
    assert await key.instead_of(NEW) == OLD


async def test_a_refusal_is_the_callers_where_no_other_key_is_there(file: Path) -> None:
    service, key = Service(), key_in(file)
    async with service.client(key) as client:
        assert await statuses(client, "a") == [401]

    assert service.asked == [OLD]


async def test_faults_of_the_service_are_no_refusals(file: Path) -> None:
    service, key = Service(OLD, NEW), key_in(file)
    service.answer = 503
    put(file, NEW)
    await key.look()
    async with service.client(key) as client:
        assert await statuses(client, "a") == [503]

    assert service.asked == [NEW]


@pytest.mark.parametrize("content", ["", "two words", "ключ", None])
async def test_a_file_that_is_being_written_or_wrong_changes_nothing(file: Path, content: str | None) -> None:
    key = key_in(file)
    put(file, content)

    await key.look()

    assert key.current == OLD


async def test_a_key_of_the_environment_stays_and_is_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOVU_SECRET_KEY_FILE", raising=False)
    key = key_of("NOVU_SECRET_KEY", SecretStr(OLD))

    await asyncio.wait_for(key.watch(1), 5)

    assert key.current == OLD


async def test_supabase_is_told_the_key_twice() -> None:
    asked: list[httpx.Headers] = []

    def respond(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers)
        return httpx.Response(200)

    key = Key("SUPABASE_SERVICE_ROLE_KEY", OLD)
    async with httpx.AsyncClient(auth=supabase_auth(key), transport=httpx.MockTransport(respond)) as client:
        await client.get("http://supabase.example/", headers={"apikey": "of the library"})

    assert (asked[0]["apikey"], asked[0]["authorization"]) == (OLD, f"Bearer {OLD}")


def test_a_key_does_not_show_itself() -> None:
    assert OLD not in repr(Key("NOVU_SECRET_KEY", OLD)) + str(Key("NOVU_SECRET_KEY", OLD))


async def _until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not is_so():  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0.02)
