"""What `xnovu daemon start --dev` has brought: where everything is, and one command to try."""

import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values

from cli.aligned import aligned
from cli.daemon_record import DaemonBook, DaemonRecord
from cli.dev_stack import ENTERPRISES, with_samples
from shared.settings import EVERY_ENTERPRISE
from stack.first_steps import PERSON, hello_of


@dataclass(frozen=True, slots=True)
class Place:
    """Where what runs is met. `settings` is a file that holds `environment`, `ends` what is typed to end it."""

    environment: Mapping[str, str]
    health_url: str
    settings: Path
    data: str
    log: str
    ends: str


def banner(book: DaemonBook, record: DaemonRecord) -> str:
    """Of a daemon that runs with a stack of its own; empty if that has ended meanwhile."""
    environment = _environment(book)
    if not environment:
        return ""
    data = f"{book.dev_directory}  stays; `start --dev --fresh` begins anew, `xnovu dev reset` removes it"
    ends = f"{program()} daemon stop" if record.log_file else "Ctrl-C"
    place = Place(environment, record.health_url, book.environment_file, data, record.log_file or "here", ends)
    return "\n".join(lines(place))


def lines(place: Place) -> Iterator[str]:
    """All that somebody needs to go on by hand."""
    environment = place.environment
    enterprises = environment[ENTERPRISES].split(",")
    sample = with_samples(enterprises)[0]
    whom = "whoever comes" if enterprises == [EVERY_ENTERPRISE] else ", ".join(enterprises)
    settings = shlex.quote(str(place.settings))
    yield ""
    yield f"XNovu runs with a local stack, for {whom}. Its keys open nothing else."
    yield ""
    yield from aligned(
        [
            ("  status page", f"{place.health_url}/status"),
            ("  inbox", f"{environment['XNOVU_STACK_INBOX_URL']}  what was delivered, by a stand-in for Novu"),
            (
                "  Temporal",
                f"{environment['XNOVU_STACK_TEMPORAL_UI_URL']}  (clients: {environment['TEMPORAL_ADDRESS']})",
            ),
            ("  Supabase", f"{environment['SUPABASE_URL']}  schema notify"),
            ("    service key", environment["SUPABASE_SERVICE_ROLE_KEY"]),
            ("    anon key", environment["SUPABASE_ANON_KEY"]),
            ("  database", environment["XNOVU_STACK_POSTGRES_URL"]),
            ("  Novu", environment["NOVU_API_URL"]),
            ("    secret key", environment["NOVU_SECRET_KEY"]),
            ("  settings", f"{place.settings}  in other shells: . {settings}"),
            ("  data", place.data),
            ("  log", place.log),
        ]
    )
    yield ""
    yield "Try it (then look into the inbox):"
    yield ""
    yield (
        f"  {program()} --env-file {settings} send --enterprise {sample} --workflow {hello_of(sample)}"
        f' --to {PERSON} --payload \'{{"name": "Ada"}}\' --wait'
    )
    yield ""
    yield f"`{program()} workflow list` names what else can be sent. It ends with {place.ends}."


def _environment(book: DaemonBook) -> Mapping[str, str]:
    values = dotenv_values(stream=StringIO(book.read_environment()), interpolate=False)
    return {name: value for name, value in values.items() if value is not None}


def program() -> str:
    """How this program is called from the shell it was called from: it may not be on the PATH."""
    beside = Path(sys.executable).with_name("xnovu")
    found = shutil.which("xnovu")
    return "xnovu" if found and Path(found).resolve() == beside.resolve() else shlex.quote(str(beside))
