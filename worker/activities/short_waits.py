"""What is due in a moment is waited for inside a scheduler's pass (docs/decisions/0013)."""

SHORTEST_TIMER_SECONDS = 1.2
"""Temporal's timers of less than a second fire after a second (measured on server 1.32: `sleep(0.2)` took 1.0 s,
`sleep(1.3)` 1.31 s)."""

LONGEST_WAIT_SECONDS = 20.0
"""Waiting of one pass in all; then the workflow gets a turn to hear its signals."""
