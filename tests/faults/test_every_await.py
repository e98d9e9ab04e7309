"""Every await of the listener, the worker, the daemon and the functions is played in a scene of this folder, or stands
here with the reason why not. A new one that no scene comes to fails: add its module to the scene whose code it is.
"""

import re
from collections.abc import Collection
from pathlib import Path

from tests.faults import (
    test_beside_faults,
    test_daemon_faults,
    test_delivery_reader_faults,
    test_either_faults,
    test_feed_faults,
    test_functions_faults,
    test_joint_client_faults,
    test_keys_faults,
    test_listener_faults,
    test_novu_faults,
    test_novu_rate_faults,
    test_process_faults,
    test_render_pool_faults,
    test_road_faults,
    test_roster_faults,
    test_scheduler_watch_faults,
    test_sharing_faults,
    test_worker_faults,
)
from tests.faults.await_points import PROJECT, AwaitPoint, await_points, modules_of

SCENES = (
    test_beside_faults,
    test_daemon_faults,
    test_delivery_reader_faults,
    test_either_faults,
    test_feed_faults,
    test_functions_faults,
    test_joint_client_faults,
    test_keys_faults,
    test_listener_faults,
    test_novu_faults,
    test_novu_rate_faults,
    test_process_faults,
    test_render_pool_faults,
    test_road_faults,
    test_roster_faults,
    test_scheduler_watch_faults,
    test_sharing_faults,
    test_worker_faults,
)
"""Each fails unless every one of its POINTS is come to."""

MODULES = ("cli.daemon_process", *modules_of("cli.health_server", "functions", "listener", "shared", "worker"))

OUTERMOST = "waits for what the supervisor keeps: behind it is the platform alone, which starts the process again"
SUPERVISION = "is the supervisor's own (tests/unit/test_supervision.py)"
WORKFLOW = "an exception in a workflow fails its task, and Temporal has it tried again (tests/workflows)"
COMMAND = "only commands come here: one that fails says so and ends"
TESTS_ONLY = "no process of ours comes here: tests let go of what they opened"
FRAMEWORK = "hands the framework what its endpoint's await answers, which is played"
TWIN = "of a start that is cancelled: its twin, of one that fails, is of the same text and is played"

NOT_PLAYED: dict[str, str] = {
    "cli/daemon_process.py _run": OUTERMOST,
    "functions/connections.py (Connections|SupabaseConnection).close": TESTS_ONLY,
    "functions/main.py (health|status|trigger|autoscale|webhook)": FRAMEWORK,
    "listener/bootstrap.py run_alone": OUTERMOST,
    "shared/cloud_run/worker_pool.py CloudRunWorkerPool.close": TESTS_ONLY,
    "shared/http_server.py serving": OUTERMOST,
    "shared/probes.py serving_probes": OUTERMOST,
    "shared/process_lifecycle.py _run_until_signalled": OUTERMOST,
    "shared/supabase/template_store.py SupabaseTemplateStore.read": COMMAND,
    "shared/supervision.py .+": SUPERVISION,
    "shared/temporal/client.py connect_once": COMMAND,
    "shared/temporal/runtime.py measured": OUTERMOST,
    "worker/bootstrap.py run_alone": OUTERMOST,
    "worker/render_pool/child_process.py ChildProcess.start": TWIN,
    "worker/workflows/.+": WORKFLOW,
}
"""By file and function, as a regular expression."""


def test_every_await_is_played_or_says_why_not() -> None:
    played = {point for scene in SCENES for point in scene.POINTS}

    left = [point for point in await_points(*MODULES) if point not in played]

    assert not [str(point) for point in left if not _reasons(point)], "no scene plays these"
    assert set(NOT_PLAYED) == {reason for point in left for reason in _reasons(point)}, "played by now, or gone"


def test_every_scene_is_counted_here() -> None:
    files = {file.stem for file in Path(__file__).parent.glob("test_*_faults.py")}

    assert {scene.__name__.rpartition(".")[2] for scene in SCENES} == files


def test_what_is_said_to_be_tested_elsewhere_is() -> None:
    named = {name for reason in NOT_PLAYED.values() for name in re.findall(r"tests/[\w/.]+", reason)}

    assert named
    assert all((PROJECT / name).exists() for name in named)


def _reasons(point: AwaitPoint) -> Collection[str]:
    return [each for each in NOT_PLAYED if re.fullmatch(each, f"{point.file} {point.function}")]
