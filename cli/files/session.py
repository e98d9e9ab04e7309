"""A command's connection to the rows that files hold, and how what goes wrong on the way is told."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from cli.failure import exit_with_hint, failures_named
from cli.files.rows import FileRows
from cli.supabase_session import supabase_session
from shared.settings import SupabaseSettings
from worker.render_pool.child_process import RenderPoolUnavailable
from worker.render_pool.pool import RenderPool

EXIT_FAILED = 1


@asynccontextmanager
async def file_rows() -> AsyncIterator[FileRows]:
    """As the environment says. Raises SettingsError."""
    async with supabase_session(SupabaseSettings.load()) as client:
        yield FileRows(client)


@asynccontextmanager
async def render_pool() -> AsyncIterator[RenderPool]:
    """A worker's, of one child process."""
    pool = RenderPool()
    try:
        yield pool
    finally:
        await pool.close()


@contextmanager
def failures_told() -> Iterator[None]:
    """Around what asks the database and renders: exit code 1, because 2 says that there is something to do."""
    try:
        with failures_named(EXIT_FAILED):
            yield
    except RenderPoolUnavailable as unavailable:
        exit_with_hint(f"Templates cannot be tried: {unavailable}.", "try again.", EXIT_FAILED)
    except OSError as error:
        exit_with_hint(f"{error.filename}: {error.strerror}.", "name a directory of yours.", EXIT_FAILED)
