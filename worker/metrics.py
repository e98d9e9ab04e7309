"""The metrics of the worker (docs/metrics.md), added to where it happens, once for each batch."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from shared.notification.models import Channel, Notification
from shared.notification.outcomes import Failed, Outcome
from shared.telemetry.commit_time import seconds_since_commit
from shared.telemetry.metric import Kind, Metric, counter, duration
from worker.activities.preparation import channels_of
