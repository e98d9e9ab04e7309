"""What comes: deliveries of a recorded trace, as they came, or at rates of our choosing."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from tests.benchmarks.trace import Delivery

HOURS = 4
SECONDS = HOURS * 3600.0


@dataclass(frozen=True, slots=True)
class Task:
    """One delivery: when it comes, and how long a worker has to work for it; in seconds."""

    at: float
    work: float


@dataclass(frozen=True, slots=True)
class Load:
    """A load of four hours. `least`: how few instances the scalers may have."""

    name: str
    tasks: tuple[Task, ...]
    least: int


def capacity(trace: Sequence[Delivery]) -> float:
    """Deliveries that an instance does in a second, one at a time."""
    return 1 / fmean(delivery.worked for delivery in trace)


def loads(trace: Sequence[Delivery]) -> list[Load]:
    """All loads. Rates are given in instances that would be busy all the time."""
    does = capacity(trace)
    return [
        Load("steady, 3 instances' work", _at_rate(trace, lambda _: 3 * does), least=1),
        bursts(trace),
        Load("a tenth of an instance's work", _at_rate(trace, lambda _: 0.1 * does), least=0),
        Load("the trace as it came, twelve at a time", _as_recorded(trace, copies=12), least=1),
    ]


def bursts(trace: Sequence[Delivery], seed: int = 0, begins: float = 0.0) -> Load:
    """Ten minutes of each hour, from so many seconds after it on, twenty instances' work; by this chance."""
    does = capacity(trace)

    def rate(at: float) -> float:
        return 20 * does * ((at - begins) % 3600 < 600)

    return Load("20 instances' work, 10 min each hour", _at_rate(trace, rate, seed), least=1)


def _at_rate(trace: Sequence[Delivery], rate: Callable[[float], float], seed: int = 0) -> tuple[Task, ...]:
    """Arrivals at random, so many a second at each instant; each with the work of some recorded delivery."""
    chance = random.Random(seed)
    most = max(rate(float(second)) for second in range(3600))

    def arrivals() -> Iterator[Task]:
        at = chance.expovariate(most)
        while at < SECONDS:
            if chance.random() * most < rate(at):
                yield Task(at, chance.choice(trace).worked)
            at += chance.expovariate(most)

    return tuple(arrivals())


def _as_recorded(trace: Sequence[Delivery], copies: int) -> tuple[Task, ...]:
    """The trace over and over, by as many at once, each beginning somewhere else in it."""
    chance = random.Random(0)
    length = trace[-1].at + 1.0

    def arrivals() -> Iterator[Task]:
        for _ in range(copies):
            begins = -chance.uniform(0, length)
            while begins < SECONDS:
                yield from (
                    Task(begins + delivery.at, delivery.worked)
                    for delivery in trace
                    if 0 <= begins + delivery.at < SECONDS
                )
                begins += length

    return tuple(sorted(arrivals(), key=lambda task: task.at))
