"""An enterprise's own key to Novu that is not believed is named by its variable, and not by the deployment's."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from functools import partial
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from cli.__main__ import app
from cli.supabase_session import supabase_session
from shared.keys import Key
from shared.notification.recipient import ProviderCredentials, Recipient
from shared.ports import ActivityUnavailable, CancelFailed, TriggerEvent, TriggerFault
from shared.settings import WorkerSettings
from shared.supabase.novu_token_store import enterprise_tokens
from shared.supabase.sql_function import call_function
from worker.bootstrap import _Opening
from worker.delivery_account import DeliveryAccount
from worker.novu_accounts import NovuAccount
from worker.own_rates import OwnRates

ACME = "NOVU_SECRET_KEY__ACME"
NAMED = f"HTTP 401: check {ACME}, and that NOVU_API_URL is of its region"


@pytest.fixture
def environment(local_stack: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    for name, value in local_stack.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(ACME, "of-another-environment")
    return local_stack


@pytest.fixture
async def account(environment: Mapping[str, str]) -> AsyncIterator[NovuAccount]:
    """As a worker opens it for the variable."""
    settings = WorkerSettings.load()
    async with AsyncExitStack() as stack, supabase_session(settings) as client:
        opening = _Opening(
            settings, client, DeliveryAccount(), OwnRates(lambda _: None, partial(enterprise_tokens, client)), 5.0
        )
        yield await opening.open(stack, ACME, Key(ACME, "of-another-environment"))


@pytest.mark.parametrize("count", [1, 30])
async def test_of_events(account: NovuAccount, count: int) -> None:
    events = [TriggerEvent("welcome", ("ada",), {}, {}, f"t-{uuid4().hex}", "acme") for _ in range(count)]

    results = await account.trigger.trigger(events)

    assert [result.reason for result in results if isinstance(result, TriggerFault)] == [NAMED] * count


async def test_of_everything_else_that_a_worker_asks(account: NovuAccount) -> None:
    ada = Recipient("ada", {}, (ProviderCredentials("fcm", {"deviceTokens": ["a"]}),))

    given = await account.credentials.give_credentials(ada)
    with pytest.raises(CancelFailed) as cancelled:
        await account.cancelling.cancel("nobody-s")
    with pytest.raises(ActivityUnavailable) as asked:
        await account.activity.notifications(["t"], 0, 10)

    assert isinstance(given, TriggerFault)
    assert (given.reason, cancelled.value.fault.reason, str(asked.value)) == (NAMED, NAMED, f"Novu answered {NAMED}")


@pytest.mark.parametrize(
    "command",
    [
        ["recipient", "show", "ada"],
        ["erase", "--recipient", "ada", "--yes"],
        ["novu", "plan"],
        ["doctor", "novu"],
    ],
    ids=" ".join,
)
def test_of_commands(environment: Mapping[str, str], command: list[str]) -> None:
    enterprise_id = f"keyed-{uuid4().hex[:8]}"
    asyncio.run(_give_key(enterprise_id))
    options = [] if command[0] == "doctor" else ["--enterprise", enterprise_id, "--json"]

    answer = CliRunner().invoke(app, [*command, *options])

    assert answer.exit_code != 0
    assert ACME in answer.output
    assert "NOVU_SECRET_KEY " not in answer.output


async def _give_key(enterprise_id: str) -> None:
    async with supabase_session(WorkerSettings.load()) as client:
        await call_function(client, "set_enterprise", p_enterprise_id=enterprise_id, p_settings={"novu_key_name": ACME})
