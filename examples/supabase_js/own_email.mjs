// An email of one's own: a template, a workflow that uses it, and a row that sends it. Settings: see ../README.md.
import { execFileSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "@supabase/supabase-js";

const enterprise_id = "dev";
const { SUPABASE_URL, SUPABASE_SERVICE_ROLE_KEY } = process.env;
const database = createClient(SUPABASE_URL, SUPABASE_SERVICE_ROLE_KEY, {
  db: { schema: "notify" },
  auth: { persistSession: false },
});

/** The row that a request answers with; an error is thrown. */
async function row(request) {
  const { data, error } = await request.select("*").single();
  if (error) throw new Error(`${error.code}: ${error.message}`);
  return data;
}

// 1. A text. Keys of templates and workflows are unique over all enterprises.
const template = await row(
  database.from("ent_notification_template").upsert(
    {
      name: "Signup, mail",
      enterprise_id,
      publish_status: "PUBLISH",
      template_key: `${enterprise_id}-signup-email`,
      channel_type: "EMAIL",
      subject_template: "Welcome {{ name }}",
      body_template: "<p>Welcome {{ name }}, your code is <b>{{ code }}</b>.</p>",
    },
    { onConflict: "template_key" },
  ),
);

// 2. A workflow that sends it.
const workflow = await row(
  database.from("ent_notification_workflow").upsert(
    {
      name: "Signup",
      enterprise_id,
      publish_status: "PUBLISH",
      workflow_key: `${enterprise_id}-signup`,
      workflow_type: "DYNAMIC",
      default_channels: ["EMAIL"],
      template_overrides: { emailTemplateId: template.id },
    },
    { onConflict: "workflow_key" },
  ),
);

// 3. The same at Novu, once.
execFileSync("xnovu", ["novu", "apply", "--enterprise", enterprise_id, "--yes"], { stdio: "inherit" });

// 4. A row. Whoever inserts it is done; the rest is XNovu's.
let notification = await row(
  database.from("ent_notification").insert({
    name: `signup ${process.hrtime.bigint()}`,
    enterprise_id,
    publish_status: "PUBLISH",
    notification_workflow_id: workflow.id,
    recipients: ["ada"],
    channels: null, // the workflow's
    payload: { name: "Ada", code: "4711" },
  }),
);

// 5. What became of it.
while (["PENDING", "PROCESSING"].includes(notification.notification_status)) {
  await sleep(200);
  const { data, error } = await database.from("ent_notification").select("*").eq("id", notification.id).single();
  if (error) throw new Error(error.message);
  notification = data;
}
console.log(`notification ${notification.id}: ${notification.notification_status}`, notification.error_details ?? "");
