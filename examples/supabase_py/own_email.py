"""An email of one's own: a template, a workflow that uses it, and a row that sends it. Settings: see ../README.md."""

import os
import subprocess
import time

from supabase import ClientOptions, create_client

ENTERPRISE = "dev"

database = create_client(
    os.environ["SUPABASE_URL"], os.environ["SUPABASE_SERVICE_ROLE_KEY"], ClientOptions(schema="notify")
)

# 1. A text. Keys of templates and workflows are unique over all enterprises.
template = {
    "name": "Invoice, mail",
    "enterprise_id": ENTERPRISE,
    "publish_status": "PUBLISH",
    "template_key": f"{ENTERPRISE}-invoice-email",
    "channel_type": "EMAIL",
    "subject_template": "Invoice {{ number }}",
    "body_template": "<p>Dear {{ name }}, please find invoice <b>{{ number }}</b> over {{ amount }}.</p>",
}
[made] = database.table("ent_notification_template").upsert(template, on_conflict="template_key").execute().data

# 2. A workflow that sends it.
workflow = {
    "name": "Invoice",
    "enterprise_id": ENTERPRISE,
    "publish_status": "PUBLISH",
    "workflow_key": f"{ENTERPRISE}-invoice",
    "workflow_type": "DYNAMIC",
    "default_channels": ["EMAIL"],
    "template_overrides": {"emailTemplateId": made["id"]},
}
[invoice] = database.table("ent_notification_workflow").upsert(workflow, on_conflict="workflow_key").execute().data

# 3. The same at Novu, once.
subprocess.run(["xnovu", "novu", "apply", "--enterprise", ENTERPRISE, "--yes"], check=True)

# 4. A row. Whoever inserts it is done; the rest is XNovu's.
notification = {
    "name": f"invoice {time.time_ns()}",
    "enterprise_id": ENTERPRISE,
    "publish_status": "PUBLISH",
    "notification_workflow_id": invoice["id"],
    "recipients": ["ada"],
    "channels": None,  # the workflow's
    "payload": {"name": "Ada", "number": "2026-17", "amount": "12 €"},
}
[row] = database.table("ent_notification").insert(notification).execute().data

# 5. What became of it.
while row["notification_status"] in ("PENDING", "PROCESSING"):
    time.sleep(0.2)
    [row] = database.table("ent_notification").select("*").eq("id", row["id"]).execute().data
print(f"notification {row['id']}: {row['notification_status']}", row["error_details"] or "")
