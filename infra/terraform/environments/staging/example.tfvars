# Copy this to values.tfvars beside it, put your own values in, and commit that: none is secret. The image comes with each
# deployment. Every variable of xnovu_app (its README lists them) may stand here; in what the three environments differ is at the end.
project_id     = "my-project"
region         = "europe-west3"
enterprise_ids = ["acme"] # or ["*"]: every enterprise that the database knows
supabase_url   = "https://abcdefghijklmnopqrst.supabase.co"
alert_emails   = ["oncall@example.org"]
runbook_url    = "https://example.org/xnovu/docs/runbook.md"

temporal = {
  address   = "europe-west3.gcp.api.temporal.io:7233"
  namespace = "xnovu-staging.a1b2c"
}

# Which version of each secret is read: what bootstrap/ wrote, or `gcloud secrets versions add` said.
secret_versions = {
  novu_secret_key           = 1
  supabase_service_role_key = 1
  temporal_api_key          = 1
}

# Cloud Build tries what it has rolled out: `terraform output service_accounts` in bootstrap/ names its accounts.
function_invokers = {
  cloud_build = "serviceAccount:xnovu-applier-staging@my-project.iam.gserviceaccount.com"
}

# Staging: like production, smaller; may be destroyed, every notification is traced.
environment          = "staging"
autoscaler           = "function"
deletion_protection  = false
trace_share          = 1
worker_min_instances = 1
worker_max_instances = 4
