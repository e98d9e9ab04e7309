from worker.render_pool.quarantine import PAUSE_SECONDS, Quarantine


def test_the_third_of_a_kind_waits_and_one_is_let_through_after_each_pause() -> None:
    now = [0.0]
    quarantine = Quarantine(lambda: now[0])

    quarantine.strike(1)
    assert quarantine.delay_seconds(1) == 0.0

    quarantine.strike(1)
    assert quarantine.delay_seconds(1) == PAUSE_SECONDS
    assert quarantine.delay_seconds(2) == 0.0

    now[0] = PAUSE_SECONDS
    assert quarantine.delay_seconds(1) == 0.0
    assert quarantine.delay_seconds(1) == PAUSE_SECONDS


def test_one_that_renders_sets_its_like_free() -> None:
    quarantine = Quarantine(lambda: 0.0)
    quarantine.strike(1)
    quarantine.strike(1)

    quarantine.clear(1)

    assert quarantine.delay_seconds(1) == 0.0


def test_strikes_are_forgotten_after_five_minutes_and_beyond_a_thousand() -> None:
    now = [0.0]
    quarantine = Quarantine(lambda: now[0])
    quarantine.strike(1)
    now[0] = 301.0
    quarantine.strike(1)
    assert quarantine.delay_seconds(1) == 0.0, "an old strike counts no more"

    for fingerprint in range(10, 2_000):
        quarantine.strike(fingerprint)
    quarantine.strike(1)
    assert quarantine.delay_seconds(1) == 0.0, "only the last thousand are remembered"
