# Webhook: for Novu, which tells what became of messages. It is there where a version of its secret is named.

locals {
  by_webhook = var.secret_versions.novu_webhook_secrets != null
  webhook    = "${local.prefix}-webhook"

  # Anybody may call it, so it holds no more than it needs: the database's key, and what Novu signs with.
  webhook_secrets = {
    for name, version in local.secrets : name => version if contains(["NOVU_WEBHOOK_SECRETS", "SUPABASE_SERVICE_ROLE_KEY"], name)
  }
}

module "webhook" {
  source = "../modules/function"
  count  = local.by_webhook ? 1 : 0

  project_id            = var.project_id
  region                = var.region
  name                  = local.webhook
  target                = "webhook"
  description           = "Takes what Novu tells of messages"
  image                 = var.image
  service_account_email = local.accounts.webhook
  ingress               = "INGRESS_TRAFFIC_ALL"
  invokers              = {}
  max_instances         = var.webhook_max_instances
  public                = true
  cpu                   = var.function_size.cpu
  memory                = var.function_size.memory
  concurrency           = var.function_size.concurrency
  vpc_access            = local.vpc_access
  labels                = merge(local.labels, { part = "webhook" })
  secrets               = local.webhook_secrets
  environment = {
    DAEMON_LOG_LEVEL        = var.log_level
    GOOGLE_CLOUD_PROJECT    = var.project_id
    OTEL_SERVICE_NAME       = local.webhook
    OTEL_TRACES_SAMPLER     = "parentbased_traceidratio"
    OTEL_TRACES_SAMPLER_ARG = tostring(var.trace_share)
    SUPABASE_URL            = var.supabase_url
    XNOVU_BUILD             = local.digest
  }

  depends_on = [data.google_secret_manager_secret_version.main]
}
