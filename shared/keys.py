"""Keys to services that may be replaced while they are used: each is in a file, which is looked at now and then.

A new key is used at once. Where the service refuses it and believes the one before, that one stays, and is told of.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path

import httpx
from pydantic import SecretStr

from shared.secret_files import secret_file

log = logging.getLogger("Keys")

REFUSED_STATUS = 401


class KeyRefused(Exception):
    """The service does not believe what is in the file; what was there before is still used."""


class Key:
    """One secret. As text it says nothing."""

    def __init__(self, name: str, value: str, file: Path | None = None) -> None:
        """`name` is the setting's; `file` is where `value` was read, None for a key that stays."""
        self.name = name
        self.current = value
        """What is to be used now."""
        self._file = file
        self._believed = value
        self._refused: str | None = None
        self._looking = asyncio.Lock()

    def __repr__(self) -> str:
        return f"Key({self.name})"

    async def look(self) -> None:
        """Use what is in the file, if that has changed. One that is away, empty or no single word changes nothing."""
        if self._file is None:
            return
        async with self._looking:
            try:
                found = (await asyncio.to_thread(self._file.read_text, encoding="utf-8")).strip()
            except (OSError, UnicodeDecodeError) as error:
                log.warning("key_unreadable", extra={"key": self.name, "reason": type(error).__name__})
                return
            if found in ("", self._refused):
                return
            if found == self.current:
                self._refused = None  # what was refused is gone
                return
            if not found.isascii() or any(character.isspace() for character in found):
                log.warning("key_unreadable", extra={"key": self.name, "reason": "not one word of ASCII characters"})
                return
            self.current, self._refused = found, None
            log.info("key_taken_up", extra={"key": self.name})

    async def instead_of(self, refused: str) -> str | None:
        """What else to try where the service refuses this one: what is in the file by now, else the last one that was
        believed.
        """
        await self.look()
        return next((each for each in (self.current, self._believed) if each != refused), None)

    def believed(self, key: str, *, instead_of: str | None = None) -> None:
        """The service has taken this one; `instead_of`: after it has refused that."""
        if key == self.current:
            self._believed = key
        elif instead_of == self.current:
            self._refused, self.current = self.current, key
            log.warning("key_refused", extra={"key": self.name, "used": "the one before"})

    async def watch(self, every_seconds: float) -> None:
        """Look for ever; a key that stays is not looked for.

        Raises:
            KeyRefused: what is in the file is refused; so at each look.
        """
        while self._file is not None:
            await self.look()
            if self._refused is not None:
                raise KeyRefused(f"{self.name}: what is in its file is refused; the one before is used")
            await asyncio.sleep(every_seconds)


def key_of(name: str, secret: SecretStr) -> Key:
    """The key that this setting gives, with the file that it was read from, if there is one."""
    return Key(name, secret.get_secret_value(), secret_file(name))


class KeyAuth(httpx.Auth):
    """Signs each request with the key of now; one that is refused, and so has done nothing, is repeated once with the
    other, if there is another.
    """

    def __init__(self, key: Key, headers: Callable[[str], Mapping[str, str]]) -> None:
        """`headers` are those by which the service knows the key."""
        self._key = key
        self._headers = headers

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        tried = self._key.current
        request.headers.update(self._headers(tried))
        response = yield request
        if response.is_success:
            self._key.believed(tried)
        if response.status_code != REFUSED_STATUS or (other := await self._key.instead_of(tried)) is None:
            return
        request.headers.update(self._headers(other))
        response = yield request
        if response.is_success:
            self._key.believed(other, instead_of=tried)


def novu_auth(key: Key | str) -> KeyAuth:
    """As Novu wants it; a text is a key that stays."""
    key = key if isinstance(key, Key) else Key("NOVU_SECRET_KEY", key)
    return KeyAuth(key, lambda secret: {"Authorization": f"ApiKey {secret}"})


def supabase_auth(key: Key) -> KeyAuth:
    """As Supabase's gateway and PostgREST want it."""
    return KeyAuth(key, lambda secret: {"apikey": secret, "Authorization": f"Bearer {secret}"})
