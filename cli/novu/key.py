"""Which key to Novu a command takes for an enterprise: its own, by the name of a variable that is set here, or the
deployment's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from postgrest import AsyncPostgrestClient

from shared.novu.answers import KEY_NAME
from shared.settings import NovuSettings, SettingsError, named_novu_keys
from shared.supabase.sql_function import call_function


@dataclass(frozen=True, slots=True)
class NovuKey:
    """A key, and the variable of an enterprise's own that holds it; the deployment's has none of these."""

    name: str
    value: str

    @property
    def variable(self) -> str:
        """Where it is set."""
        return self.name or KEY_NAME


async def key_of(client: AsyncPostgrestClient, novu: NovuSettings, enterprise_ids: Sequence[str] | None) -> NovuKey:
    """The key of these enterprises; without any the deployment's.

    Raises:
        SettingsError: they have several keys, or their variable is not set here.
        StoreUnavailable: the database is away.
    """
    deployments = NovuKey("", novu.novu_secret_key.get_secret_value())
    if not enterprise_ids:
        return deployments
    settings = await call_function(client, "enterprise_settings", p_enterprise_ids=list(enterprise_ids))
    names = {settings.get(each, {}).get("novu_key_name") for each in enterprise_ids}
    if len(names) > 1:
        told = ", ".join(sorted(name or KEY_NAME for name in names))
        raise SettingsError([f"--enterprise: these have different keys to Novu ({told}): name those of one at a time"])
    [name] = names
    if name is None:
        return deployments
    key = named_novu_keys().get(name)
    if key is None:
        raise SettingsError([f"{name}: is not set here, and is the key to Novu of {', '.join(enterprise_ids)}"])
    return NovuKey(name, key.get_secret_value())
