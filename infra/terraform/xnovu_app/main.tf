# One deployment of XNovu, the same for every environment: a file for each part, with its runtime and who may call it.

locals {
  digest = element(split("@", var.image), length(split("@", var.image)) - 1) # sha256:...
  labels = merge(var.labels, { app = "xnovu", environment = var.environment })
  prefix = "xnovu-${var.environment}"

  # As whom the parts run, by part. bootstrap/ makes the accounts and says what each may do.
  accounts = {
    for part in ["autoscale", "health", "invoker", "listener", "scheduler", "status", "trigger", "webhook", "worker"] :
    part => "${local.prefix}-${part}@${var.project_id}.iam.gserviceaccount.com"
  }
  scaler_role = "projects/${var.project_id}/roles/${replace(local.prefix, "-", "_")}_scaler"

  serves_everybody = var.enterprise_ids == tolist(["*"])

  # Everybody's settings: docs/configuration.md.
  connections = {
    DAEMON_LOG_LEVEL        = var.log_level
    GOOGLE_CLOUD_PROJECT    = var.project_id
    SUPABASE_URL            = var.supabase_url
    TEMPORAL_ADDRESS        = var.temporal.address
    TEMPORAL_NAMESPACE      = var.temporal.namespace
    TEMPORAL_TASK_QUEUE     = var.temporal.task_queue
    TEMPORAL_TLS            = tostring(var.temporal.tls)
    OTEL_TRACES_SAMPLER     = "parentbased_traceidratio"
    XNOVU_BUILD             = local.digest
    DAEMON_ENTERPRISE_IDS   = join(",", var.enterprise_ids)
    OTEL_TRACES_SAMPLER_ARG = tostring(var.trace_share)
  }

  functions = merge(local.connections, { FUNCTIONS_TRUST_PLATFORM_IDENTITY = "true" }, var.function_settings)

  # Names of Cloud Run that people and alerts know.
  listener_name = "${local.prefix}-listener"
  worker_name   = "${local.prefix}-worker"
}
