"""Names that resolve, ports that answer, certificates that are believed: for each server we talk to."""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from temporalio.service import TLSConfig

from cli import patience
from cli.doctor.problem import Problem
from shared.settings import NovuSettings, SettingsError, SupabaseSettings, TemporalSettings, temporal_connect_config

WITHIN_SECONDS = patience.ANSWERS_WITHIN_SECONDS


@dataclass(frozen=True, slots=True)
class _Server:
    """`tls` without a context of its own: the system's certificates decide."""

    subject: str
    host: str
    port: int
    tls: bool


async def check_network() -> list[Problem]:
    """Servers whose settings are missing are passed over, and those reached through a proxy: their own checks see."""
    servers = [server for find in (_temporal, _supabase, _novu) if (server := _if_set(find)) is not None]
    found = await asyncio.gather(*map(_try, servers))
    return [problem for problem in found if problem is not None]


def _if_set(find: Callable[[], _Server | None]) -> _Server | None:
    try:
        return find()
    except SettingsError:
        return None


def _temporal() -> _Server:
    settings = TemporalSettings.load()
    host, _, port = settings.temporal_address.rpartition(":")
    # Certificates of one's own are for Temporal's client to try: the check after this one.
    tls = temporal_connect_config().get("tls") in (True, TLSConfig())
    return _Server("temporal", host.strip("[]"), int(port), tls)


def _supabase() -> _Server | None:
    return _of_url("supabase", SupabaseSettings.load().supabase_url)


def _novu() -> _Server | None:
    return _of_url("novu", NovuSettings.load().novu_api_url)


def _of_url(subject: str, url: str) -> _Server | None:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme in getproxies() and not proxy_bypass(host):
        return None
    tls = parts.scheme == "https"
    return _Server(subject, host, parts.port or (443 if tls else 80), tls)


async def _try(server: _Server) -> Problem | None:
    place = f"{server.host}:{server.port}"
    context = ssl.create_default_context() if server.tls else None
    try:
        async with asyncio.timeout(WITHIN_SECONDS):
            _, writer = await asyncio.open_connection(server.host, server.port, ssl=context)
    except socket.gaierror as error:
        return Problem(f"the name {server.host} does not resolve: {error.strerror}", "check DNS.", server.subject)
    except ssl.SSLCertVerificationError as error:
        hint = "check the certificate, its host name, and this machine's clock."
        return Problem(f"the certificate of {place} is not believed: {error.verify_message}", hint, server.subject)
    except ssl.SSLError as error:
        return Problem(f"{place} does not speak TLS: {error.reason}", "check scheme and port.", server.subject)
    except TimeoutError:
        return Problem(f"{place} does not answer within {WITHIN_SECONDS:g} s", "check firewalls.", server.subject)
    except OSError as error:
        return Problem(
            f"{place} cannot be reached: {os.strerror(error.errno) if error.errno else error}",
            "is it running?",
            server.subject,
        )
    writer.close()
    return None
