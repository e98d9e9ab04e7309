"""A command's connections to the rows and to Novu, and how their failures are told."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from cli.failure import exit_with_hint
from cli.novu.api import NovuApi, NovuFailed, open_novu_api
from cli.novu.publish import UnknownEnvironment
from cli.novu.rows import WorkflowRows
from cli.supabase_session import supabase_session
from shared.ports import StoreUnavailable
from shared.settings import NovuSettings, SettingsError, SupabaseSettings

EXIT_FAILED = 1
"""Of everything that is an error, wrong usage too: 2 says that there is something to do."""


@asynccontextmanager
async def novu_session(supabase: SupabaseSettings, novu: NovuSettings) -> AsyncIterator[tuple[NovuApi, WorkflowRows]]:
    """Nothing is sent before the first call."""
    async with (
        supabase_session(supabase) as client,
        open_novu_api(novu.novu_api_url, novu.novu_secret_key.get_secret_value()) as api,
    ):
        yield api, WorkflowRows(client)


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
