"""What the commands about enterprises share: their argument, and the database's answer."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import typer
from postgrest import AsyncPostgrestClient

from cli.failure import failures_named
from cli.supabase_session import supabase_session
from shared.settings import SupabaseSettings, is_enterprise_id


def _checked(enterprise_id: str) -> str:
    if not is_enterprise_id(enterprise_id):
        raise typer.BadParameter(
            f"{enterprise_id!r} is no enterprise's id. Hint: 1-64 of letters, digits, '_', '-', '.'."
        )
    return enterprise_id


EnterpriseId = Annotated[str, typer.Argument(metavar="ENTERPRISE_ID", callback=_checked)]
AsJson = Annotated[bool, typer.Option("--json", help="JSON (docs/scheduling.md lists its fields).")]


def answer_of(ask: Callable[[AsyncPostgrestClient], Awaitable[Any]]) -> Any:
    """What the database answers. Without settings or an answer the process ends, and says why."""

    async def answer() -> Any:
        async with supabase_session(SupabaseSettings.load()) as client:
            return await ask(client)

    with failures_named():
        return asyncio.run(answer())
