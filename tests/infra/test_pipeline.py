"""The whole way of a commit, from a push to production, and of one that is not well: played with fakes.

Triggers, accounts and rights are those that bootstrap makes; what no binding grants is refused by the fakes.
"""

from pathlib import Path

import pytest

from tests.infra.cloudbuild.play import Build, Play
from tests.infra.terraform import reach
from tests.infra.terraform.bootstrapped import bootstrapped, triggers


@pytest.fixture
def play(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Play:
    testing, live = bootstrapped(tmp_path_factory)
    there = reach.read(testing) + reach.read(live)
    return Play.begin(tmp_path, there, [*triggers(testing), *triggers(live)])


def succeeds(build: Build | None) -> Build:
    assert build is not None
    assert build.succeeded, f"{build.trigger}: {build.said}"
    return build


def fails(build: Build | None, because: str) -> Build:
    assert build is not None
    assert not build.succeeded
    assert because in build.said
    return build


def test_a_push_reaches_production_and_what_is_not_well_is_put_back_and_retried(play: Play) -> None:
    # A push is planned once its tests and its image are there, and applied once somebody has approved.
    fails(play.run("xnovu-staging-plan", "c1"), "succeeded: no build of c1")
    succeeds(play.run("xnovu-check", "c1"))
    succeeds(play.run("xnovu-build", "c1"))
    fails(play.run("xnovu-prod-plan", "c1"), "tested: sha256:")
    plan = succeeds(play.run("xnovu-staging-plan", "c1"))
    assert play.apply(plan, approved=False) is None
    succeeds(play.apply(plan))
    first = play.image_of("c1")
    assert play.running() == {"staging": first}

    # The next one is never well: what ran before runs again, and production does not take it.
    succeeds(play.run("xnovu-check", "c2"))
    succeeds(play.run("xnovu-build", "c2"))
    second = play.image_of("c2")
    play.falls_sick(second)
    plan = succeeds(play.run("xnovu-staging-plan", "c2"))
    fails(play.apply(plan), "finish: ")
    assert play.running() == {"staging": first}
    fails(play.run("xnovu-prod-plan", "c2"), f"tested: {second.partition('@')[2]} has not passed")

    # What ailed it is mended, and the same commit retried, the building too: it has one image.
    play.falls_sick()
    succeeds(play.run("xnovu-build", "c2"))
    assert play.image_of("c2") == second
    succeeds(play.apply(succeeds(play.run("xnovu-staging-plan", "c2"))))

    # Production takes what staging has passed, by digest.
    plan = succeeds(play.run("xnovu-prod-plan", "c2"))
    assert play.apply(plan, approved=False) is None
    succeeds(play.apply(plan))
    assert play.running() == {"staging": second, "prod": second}


def test_with_a_pool_for_each_build_a_push_is_one_step_and_no_build_that_has_work_loses_its_pool(play: Play) -> None:
    play.is_versioned()

    def push(revision: str, *, never_polls: bool = False) -> tuple[str, Build | None]:
        succeeds(play.run("xnovu-check", revision))
        succeeds(play.run("xnovu-build", revision))
        image = play.image_of(revision)
        if never_polls:
            play.never_poll(image)
        return image, play.apply(succeeds(play.run("xnovu-staging-plan", revision)))

    first, applied = push("c1")
    succeeds(applied)
    assert (play.pools("staging"), play.has_the_work()) == ([first], {"staging": first})

    # The second has the work once it is well; what the first has begun ends there.
    second, applied = push("c2")
    succeeds(applied)
    assert play.pools("staging") == [first, second]
    assert play.has_the_work() == {"staging": second}

    # Of the first nothing is left. The workers of the third never come: the second keeps the work, and its pool.
    play.are_drained(first)
    third, applied = push("c3", never_polls=True)
    fails(applied, "finish: ")
    assert play.pools("staging") == [second]
    assert (play.running(), play.has_the_work()) == ({"staging": second}, {"staging": second})

    play.never_poll()
    succeeds(play.apply(succeeds(play.run("xnovu-staging-plan", "c3"))))
    assert play.pools("staging") == [second, third]
    assert play.has_the_work() == {"staging": third}


def test_what_has_failed_its_tests_goes_nowhere(play: Play) -> None:
    play.tests_fail.add("c1")
    fails(play.run("xnovu-check", "c1"), "check: ")
    succeeds(play.run("xnovu-build", "c1"))

    plan = fails(play.run("xnovu-dev-plan", "c1"), "succeeded: c1 has not passed the trigger")

    assert play.apply(plan) is None
    assert play.running() == {}


@pytest.mark.whole
@pytest.mark.parametrize(
    ("power", "account", "step"),
    [
        ("push images", "builder", "find-image"),
        ("create objects", "planner-dev", "plan"),
        ("look", "planner-dev", "succeeded"),
        ("read objects", "applier-dev", "fetch"),
    ],
)
def test_a_right_that_is_not_granted_ends_the_step_that_wants_it(
    play: Play, power: str, account: str, step: str
) -> None:
    for binding in play.there.bindings:
        if power in binding.powers and f":xnovu-{account}@" in binding.member:
            play.there = play.there.without(binding)

    play.run("xnovu-check", "c1")
    play.run("xnovu-build", "c1")
    play.apply(play.run("xnovu-dev-plan", "c1"))

    failed = next(each for each in play.builds if not each.succeeded)
    assert failed.said.startswith(f"{step}: ")
    assert "403" in failed.said
