"""What the local stack's sample rows need at its Novu, made as `xnovu novu apply --yes` would."""

from collections.abc import Mapping

from cli.novu.apply import Applying
from cli.novu.plan import Wish, make_plan
from cli.novu.session import novu_session
from shared.settings import NovuRateSettings, NovuSettings, SupabaseSettings


async def apply_to_stack(environment: Mapping[str, str]) -> None:
    """`environment` is a stack's. Raises NovuFailed and StoreUnavailable."""
    supabase = SupabaseSettings.load(
        NEXT_PUBLIC_SUPABASE_URL=environment["NEXT_PUBLIC_SUPABASE_URL"],
        supabase_service_role_key=environment["SUPABASE_SERVICE_ROLE_KEY"],
    )
    novu = NovuSettings.load(novu_secret_key=environment["NOVU_SECRET_KEY"], novu_api_url=environment["NOVU_API_URL"])
    async with novu_session(supabase, novu, NovuRateSettings.load()) as (api, rows):
        wish = Wish()
        applied = await Applying(api, rows, await make_plan(api, rows, wish), wish, done=lambda _: None).run()
    for failed in applied.failed.values():
        raise failed
