"""Novu: the key is believed, and what DYNAMIC rows need is there."""

from pydantic import SecretStr

from cli import patience
from cli.doctor.problem import Problem
from cli.novu.api import NovuFailed
from cli.novu.check import check_workflows
from cli.novu.findings import Finding
from cli.novu.rows import Scope
from cli.novu.session import configured_session
from shared import novu
from shared.novu.answers import KEY_NAME
from shared.ports import CancelFailed
from shared.settings import EnterpriseSettings, NovuSettings, SettingsError, named_novu_keys

UNKNOWN_TRANSACTION = "xnovu-doctor"
"""No notification's: ours begin with `xnovu.`"""

_OF_THE_KEY = "{key_name} and NOVU_API_URL must be of one region and environment."
_OF_NOVU = "is NOVU_API_URL right? Otherwise Novu, or what stands before it, has trouble: see its status page."

MOST_PROBLEMS = 20
"""Of workflows: where nothing was ever applied, each would be one."""


async def check_novu() -> list[Problem]:
    """Whether Novu believes the deployment's key, and those of enterprises' own that are set here."""
    settings = NovuSettings.load()
    problems = [await _disbelieved(settings.novu_api_url, settings.novu_secret_key, KEY_NAME)]
    problems += [await _disbelieved(settings.novu_api_url, key, name) for name, key in named_novu_keys().items()]
    return [problem for problem in problems if problem is not None]


async def _disbelieved(api_url: str, key: SecretStr, key_name: str) -> Problem | None:
    """Asks Novu to cancel a transaction that there is not: harmless, what the worker may do too, and answered by no
    secret (`GET /v1/environments/me` answers with every key of the environment).
    """
    async with novu.open_trigger(
        api_url, key.get_secret_value(), key_name=key_name, timeout_seconds=patience.ANSWERS_WITHIN_SECONDS
    ) as events:
        try:
            await events.cancel(UNKNOWN_TRANSACTION)
        except CancelFailed as failed:
            reason = failed.fault.reason
            told = reason if "HTTP" in reason else f"no answer ({reason})"
            hint = _OF_THE_KEY.format(key_name=key_name) if "HTTP 40" in reason else _OF_NOVU
            return Problem(f"{api_url}: {told}", hint, "novu")
    return None


async def check_novu_workflows() -> list[Problem]:
    """Workflows, steps and integrations for the DYNAMIC rows of the enterprises that are served; of all, if nobody says
    which. Novu is asked as often as for one row. Raises StoreUnavailable.
    """
    async with configured_session() as (api, rows):
        try:
            _, findings = await check_workflows(api, rows, _served())
        except NovuFailed as failed:
            return [Problem(str(failed), failed.hint, "workflows")]
    problems = [_problem(finding) for finding in findings[:MOST_PROBLEMS]]
    more = len(findings) - MOST_PROBLEMS
    if more > 0:
        problems.append(Problem(f"{more} more findings", "xnovu novu check names them all.", "workflows"))
    return problems


def _served() -> Scope:
    try:
        return Scope(EnterpriseSettings.load().listed_enterprise_ids)
    except SettingsError:
        return Scope()


def _problem(finding: Finding) -> Problem:
    subject = f"{finding.key}: " if finding.key else ""
    return Problem(f"{subject}{finding.message}", finding.hint, "workflows")
