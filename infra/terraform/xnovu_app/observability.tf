# Dashboard, alerts, SLOs and the uptime check.

module "observability" {
  source = "../modules/observability"

  project_id                    = var.project_id
  prefix                        = local.prefix
  region                        = var.region
  listener_pool_name            = local.listener_name
  worker_pool_name              = local.worker_name
  health_service                = { name = module.health.name, uri = module.health.uri }
  trigger_service_name          = module.trigger.name
  alert_emails                  = var.alert_emails
  notification_channels         = var.notification_channels
  pagerduty_service_key         = var.pagerduty_service_key
  pagerduty_service_key_version = var.pagerduty_service_key_version
  runbook_url                   = var.runbook_url
  delivery_slos                 = var.delivery_slos
  # OTEL_SERVICE_NAME of the parts, for projects that hold several deployments.
  metrics_job          = "(.+/)?${local.prefix}-(listener|worker|health|status|trigger|autoscale|webhook)"
  autoscaler_mode      = var.autoscaler
  worker_min_instances = var.autoscaler == "fixed" ? var.worker_instances : var.worker_min_instances
  listener_count       = var.listener_count
  worker_max_instances = var.autoscaler == "fixed" ? max(1, var.worker_instances) : var.worker_max_instances
  labels               = local.labels
}
