"""Which key a command takes for an enterprise."""

from typing import Any, cast

import pytest
from postgrest import AsyncPostgrestClient

from cli.novu import key
from cli.novu.key import NovuKey, key_of
from shared.settings import NovuSettings, SettingsError

ACME = "NOVU_SECRET_KEY__ACME"


@pytest.fixture
def novu(monkeypatch: pytest.MonkeyPatch) -> NovuSettings:
    async def settings(client: object, function: str, *, p_enterprise_ids: list[str]) -> dict[str, Any]:
        assert function == "enterprise_settings"
        own = {"acme": {"novu_key_name": ACME}, "zoned": {"time_zone": "Europe/Berlin"}}
        return {each: its for each, its in own.items() if each in p_enterprise_ids}

    monkeypatch.setattr(key, "call_function", settings)
    monkeypatch.setenv(ACME, " of-acme ")
    return NovuSettings.load(novu_secret_key="of-the-deployment")


async def chosen(novu: NovuSettings, *enterprise_ids: str) -> NovuKey:
    return await key_of(cast(AsyncPostgrestClient, None), novu, enterprise_ids)


async def test_an_enterprise_s_own_key_is_taken_for_it_alone(novu: NovuSettings) -> None:
    deployments = NovuKey("", "of-the-deployment")

    assert await chosen(novu, "acme") == NovuKey(ACME, "of-acme")
    assert await chosen(novu, "globex", "zoned") == deployments
    assert await chosen(novu) == deployments


async def test_two_keys_at_a_time_are_refused(novu: NovuSettings) -> None:
    with pytest.raises(SettingsError, match=f"different keys to Novu .NOVU_SECRET_KEY, {ACME}."):
        await chosen(novu, "acme", "globex")


@pytest.mark.parametrize("value", [None, " "])
async def test_a_key_that_is_not_set_here_is_named(
    novu: NovuSettings, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.delenv(ACME)
    if value is not None:
        monkeypatch.setenv(ACME, value)

    with pytest.raises(SettingsError, match=f"{ACME}: is not set here, and is the key to Novu of acme"):
        await chosen(novu, "acme")
