"""A command's connections to the rows and to Novu, and how their failures are told."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager

from cli.failure import exit_with_hint
from cli.novu.api import NovuApi, NovuFailed, open_novu_api
from cli.novu.publish import UnknownEnvironment
from cli.novu.rows import WorkflowRows
from cli.supabase_session import supabase_session
from shared.novu.rates import RateKeeper, limits_of
from shared.ports import StoreUnavailable
from shared.settings import NovuRateSettings, NovuSettings, SettingsError, SupabaseSettings
from shared.supabase.novu_token_store import SupabaseNovuTokens

EXIT_FAILED = 1
"""Of everything that is an error, wrong usage too: 2 says that there is something to do."""


@asynccontextmanager
async def novu_session(
    supabase: SupabaseSettings, novu: NovuSettings, rate: NovuRateSettings
) -> AsyncIterator[tuple[NovuApi, WorkflowRows]]:
    """Nothing is sent before the first call. Tokens of Novu's rate come from where the workers get theirs."""
    async with supabase_session(supabase) as client:
        rates = RateKeeper(SupabaseNovuTokens(client), limits_of(rate.novu_plan, rate.own_rates))
        async with open_novu_api(novu.novu_api_url, novu.novu_secret_key.get_secret_value(), rates) as api:
            yield api, WorkflowRows(client)


def configured_session() -> AbstractAsyncContextManager[tuple[NovuApi, WorkflowRows]]:
    """As the environment says. Raises SettingsError."""
    return novu_session(SupabaseSettings.load(), NovuSettings.load(), NovuRateSettings.load())


@contextmanager
def failures_told() -> Iterator[None]:
    """What goes wrong becomes a message with a hint, and exit code 1."""
    try:
        yield
    except SettingsError as error:
        exit_with_hint(str(error), "docs/configuration.md lists every variable.", EXIT_FAILED)
    except StoreUnavailable as error:
        exit_with_hint(f"The database did not answer: {error}", "xnovu doctor says why.", EXIT_FAILED)
    except UnknownEnvironment as error:
        exit_with_hint(str(error), "name one of these by its name or id.", EXIT_FAILED)
    except NovuFailed as failed:
        exit_with_hint(f"Novu: {failed}", failed.hint, EXIT_FAILED)
