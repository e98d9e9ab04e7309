"""The schemas of what the functions answer. Tests hold real answers against them."""

from typing import Any

from functions.problems import ProblemCode
from functions.scaling.model import HoldReason, Verdict
from shared.health.condition import Condition
from shared.health.observations import SubscriptionState
from shared.ports import FeedWay

Schema = dict[str, Any]


def _object(properties: Schema, *, optional: tuple[str, ...] = ()) -> Schema:
    """An object of these members and no others, all there but the optional ones."""
    return {
        "type": "object",
        "required": [name for name in properties if name not in optional],
        "properties": properties,
        "additionalProperties": False,
    }


_INSTANT = {"type": "string", "format": "date-time"}
_INSTANT_OR_NULL = {"type": ["string", "null"], "format": "date-time"}
_COUNT = {"type": "integer", "minimum": 0}
_CONDITION = {"enum": [condition.value for condition in Condition]}
_STATE_OF_ENTERPRISE = {"enum": [state.value for state in SubscriptionState]}
_MAP_OF_COUNTS = {"type": "object", "additionalProperties": _COUNT}

TRIGGERED = _object(
    {
        "success": {"const": True},
        "workflowId": {"type": ["string", "null"]},
        "runId": {"type": ["string", "null"]},
        "notificationIds": {"type": "array", "items": {"type": "integer"}},
        "scheduledFor": _INSTANT,
        "dryRun": {"const": True},
        "alreadySent": {"type": "array", "items": {"type": "integer"}, "minItems": 1},
    },
    optional=("scheduledFor", "dryRun", "alreadySent"),
)

TRIGGER_STATE = _object(
    {
        "workflowId": {"type": "string"},
        "runId": {"type": "string"},
        "status": {"type": "string", "description": "Temporal's word: RUNNING, COMPLETED, FAILED, ..."},
        "startedAt": _INSTANT,
        "closedAt": _INSTANT_OR_NULL,
        "result": {
            "description": "Null while it runs, and for schedulers. `failed`: refusal codes by notification id. "
            "`notClaimed`: others had these in hand, or they were not to be sent.",
            "oneOf": [
                {"type": "null"},
                _object(
                    {
                        "sent": _COUNT,
                        "failed": {"type": "object", "additionalProperties": {"type": "string"}},
                        "notClaimed": _COUNT,
                    }
                ),
            ],
        },
    }
)

WEBHOOK_TAKEN = _object(
    {
        "result": {
            "enum": ["recorded", "unknown", "ignored"],
            "description": "`unknown`: no account is kept here of it. `ignored`: it says nothing of a message.",
        }
    }
)

_HEALTH_MEMBERS = {
    "status": _CONDITION,
    "uptime": {**_COUNT, "description": "Seconds since the answering process started."},
    "components": _object(
        {
            "subscriptions": _object({"total": _COUNT, "active": _COUNT, "failed": _COUNT, "reconnecting": _COUNT}),
            "ruleEngine": _CONDITION,
            "queue": _CONDITION,
            "temporal": _CONDITION,
        }
    ),
    "enterprise_status": {"type": "object", "additionalProperties": _STATE_OF_ENTERPRISE},
    "enterprises_left_out": _COUNT,
    "temporal_status": _object({"status": _CONDITION, "orchestrationWorkflow": {"type": "string"}}),
}

_TOLD = {
    "problems": {
        "type": "array",
        "description": "Causes, each followed by the problems that it brings about.",
        "items": _object(
            {
                "component": {"type": "string"},
                "status": _CONDITION,
                "reason": {"type": "string"},
                "do": {"type": "string", "description": "What to do; empty where it is the cause's."},
                "because_of": {"type": ["string", "null"], "description": "The cause's component."},
            },
        ),
    },
    "summary": {"type": "string", "description": "The cause, what it holds up, and what to do."},
    "unfinished": {
        "description": "Rows that are due and have not ended; null where nobody knows.",
        "anyOf": [
            _object(
                {
                    "rows": _COUNT,
                    "waiting": _COUNT,
                    "in_hands": _COUNT,
                    "enterprises": _COUNT,
                    "oldest_age_seconds": {"type": "number", "minimum": 0},
                    "at_least": {"type": "boolean"},
                }
            ),
            {"type": "null"},
        ],
    },
}
"""Why it is as it is: in /status always, in /health where something is wrong."""

HEALTH = _object({**_HEALTH_MEMBERS, **_TOLD}, optional=("enterprises_left_out", *_TOLD))

_PROCESS = {
    "pid": {"type": "integer"},
    "host": {"type": "string"},
    "started_at": _INSTANT,
    "memory_bytes": _COUNT,
    "cpu_percent": {"type": "number"},
}

_FAILING = {
    "type": "array",
    "description": "Parts that have met what nobody foresaw, and have not run for long enough since.",
    "items": _object(
        {
            "part": {"type": "string"},
            "faults": _COUNT,
            "failing_since": _INSTANT,
            "last_fault": {"type": "string"},
            "running": {"type": "boolean"},
        }
    ),
}

STATUS = _object(
    {
        **_HEALTH_MEMBERS,
        "observed_at": _INSTANT,
        "version": {"type": "string"},
        "build": {"type": "string"},
        "process": _object(_PROCESS),
        **_TOLD,
        "dependencies": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "required": ["status"],
                "properties": {"status": _CONDITION},
            },
        },
        "feed": _object(
            {
                "heard": _COUNT,
                "total": _COUNT,
                "ways": {"type": "array", "items": {"enum": [way.value for way in FeedWay]}},
                "last_proof_of_life_at": _INSTANT_OR_NULL,
                "reconnects": _COUNT,
                "last_errors": {"type": "array", "items": {"type": "string"}},
                "flaws": {"type": "array", "items": {"type": "string"}},
            }
        ),
        "enterprises": {"type": "object", "additionalProperties": {"type": "object"}},
        "enterprises_shown": _object(
            {"total": _COUNT, "matching": _COUNT, "search": {"type": "string"}, "page": _COUNT, "pages": _COUNT}
        ),
        "waiting_rows": {"type": ["integer", "null"], "minimum": 0},
        "task_queue": {"type": "string"},
        "task_queues": {"type": "object", "additionalProperties": {"type": "object"}},
        "deliveries": _object({"sent": _COUNT, "failed": _MAP_OF_COUNTS}),
        "retried": {
            "type": "array",
            "items": _object(
                {
                    "enterprise_id": {"type": "string"},
                    "code": {"type": "string"},
                    "rows": _COUNT,
                    "oldest_age_seconds": {"type": "number", "minimum": 0},
                }
            ),
        },
        "recent": {"type": "object"},
        "delivery": _object(
            {"rows": _COUNT, "states": _MAP_OF_COUNTS, "unheard_seconds": {"type": "number", "minimum": 0}}
        ),
        "last_errors": {
            "type": "array",
            "items": _object(
                {
                    "notification_id": {"type": "integer"},
                    "enterprise_id": {"type": "string"},
                    "code": {"type": "string"},
                    "at": _INSTANT,
                    "template": {"type": "string"},
                },
                optional=("template",),
            ),
        },
        "processes": {
            "type": "array",
            "items": _object(
                {
                    "component": {"type": "string"},
                    "id": {"type": "string"},
                    "reported_at": _INSTANT,
                    **_PROCESS,
                    "shards": {
                        "type": "array",
                        "description": "Of a listener: the shards of enterprises that it hears.",
                        "items": _COUNT,
                    },
                    "failing": _FAILING,
                },
                optional=("shards",),
            ),
        },
        "failing": _FAILING,
        "lost_processes": {
            "type": "array",
            "description": "Listeners and workers that ended without a word within a day, or froze.",
            "items": _object(
                {
                    "component": {"type": "string"},
                    "id": {"type": "string"},
                    "host": {"type": "string"},
                    "pid": {"type": ["integer", "null"]},
                    "reported_at": _INSTANT,
                }
            ),
        },
        "rule_errors": {
            "type": "array",
            "description": "Enterprises with rules that cannot fire, and why one of them cannot.",
            "items": _object(
                {
                    "enterprise_id": {"type": "string"},
                    "rules": _COUNT,
                    "rule_id": {"type": "integer"},
                    "error": {"type": "string"},
                }
            ),
        },
    },
    optional=("enterprises_left_out",),
)

_COUNT_OR_NULL = {"type": ["integer", "null"], "minimum": 0}
_NUMBER_OR_NULL = {"type": ["number", "null"], "minimum": 0}

_TICK: Schema = {
    "verdict": {"enum": [verdict.value for verdict in Verdict]},
    "reason": {"description": "Of a hold.", "enum": [*(reason.value for reason in HoldReason), None]},
    "current": {**_COUNT_OR_NULL, "description": "Instances that there were to be before."},
    "instances": {**_COUNT_OR_NULL, "description": "Instances that there are to be now."},
    "target": {
        **_COUNT_OR_NULL,
        "description": "Instances that the figures ask for; it is gone there step by step.",
    },
    "backlog": _COUNT_OR_NULL,
    "backlogAgeSeconds": _NUMBER_OR_NULL,
    "addedPerSecond": _NUMBER_OR_NULL,
    "running": {**_COUNT_OR_NULL, "description": "Deliveries that have begun and not ended."},
}
AUTOSCALED = _object(
    {
        **_TICK,
        "others": {
            "type": "array",
            "description": "With a pool for each build: those of builds before.",
            "items": _object({"pool": {"type": "string"}, **_TICK}),
        },
    },
    optional=("others",),
)

PROBLEM: Schema = {
    "type": "object",
    "description": "RFC 9457, with a code from docs/error_codes.md. Some codes have further members.",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"const": "about:blank"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"enum": [code.value for code in ProblemCode]},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": _object({"member": {"type": "string"}, "reason": {"type": "string"}}),
        },
        "notificationIds": {"type": "array", "items": {"type": "integer"}},
        "notifications": {"type": "object", "additionalProperties": {"type": "string"}},
        "dependency": {"enum": ["supabase", "temporal", "cloud_run"]},
        "report": {"type": "object", "description": "What is known of the health all the same."},
        "tick": {"$ref": "#/components/schemas/Autoscaled"},
    },
}

SCHEMAS: dict[str, Schema] = {
    "Autoscaled": AUTOSCALED,
    "Health": HEALTH,
    "Problem": PROBLEM,
    "Status": STATUS,
    "TriggerState": TRIGGER_STATE,
    "Triggered": TRIGGERED,
    "WebhookTaken": WEBHOOK_TAKEN,
}
