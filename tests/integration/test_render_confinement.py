"""What code that runs in a rendering child can reach, on kernels that offer what we ask of them."""

import asyncio
import json
import os
import sys
from pathlib import Path

import psutil
import pytest

from worker.render_pool.pool import RenderPool

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux confines, others do not")

TRIES = """
import json, os, socket, sys
from worker.render_pool.confinement import confine

parent, secret, scratch = int(sys.argv[1]), sys.argv[2], sys.argv[3]
held = sorted(confine())
tries = {
    "open a socket": (socket.socket, "calls"),
    "open a pair of them": (socket.socketpair, "calls"),
    "signal the parent": (lambda: os.kill(parent, 0), "calls"),
    "start a process": (os.fork, "calls"),
    "become another": (lambda: os.execv(sys.executable, [sys.executable, "-V"]), "calls"),
    "raise the parent's limits": (lambda: __import__("resource").prlimit(parent, 7), "calls"),
    "read the parent's environment": (lambda: open(f"/proc/{parent}/environ").read(), "files"),
    "read the parent's memory": (lambda: open(f"/proc/{parent}/mem"), "files"),
    "read a file": (lambda: open(secret).read(), "files"),
    "write a file": (lambda: open(scratch, "w"), "files"),
    "write where it may read": (lambda: open(os.__file__, "a"), "files"),
    "remove a file": (lambda: os.remove(secret), "files"),
}
done = []
for name, (attempt, confinement) in tries.items():
    try:
        attempt()
    except PermissionError:
        continue
    if confinement in held:
        done.append(name)
import colorsys, zoneinfo  # modules that are not loaded yet, and zones
zoneinfo.ZoneInfo("Europe/Berlin")
print(json.dumps({"held": held, "done": done}))
"""


async def test_code_in_a_child_reaches_no_network_no_process_and_no_file_but_its_libraries(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s")
    arguments = ("-c", TRIES, str(os.getpid()), str(secret), str(tmp_path / "scratch"))

    child = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=asyncio.subprocess.PIPE)
    output, _ = await child.communicate()

    assert child.returncode == 0
    answer = json.loads(output)
    assert answer["done"] == []
    assert "calls" in answer["held"], "every kernel that this is tested on has seccomp"


async def test_the_children_of_a_pool_are_confined_before_they_are_given_anything() -> None:
    pool = RenderPool()
    await pool.start()

    status = await asyncio.to_thread(Path(f"/proc/{pool.process_ids[0]}/status").read_text)
    connections = psutil.Process(pool.process_ids[0]).net_connections()
    await pool.close()

    assert "NoNewPrivs:\t1\n" in status
    assert "Seccomp:\t2\n" in status
    assert connections == []


async def test_what_a_machine_lacks_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import platform\nplatform.machine = lambda: 'abacus'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    pool = RenderPool(processes=2)

    await pool.start()
    await pool.close()

    assert [(it.message, it.__dict__["lacking"]) for it in caplog.records if "confined" in it.message] == [
        ("render_child_unconfined", ["calls", "files"])
    ]
