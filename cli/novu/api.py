"""Novu's HTTP interface, as far as keeping workflows needs it: within the deployment's share of its rate, passing
faults repeated.

Repeating is harmless everywhere: what is made twice by a POST whose answer was lost has another identifier than was
asked for, which its caller sees and takes away.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_delay, wait_random_exponential

from cli import patience
from shared.bounded_answers import bound_answers
from shared.novu.answers import KEY_NAME
from shared.novu.rates import UNMETERED
from shared.novu.retry_after import retry_after_seconds
from shared.ports import FaultCode, NovuRates, PutOff

REQUEST_TIMEOUT = httpx.Timeout(60.0, connect=5.0)
LONGEST_ANSWER_BYTES = 32 * 1024 * 1024
PAGE_WORKFLOWS = 100
REPEATED_FOR_SECONDS = 90.0
LONGEST_MESSAGE = 300
TOKEN_WITHIN_SECONDS = 30.0
"""For a token of the rate that the deployment's workers take theirs from."""

_PASSING = {429, 500, 502, 503, 504}
_BACKOFF = wait_random_exponential(multiplier=0.5, max=10)

CLOSED = (
    "this Novu does not open /v2/workflows to API keys, as self-hosted ones of 2024 do not: update it, or make the"
    " workflows in its dashboard (docs/novu.md)."
)
_HINTS = {
    401: "{key_name} and NOVU_API_URL must be of one region and environment.",
    402: "Novu's plan is used up, or the organisation is paused: see its billing page.",
    403: "the key is of another environment than the one that was named.",
    429: "Novu's rate is used up by others: try again later.",
}

Item = TypeVar("Item")
Result = TypeVar("Result")
Category = Literal["configuration", "global"]


NO_ANSWER_HINT = "is NOVU_API_URL right? xnovu doctor novu says more; else try again later."


class NovuFailed(Exception):
    """Novu refused, or did not answer. `status` is None without an answer; `hint` says what to do."""

    def __init__(self, message: str, *, status: int | None = None, hint: str = NO_ANSWER_HINT, pause: float = 0):
        super().__init__(message)
        self.status = status
        self.hint = hint
        self.pause_seconds = pause

    @property
    def is_passing(self) -> bool:
        """Whether the same may be answered otherwise in a while."""
        return self.status is None or self.status in _PASSING


@dataclass(frozen=True, slots=True)
class NovuEnvironment:
    """One of the organisation's; of its keys nothing is kept."""

    id: str
    name: str
    identifier: str
    kind: str


@dataclass(frozen=True, slots=True)
class ListedWorkflow:
    """A workflow as the list shows it. `step_types` is None from versions that do not show it."""

    id: str
    key: str
    tags: tuple[str, ...]
    status: str
    origin: str
    updated_at: str
    step_types: tuple[str, ...] | None


class NovuApi:
    """Every method raises NovuFailed. Until Novu has answered once, a request without an answer is not repeated, and
    has little time: whoever waits for the command is told soon.
    """

    def __init__(self, client: httpx.AsyncClient, rates: NovuRates = UNMETERED, *, key_name: str = KEY_NAME) -> None:
        self._client = client
        self._key_name = key_name
        self._rates = rates
        self._has_answered = False

    def _is_to_be_repeated(self, error: BaseException) -> bool:
        return isinstance(error, NovuFailed) and error.is_passing and self._has_answered

    async def my_environment(self) -> NovuEnvironment:
        """The key's own."""
        answer = await self._data("GET", "/v1/environments/me", category="global")
        with _read_as_novus("GET /v1/environments/me"):
            return _environment(answer)

    async def environments(self) -> list[NovuEnvironment]:
        answer = await self._data("GET", "/v1/environments", category="global")
        with _read_as_novus("GET /v1/environments"):
            return [_environment(one) for one in answer]

    async def list_workflows(self) -> list[ListedWorkflow]:
        """All of the environment, a hundred a request."""
        found: dict[str, ListedWorkflow] = {}
        offset = 0
        while True:
            page = await self._data("GET", "/v2/workflows", params={"limit": PAGE_WORKFLOWS, "offset": offset})
            with _read_as_novus("GET /v2/workflows"):
                # By key: what is made or deleted meanwhile moves the pages.
                found |= {one["workflowId"]: _listed(one) for one in page["workflows"]}
                offset += len(page["workflows"])
                if not page["workflows"] or offset >= page["totalCount"]:
                    return list(found.values())

    async def find_workflow(self, key: str) -> dict[str, Any] | None:
        """Whole; None if there is none."""
        try:
            return _object(await self._data("GET", _path(key)))
        except NovuFailed as failed:
            if failed.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    async def create_workflow(self, key: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """What was made: under another identifier than `key` where that was taken, or this Novu chooses itself."""
        return _object(await self._data("POST", "/v2/workflows", json={"workflowId": key, **body}))

    async def replace_workflow(self, key: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return _object(await self._data("PUT", _path(key), json=body))

    async def delete_workflow(self, key: str) -> None:
        """Also where there is none."""
        try:
            await self._request("DELETE", _path(key), "configuration")
        except NovuFailed as failed:
            if failed.status != HTTPStatus.NOT_FOUND:
                raise

    async def publish_workflow(self, key: str, environment_id: str) -> dict[str, Any]:
        """The workflow as it is in the other environment now."""
        json = {"targetEnvironmentId": environment_id}
        return _object(await self._data("PUT", f"{_path(key)}/sync", json=json))

    async def diff(self, source_id: str, target_id: str) -> list[Mapping[str, Any]]:
        """What is different in the target: Novu's `resources`."""
        path = f"/v2/environments/{quote(target_id, safe='')}/diff"
        answer = await self._data("POST", path, json={"sourceEnvironmentId": source_id}, category="global")
        with _read_as_novus(f"POST {path}"):
            return list(answer["resources"])

    async def active_integrations(self) -> list[Mapping[str, Any]]:
        return list(await self._data("GET", "/v1/integrations/active", category="global"))

    async def _data(self, method: str, path: str, *, category: Category = "configuration", **how: Any) -> Any:
        response = await self._request(method, path, category, **how)
        with _read_as_novus(f"{method} {path}"):
            return response.json()["data"]

    async def _request(self, method: str, path: str, category: Category, **how: Any) -> httpx.Response:
        async for attempt in AsyncRetrying(
            retry=retry_if_exception(self._is_to_be_repeated),
            wait=_pause_seconds,
            stop=stop_after_delay(REPEATED_FOR_SECONDS),
            reraise=True,
        ):
            with attempt:
                if put_off := await self._rates.take(category, "workflows", within_seconds=TOKEN_WITHIN_SECONDS):
                    raise _put_off(method, path, put_off)
                try:
                    timeout = self._client.timeout if self._has_answered else patience.ANSWERS_WITHIN_SECONDS
                    response = await self._client.request(method, path, timeout=timeout, **how)
                    self._has_answered = True
                except httpx.RequestError as error:
                    raise NovuFailed(f"{method} {path}: no answer ({type(error).__name__})") from None
                await self._rates.heed(category, response.status_code, response.headers)
                if not response.is_success:
                    raise _failed(method, path, response, self._key_name)
                return response
        raise AssertionError("tenacity ends by an answer or by raising")


@asynccontextmanager
async def open_novu_api(
    api_url: str, secret_key: str, rates: NovuRates = UNMETERED, *, key_name: str = KEY_NAME
) -> AsyncIterator[NovuApi]:
    """Nothing is sent yet."""
    async with httpx.AsyncClient(
        base_url=api_url,
        headers={"Authorization": f"ApiKey {secret_key}", "Accept": "application/json"},
        timeout=REQUEST_TIMEOUT,
        limits=httpx.Limits(max_connections=10),
    ) as client:
        bound_answers(client, LONGEST_ANSWER_BYTES)
        yield NovuApi(client, rates, key_name=key_name)


AT_ONCE = 6
"""Requests: more would only wait for tokens on small plans."""


async def at_once(work: Callable[[Item], Awaitable[Result]], items: Iterable[Item]) -> list[Result]:
    """Do it for every item, a few at a time. What one of them raises is raised, and the others are given up."""
    places = asyncio.Semaphore(AT_ONCE)

    async def in_turn(item: Item) -> Result:
        async with places:
            return await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(in_turn(item)) for item in items]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]


@contextmanager
def _read_as_novus(request: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError):
        raise NovuFailed(f"{request}: the answer is not Novu's", status=200, hint="check NOVU_API_URL.") from None


def _pause_seconds(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.pause_seconds if isinstance(error, NovuFailed) else 0.0
    return max(asked, _BACKOFF(state))


def _put_off(method: str, path: str, put_off: PutOff) -> NovuFailed:
    """As if Novu had said it: whoever shares the rate has heard it."""
    status = 402 if put_off.code is FaultCode.NOVU_PAYMENT_REQUIRED else 429
    return NovuFailed(
        f"{method} {path}: not asked, {put_off.reason}", status=status, hint=_HINTS[status], pause=put_off.seconds
    )


def _failed(method: str, path: str, response: httpx.Response, key_name: str) -> NovuFailed:
    status = response.status_code
    message = _message(response)
    hint = _HINTS.get(status, "Novu's message says what; docs/novu.md names its limits.").format(key_name=key_name)
    if status == HTTPStatus.UNAUTHORIZED and "not available" in message:
        hint = CLOSED
    pause = retry_after_seconds(response.headers) or 0.0
    return NovuFailed(f"{method} {path}: HTTP {status}, {message}", status=status, hint=hint, pause=pause)


def _message(response: httpx.Response) -> str:
    """Novu's words: one text, a list, or under `errors`."""
    try:
        answer = response.json()
        message = answer["message"]
        if isinstance(answer.get("errors"), Mapping):
            message = [text for one in answer["errors"].values() for text in one["messages"]]
        text = "; ".join(message) if isinstance(message, list) else str(message)
    except (ValueError, KeyError, TypeError, AttributeError):
        return "without a message of Novu's"
    return text[:LONGEST_MESSAGE]


def _path(key: str) -> str:
    return f"/v2/workflows/{quote(key, safe='')}"


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise NovuFailed("the answer is not Novu's")
    return value


def _environment(one: Mapping[str, Any]) -> NovuEnvironment:
    return NovuEnvironment(one["_id"], one["name"], one.get("identifier") or "", one.get("type") or "")


def _listed(one: Mapping[str, Any]) -> ListedWorkflow:
    types = one.get("stepTypeOverviews")
    return ListedWorkflow(
        id=one.get("_id") or "",
        key=one["workflowId"],
        tags=tuple(one.get("tags") or ()),
        status=one.get("status") or "ACTIVE",
        origin=one.get("origin") or "novu-cloud",
        updated_at=one.get("updatedAt") or "",
        step_types=None if types is None else tuple(types),
    )
