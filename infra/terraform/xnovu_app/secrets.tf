# Secrets by reference. bootstrap/ makes them; here is said which version of each is read, and by whom.

locals {
  novu_keys = {
    for name, version in var.novu_keys :
    "NOVU_SECRET_KEY__${name}" => { secret = "novu_secret_key_${lower(name)}", version = version }
  }

  secrets = {
    for name, version in merge(local.novu_keys, {
      NOVU_SECRET_KEY               = { secret = "novu_secret_key", version = var.secret_versions.novu_secret_key }
      NOVU_WEBHOOK_SECRETS          = { secret = "novu_webhook_secrets", version = var.secret_versions.novu_webhook_secrets }
      SUPABASE_SERVICE_ROLE_KEY     = { secret = "supabase_service_role_key", version = var.secret_versions.supabase_service_role_key }
      TEMPORAL_API_KEY              = { secret = "temporal_api_key", version = var.secret_versions.temporal_api_key }
      TEMPORAL_TLS_CLIENT_CERT_DATA = { secret = "temporal_tls_client_cert", version = var.secret_versions.temporal_tls_client_cert }
      TEMPORAL_TLS_CLIENT_KEY_DATA  = { secret = "temporal_tls_client_key", version = var.secret_versions.temporal_tls_client_key }
    }) : name => { secret = "${local.prefix}-${replace(version.secret, "_", "-")}", version = version.version }
    if version.version != null
  }

  # Novu's keys are the worker's alone, and what Novu signs with the webhook function's.
  worker_secrets = { for name, version in local.secrets : name => version if name != "NOVU_WEBHOOK_SECRETS" }
  other_secrets  = { for name, version in local.worker_secrets : name => version if !startswith(name, "NOVU_SECRET_KEY") }
}

# What runs starts only if every secret it names has the version: looked up first, without reading the value. Whether it is
# enabled cannot be told so (the provider says that each is): infra/cloudbuild/secrets asks.
data "google_secret_manager_secret_version" "main" {
  for_each = local.secrets

  project           = var.project_id
  secret            = each.value.secret
  version           = tostring(each.value.version)
  fetch_secret_data = false

  lifecycle {
    postcondition {
      condition     = coalesce(self.destroy_time, "-") == "-"
      error_message = "Version ${each.value.version} of the secret ${each.value.secret} has been destroyed. Add one, and name it in secret_versions."
    }
  }
}
