"""How much a series grows, and how sure that is: the median of the slopes between all pairs of points, and its limits.

Sen, "Estimates of the Regression Coefficient Based on Kendall's Tau", Journal of the American Statistical Association
63 (1968), for the slope and its confidence limits; ties as in Gilbert, "Statistical Methods for Environmental Pollution
Monitoring" (1987), section 16.5. Neighbouring points are alike, which makes the limits too narrow: they are widened by
the autocorrelation of what is left without the slope, as Yue and Wang have it, Water Resources Management 18 (2004).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from math import sqrt
from statistics import NormalDist, fmean, median

Point = tuple[float, float]
"""Seconds, value."""

CONFIDENCE = 0.99
STRETCHES = 20
"""Of how many medians the slope is one: what goes up and down within a stretch is no growth."""
LEAST_STRETCHES = 8
_MOST_ALIKE = 0.9


@dataclass(frozen=True, slots=True)
class Slope:
    """Per second: the estimate, and between which limits it is, at CONFIDENCE."""

    estimate: float
    low: float
    high: float


def slope(points: Sequence[Point]) -> Slope:
    """Of a series in the order of time.

    Raises:
        ValueError: too few points to say anything.
    """
    medians = _medians(points)
    count = len(medians)
    if count < LEAST_STRETCHES:
        raise ValueError(f"{count} stretches of time are too few for a slope: at least {LEAST_STRETCHES}")
    slopes = sorted((b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(medians, 2))
    estimate = median(slopes)
    ties = Counter(value for _, value in medians).values()
    variance = (_variance(count) - sum(map(_variance, ties))) / 18
    alike = _autocorrelation([value - estimate * at for at, value in medians])
    widened = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * sqrt(variance * (1 + alike) / (1 - alike))
    last = len(slopes) - 1
    low, high = (round((len(slopes) + sign * widened) / 2) for sign in (-1, 1))
    return Slope(estimate, slopes[min(max(low - 1, 0), last)], slopes[max(min(high, last), 0)])


def _medians(points: Sequence[Point]) -> list[Point]:
    """Of stretches with about as many points each."""
    stretches = min(STRETCHES, len(points))
    parts = [points[number * len(points) // stretches : (number + 1) * len(points) // stretches]
             for number in range(stretches)]  # fmt: skip
    return [(median(at for at, _ in part), median(value for _, value in part)) for part in parts]


def _variance(count: int) -> float:
    return count * (count - 1) * (2 * count + 5)


def _autocorrelation(values: Sequence[float]) -> float:
    """Of each with the one before, from 0 to _MOST_ALIKE."""
    mean = fmean(values)
    left = [value - mean for value in values]
    square = sum(each * each for each in left)
    if square == 0:
        return 0.0
    alike = sum(a * b for a, b in pairwise(left)) / square
    return min(max(alike, 0.0), _MOST_ALIKE)
