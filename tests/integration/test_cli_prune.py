"""`xnovu enterprise keep` and `xnovu prune`, on a real database."""

import json

import pytest
from typer.testing import CliRunner, Result

from cli.__main__ import app
from tests.integration.test_cli_erase import Stage, stage

__all__ = ["stage"]


def xnovu(stage: Stage, *arguments: str) -> Result:
    names = ("NEXT_PUBLIC_SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY")
    environment = {"TEMPORAL_ADDRESS": None, "NOVU_SECRET_KEY": None, **{name: stage.stack[name] for name in names}}
    return CliRunner().invoke(app, list(arguments), env=environment)


def test_what_is_older_than_the_rule_goes_once_it_is_wanted(stage: Stage) -> None:
    long_ago = "now() - interval '8 days'"
    for _ in range(3):
        stage.row(["ada"], notification_status="'SENT'", created_at=long_ago, updated_at=long_ago)
    kept = stage.row(["ada"], notification_status="'SENT'")
    chosen = ("prune", "--enterprise", stage.enterprise)

    without = xnovu(stage, *chosen)
    ruled = xnovu(stage, "enterprise", "keep", stage.enterprise, "7", "--json")
    tried = xnovu(stage, *chosen, "--dry-run", "--json")
    unasked = xnovu(stage, *chosen)
    done = xnovu(stage, *chosen, "--yes", "--json")
    again = xnovu(stage, *chosen, "--yes", "--json")

    assert without.exit_code == 0
    assert "xnovu enterprise keep" in without.stdout
    assert json.loads(ruled.stdout) == {"result": "set", "enterprise_id": stage.enterprise, "was": None, "keep_days": 7}
    rows = [json.loads(result.stdout)["enterprises"][0]["rows"] for result in (tried, done, again)]
    assert rows == [3, 3, 0]
    assert unasked.exit_code == 1
    assert (done.exit_code, again.exit_code) == (0, 0)
    left = stage.sql("select array_agg(id) from notify.ent_notification where enterprise_id = $1", stage.enterprise)
    assert left == [kept]


@pytest.mark.parametrize("days", ["0", "-1", "36501", "soon", "1.5"])
def test_days_that_are_none_are_refused(stage: Stage, days: str) -> None:
    assert xnovu(stage, "enterprise", "keep", stage.enterprise, "--", days).exit_code == 2


def test_a_rule_is_taken_back(stage: Stage) -> None:
    xnovu(stage, "enterprise", "keep", stage.enterprise, "7")

    answer = xnovu(stage, "enterprise", "keep", stage.enterprise, "forever")

    assert "kept forever" in answer.stdout
    assert stage.sql("select keep_days from notify.enterprise where enterprise_id = $1", stage.enterprise) is None
