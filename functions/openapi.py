"""The functions' OpenAPI 3.1 document, made from the models that check requests and the table of problems.

`python -m functions.openapi > docs/openapi.json` writes it; a test compares, and another calls every function by it.
"""

import json
import sys
from functools import cache
from typing import Any

from pydantic.json_schema import models_json_schema

from functions.callers import API_KEY_HEADER
from functions.json_body import MAX_BODY_BYTES
from functions.looks import MOST_LOOKS
from functions.openapi_schemas import SCHEMAS
from functions.problems import PROBLEM_MEDIA_TYPE, STATUS, ProblemCode
from functions.trigger_request import (
    IDEMPOTENCY_KEY_HEADER,
    CreateAndSend,
    StateQuery,
    TriggerMany,
    TriggerOne,
)

REQUESTS = (TriggerOne, TriggerMany, CreateAndSend)

EVERYWHERE = frozenset(
    {
        ProblemCode.PATH_NOT_FOUND,
        ProblemCode.METHOD_NOT_ALLOWED,
        ProblemCode.INTERNAL_ERROR,
        ProblemCode.DEADLINE_EXCEEDED,
    }
)
"""What every call may be answered; the first two by calls that the document does not describe."""

POST_TRIGGER = frozenset(
    {
        ProblemCode.INVALID_JSON,
        ProblemCode.INVALID_REQUEST,
        ProblemCode.INVALID_IDEMPOTENCY_KEY,
        ProblemCode.INVALID_RECIPIENTS,
        ProblemCode.MIXED_ENTERPRISES,
        ProblemCode.REFUSED_BY_DATABASE,
        ProblemCode.UNAUTHENTICATED,
        ProblemCode.ENTERPRISE_NOT_ALLOWED,
        ProblemCode.ENTERPRISE_NOT_SERVED,
        ProblemCode.OVERRIDE_NOT_ALLOWED,
        ProblemCode.NOTIFICATION_NOT_FOUND,
        ProblemCode.WORKFLOW_NOT_FOUND,
        ProblemCode.IDEMPOTENCY_CONFLICT,
        ProblemCode.NOT_SENDABLE,
        ProblemCode.BODY_TOO_LARGE,
        ProblemCode.UNSUPPORTED_MEDIA_TYPE,
        ProblemCode.RATE_LIMITED,
        ProblemCode.DEPENDENCY_UNAVAILABLE,
    }
)

GET_TRIGGER = frozenset(
    {
        ProblemCode.INVALID_REQUEST,
        ProblemCode.UNAUTHENTICATED,
        ProblemCode.RUN_NOT_FOUND,
        ProblemCode.RATE_LIMITED,
        ProblemCode.DEPENDENCY_UNAVAILABLE,
    }
)

GET_HEALTH = frozenset({ProblemCode.UNAUTHENTICATED, ProblemCode.OPERATORS_ONLY, ProblemCode.DEPENDENCY_UNAVAILABLE})

POST_WEBHOOK = frozenset(
    {ProblemCode.INVALID_SIGNATURE, ProblemCode.BODY_TOO_LARGE, ProblemCode.DEPENDENCY_UNAVAILABLE}
)

POST_AUTOSCALE = GET_HEALTH | {ProblemCode.INVALID_REQUEST, ProblemCode.TICK_IN_PROGRESS}


@cache
def openapi_document() -> dict[str, Any]:
    """The document."""
    _, models = models_json_schema(
        [(model, "validation") for model in (*REQUESTS, StateQuery)], ref_template="#/components/schemas/{model}"
    )
    schemas = models["$defs"]
    state_query = schemas.pop(StateQuery.__name__)["properties"]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "XNovu functions",
            "version": "1",
            "description": "Each path is a function of its own, which answers at `/` too and serves this document at "
            "`/openapi.json`. docs/functions.md says how to deploy and call them.",
        },
        "security": [{"apiKey": []}, {"identityToken": []}],
        "paths": {
            "/health": _health("health", "How the deployment is", "Health"),
            "/status": _health("status", "How the deployment is, and what that is concluded from", "Status"),
            "/trigger": {
                "post": {
                    "operationId": "trigger",
                    "summary": "Send notifications that exist, or make one and send it",
                    "parameters": [
                        {
                            "name": IDEMPOTENCY_KEY_HEADER,
                            "in": "header",
                            "description": "One key, one notification, however often the call is repeated. Holds for "
                            "as long as the notification exists, within its enterprise.",
                            "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
                        },
                        {
                            "name": "dryRun",
                            "in": "query",
                            "description": "Check everything, change nothing; as the member of the body.",
                            "schema": {"type": "boolean"},
                        },
                    ],
                    "requestBody": {
                        "required": True,
                        "description": f"At most {MAX_BODY_BYTES} bytes; no string may hold U+0000.",
                        "content": {
                            "application/json": {
                                "schema": {
                                    "oneOf": [{"$ref": f"#/components/schemas/{model.__name__}"} for model in REQUESTS]
                                }
                            }
                        },
                    },
                    "responses": {
                        "200": _json(
                            "A workflow sends them, now or when they are due, or they are `alreadySent`.", "Triggered"
                        ),
                        "202": _json(
                            "They are stored. Temporal did not answer, or its schedulers are stopped by an operator: "
                            "the listener's next sweep sends them.",
                            "Triggered",
                        ),
                        **_problems(POST_TRIGGER),
                    },
                },
                "get": {
                    "operationId": "triggerState",
                    "summary": "How a run stands",
                    "parameters": [
                        {
                            "name": name,
                            "in": "query",
                            "required": name == "workflowId",
                            "schema": {key: value for key, value in schema.items() if key not in ("title", "default")},
                        }
                        for name, schema in state_query.items()
                    ],
                    "responses": {"200": _json("The run.", "TriggerState"), **_problems(GET_TRIGGER)},
                },
            },
            "/webhook": {
                "post": {
                    "operationId": "webhook",
                    "summary": "Take what Novu tells of a message",
                    "description": "Signed by the Standard Webhooks specification; `svix-*` headers are taken as well.",
                    "security": [],
                    "parameters": [
                        {"name": name, "in": "header", "required": True, "schema": {"type": "string"}}
                        for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
                    ],
                    "requestBody": {
                        "required": True,
                        "description": f"At most {MAX_BODY_BYTES} bytes, as they were signed.",
                        "content": {"application/json": {"schema": {}}},
                    },
                    "responses": {
                        "200": _json("Taken; `result` says whether it says something of a row.", "WebhookTaken"),
                        **_problems(POST_WEBHOOK),
                    },
                }
            },
            "/autoscale": {
                "post": {
                    "operationId": "autoscale",
                    "summary": "Look at the task queue, and have as many workers as are needed",
                    "parameters": [
                        {
                            "name": "looks",
                            "in": "query",
                            "description": "How often to look, spread over a minute; answered is what came of the last "
                            "look, so two take half a minute.",
                            "schema": {"type": "integer", "minimum": 1, "maximum": MOST_LOOKS},
                        }
                    ],
                    "responses": {
                        "200": _json("What was seen and decided.", "Autoscaled"),
                        **_problems(POST_AUTOSCALE),
                    },
                }
            },
        },
        "components": {
            "schemas": {**schemas, **SCHEMAS},
            "securitySchemes": {
                "apiKey": {"type": "apiKey", "in": "header", "name": API_KEY_HEADER},
                "identityToken": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Where the platform verifies it before the call arrives (Cloud Run).",
                },
            },
        },
    }


def _health(operation_id: str, summary: str, schema: str) -> dict[str, Any]:
    """For callers who may act for every enterprise."""
    responses = {"200": _json("Healthy or degraded.", schema), **_problems(GET_HEALTH)}
    # Unhealthy although every dependency answers, such as without any worker: the report as it is.
    responses["503"]["content"].update(_json("", schema)["content"])
    return {"get": {"operationId": operation_id, "summary": summary, "responses": responses}}


def _json(description: str, schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": description, "content": content}


def _problems(codes: frozenset[ProblemCode]) -> dict[str, Any]:
    """A response for each status, which names its codes."""
    by_status: dict[int, list[ProblemCode]] = {}
    for code in sorted(codes | EVERYWHERE):
        by_status.setdefault(STATUS[code], []).append(code)
    return {
        str(status): {
            "description": ", ".join(found),
            "content": {
                PROBLEM_MEDIA_TYPE: {
                    "schema": {
                        "allOf": [{"$ref": "#/components/schemas/Problem"}],
                        "properties": {"code": {"enum": [code.value for code in found]}},
                    }
                }
            },
        }
        for status, found in sorted(by_status.items())
    }


if __name__ == "__main__":
    json.dump(openapi_document(), sys.stdout, indent=2)
    sys.stdout.write("\n")
