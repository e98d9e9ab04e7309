# Production: never without a worker, and protected from deletion.

module "xnovu_app" {
  source = "../../modules/xnovu_app"

  alert_emails                  = var.alert_emails
  autoscale                     = var.autoscale
  autoscaler                    = var.autoscaler
  decommissioning               = var.decommissioning
  deletion_protection           = true
  delivery_slos                 = var.delivery_slos
  enterprise_ids                = var.enterprise_ids
  environment                   = "prod"
  function_invokers             = var.function_invokers
  image                         = var.image
  notification_channels         = var.notification_channels
  pagerduty_service_key         = var.pagerduty_service_key
  pagerduty_service_key_version = var.pagerduty_service_key_version
  prefix                        = "xnovu-prod"
  project_id                    = var.project_id
  region                        = var.region
  runbook_url                   = var.runbook_url
  secret_versions               = var.secret_versions
  static_egress_cidr            = var.static_egress_cidr
  supabase_url                  = var.supabase_url
  temporal                      = var.temporal
  temporal_principals           = var.temporal_principals
  trace_share                   = 0.1
  worker_builds                 = var.worker_builds
  worker_instances              = var.worker_instances
  worker_max_instances          = var.worker_max_instances
  worker_min_instances          = var.worker_min_instances
  worker_versioning             = var.worker_versioning
}
