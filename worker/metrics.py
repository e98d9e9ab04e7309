"""The metrics of the worker (docs/metrics.md)."""

from shared.telemetry.enterprise_names import ENTERPRISE
from shared.telemetry.metric import Kind, Metric

NOTIFICATIONS = Metric(
    "xnovu.notifications",
    Kind.COUNTER,
    "{notification}",
    "Outcomes written to rows: `SENT`, or `FAILED` with its code (docs/error_codes.md). `xnovu.channels` are those of"
    " the notification, else of its workflow; with the workflow's type it is left out where the row was not read.",
    (ENTERPRISE, "xnovu.outcome", "xnovu.code", "xnovu.workflow.type", "xnovu.channels"),
)
COMMIT_TO_OUTCOME = Metric(
    "xnovu.notification.commit_to_outcome.duration",
    Kind.HISTOGRAM,
    "s",
    "From the commit of the earliest row of a batch, as the listener heard of it, until outcomes are on its rows. What"
    " only a sweep found has none.",
)
DELIVERY_DURATION = Metric(
    "xnovu.delivery.duration",
    Kind.HISTOGRAM,
    "s",
    "From the moment a batch's delivery was scheduled, by Temporal's clock, until outcomes are on its rows; retries and"
    " their pauses are in it.",
)
RETRIES = Metric(
    "xnovu.delivery.retries", Kind.COUNTER, "{attempt}", "Attempts at delivering a batch after its first.", ()
)
FAULTS = Metric(
    "xnovu.delivery.faults",
    Kind.COUNTER,
    "{notification}",
    "Deliveries that met a fault and are tried again: `novu_fault`, `novu_rate`, `enterprise_rate`,"
    " `novu_payment_required`, `novu_key_missing`, `rendering_delayed`, or `internal_error` for what nobody foresaw.",
    (ENTERPRISE, "xnovu.code"),
)
DOUBTFUL_REPEATS = Metric(
    "xnovu.delivery.doubtful_repeats",
    Kind.COUNTER,
    "{notification}",
    "Notifications that were sent again although Novu may have taken an earlier call: somebody may have got them"
    " twice.",
    (ENTERPRISE,),
)
CLAIMS_LOST = Metric(
    "xnovu.claims.lost",
    Kind.COUNTER,
    "{notification}",
    "Rows that turned out not to be ours any more when their lease was to be renewed: it had run out, or they were"
    " retracted.",
)
RENDER_DURATION = Metric(
    "xnovu.render.duration", Kind.HISTOGRAM, "s", "Rendering of a batch's notifications, waiting for the renderer too."
)
RENDER_REFUSALS = Metric(
    "xnovu.render.refusals",
    Kind.COUNTER,
    "{notification}",
    "Notifications that could not be rendered, by code (docs/error_codes.md).",
    ("xnovu.code",),
)
RENDER_DELAYS = Metric(
    "xnovu.render.delays",
    Kind.COUNTER,
    "{notification}",
    "Times that a notification's rendering was put off, because what is like it has cost too much lately.",
)
NOVU_EVENTS = Metric(
    "xnovu.novu.events",
    Kind.COUNTER,
    "{event}",
    "Events (at most 100 recipients each) by Novu's answer: `accepted`, `refused` for good, a `fault` to repeat, or"
    " `unknown` where it was lost; `put_off`: its rate is used up, or it wants to be paid.",
    ("xnovu.result",),
)
NOT_SERVED = Metric(
    "xnovu.worker.not_served",
    Kind.COUNTER,
    "{task}",
    "Tasks refused because they were for an enterprise that WORKER_ENTERPRISE_IDS does not name, or that is not to be"
    " served; the log says which.",
    (),
)

METRICS = tuple(value for value in vars().values() if isinstance(value, Metric))
