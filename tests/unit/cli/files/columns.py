"""Rows' columns, one of each kind, that belong together."""

MAIL = {
    "template_key": "mail",
    "name": "mail",
    "description": None,
    "channel_type": "EMAIL",
    "subject_template": None,
    "body_template": "<p>Hi</p>",
    "variables_description": None,
    "category": None,
    "publish_status": "PUBLISH",
    "deactivated": False,
}
ORDER = {
    "workflow_key": "order",
    "name": "order",
    "description": None,
    "workflow_type": "DYNAMIC",
    "default_channels": ["EMAIL"],
    "template_overrides": {"emailTemplateId": "mail"},
    "payload_schema": None,
    "control_schema": None,
    "category": None,
    "publish_status": "PUBLISH",
    "deactivated": False,
}
NIGHTLY = {
    "name": "nightly",
    "description": None,
    "workflow": "order",
    "trigger_type": "CRON",
    "trigger_config": {"cron": "0 9 * * *"},
    "rule_payload": {"recipients": ["ada"]},
    "publish_status": "PUBLISH",
    "deactivated": False,
}
