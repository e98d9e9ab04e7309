"""Novu: the key is believed."""

from cli.doctor.problem import Problem
from shared import novu
from shared.ports import CancelFailed
from shared.settings import NovuSettings

UNKNOWN_TRANSACTION = "xnovu-doctor"
"""No notification's: ours begin with `xnovu.`"""


async def check_novu() -> list[Problem]:
    """Asks Novu to cancel a transaction that there is not: harmless, what the worker may do too, and answered by no
    secret (`GET /v1/environments/me` answers with every key of the environment).
    """
    settings = NovuSettings.load()
    async with novu.open_trigger(settings.novu_api_url, settings.novu_secret_key.get_secret_value()) as events:
        try:
            await events.cancel(UNKNOWN_TRANSACTION)
        except CancelFailed as failed:
            hint = "NOVU_SECRET_KEY and NOVU_API_URL must be of one region and environment."
            return [Problem(f"{settings.novu_api_url}: {failed.fault.reason}", hint, "novu")]
    return []
