"""What makes a stack itself: its ports and its keys. Whoever wrote them down reaches it again after a restart."""

from __future__ import annotations

import json
import os
import secrets
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from stack.processes import PartFailed, await_free_port, free_port, reserve
from stack.supabase_keys import new_jwt_secret


@dataclass(frozen=True, slots=True)
class Ports:
    """Loopback ports, one for each server."""

    postgres: int = field(default_factory=free_port)
    temporal: int = field(default_factory=free_port)
    temporal_ui: int = field(default_factory=free_port)
    edge: int = field(default_factory=free_port)
    novu_sink: int = field(default_factory=free_port)


@dataclass(frozen=True, slots=True)
class Identity:
    """`issued_at` dates the API keys, in seconds since 1970: the same instant makes the same keys. `file` has all of
    it, where it is kept.
    """

    ports: Ports = field(default_factory=Ports)
    jwt_secret: str = field(default_factory=new_jwt_secret)
    novu_secret_key: str = field(default_factory=lambda: secrets.token_hex(16))
    novu_production_key: str = field(default_factory=lambda: secrets.token_hex(16))
    issued_at: int = field(default_factory=lambda: int(time.time()))
    file: Path | None = None

    @classmethod
    def kept_in(cls, file: Path) -> Self:
        """The one that the file holds; a new one, which it holds from now on, if there is none.

        Raises PartFailed if the file holds something else.
        """
        try:
            kept = json.loads(file.read_text(encoding="utf-8"))
            identity = cls(**{**kept, "ports": Ports(**kept["ports"]), "file": file})
        except FileNotFoundError:
            identity = cls(file=file)
            identity._write(file)
        except (ValueError, TypeError, KeyError) as error:
            raise PartFailed(
                f"the stack cannot start: {file} is not as it was written ({type(error).__name__})"
            ) from None
        else:
            for port in asdict(identity.ports).values():
                reserve(port)
        return identity

    def _write(self, file: Path) -> None:
        content = {name: value for name, value in asdict(self).items() if name != "file"}
        draft = file.with_name(f"{file.name}.draft")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as opened:
            json.dump(content, opened, indent=2)
        draft.replace(file)

    async def require_free_ports(self) -> None:
        """Raises PartFailed, naming each port that somebody else listens on; a predecessor's end is waited for."""
        taken = [
            f"{name} cannot start: port {port} is taken by another process"
            for name, port in asdict(self.ports).items()
            if not await await_free_port(port)
        ]
        if taken:
            where = f"; to have other ports, change them in {self.file}" if self.file else ""
            raise PartFailed("\n".join(taken) + f"\nEnd what listens there{where}.")
