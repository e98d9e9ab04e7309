"""A command's connections to the rows and to Novu, and how their failures are told."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager

from cli.failure import exit_with_hint, failures_named
from cli.novu.api import NovuApi, NovuFailed, open_novu_api
from cli.novu.key import key_of
from cli.novu.publish import UnknownEnvironment
from cli.novu.rows import WorkflowRows
from cli.supabase_session import supabase_session
from shared.novu.rates import RateKeeper, limits_of
from shared.settings import NovuRateSettings, NovuSettings, SupabaseSettings
from shared.supabase.novu_token_store import SupabaseNovuTokens

EXIT_FAILED = 1
"""Of everything that is an error, wrong usage too: 2 says that there is something to do."""


@asynccontextmanager
async def novu_session(
    supabase: SupabaseSettings,
    novu: NovuSettings,
    rate: NovuRateSettings,
    enterprise_ids: Sequence[str] | None = None,
) -> AsyncIterator[tuple[NovuApi, WorkflowRows]]:
    """Nothing is sent before the first call. Tokens of Novu's rate come from where the workers get theirs. Of
    `enterprise_ids` with a key of their own it is Novu's environment of that key.
    """
    async with supabase_session(supabase) as client:
        key = await key_of(client, novu, enterprise_ids)
        rates = RateKeeper(SupabaseNovuTokens(client, key.name), limits_of(rate.novu_plan, rate.own_rates))
        async with open_novu_api(novu.novu_api_url, key.value, rates, key_name=key.variable) as api:
            yield api, WorkflowRows(client)


def configured_session(
    enterprise_ids: Sequence[str] | None = None,
) -> AbstractAsyncContextManager[tuple[NovuApi, WorkflowRows]]:
    """As the environment says. Raises SettingsError."""
    return novu_session(SupabaseSettings.load(), NovuSettings.load(), NovuRateSettings.load(), enterprise_ids)


@contextmanager
def failures_told() -> Iterator[None]:
    """What goes wrong becomes a message with a hint, and exit code 1."""
    try:
        with failures_named(EXIT_FAILED):
            yield
    except UnknownEnvironment as error:
        exit_with_hint(str(error), "name one of these by its name or id.", EXIT_FAILED)
    except NovuFailed as failed:
        exit_with_hint(f"Novu: {failed}", failed.hint, EXIT_FAILED)
