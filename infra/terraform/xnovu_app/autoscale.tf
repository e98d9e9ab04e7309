# Scaling by our own function: Cloud Scheduler calls it every minute, and in a call it looks several times at what waits, and
# sets the worker pool's number of instances (docs/decisions/0080).

locals {
  by_function = var.autoscaler == "function"
  autoscale   = "${local.prefix}-autoscale"

  # The first is the one that is to have the work.
  scaled_by_function = [
    for name in concat([local.current_worker_pool], sort(setsubtract(keys(local.worker_pools), [local.current_worker_pool]))) :
    "projects/${var.project_id}/locations/${var.region}/workerPools/${name}"
  ]
}

module "autoscale" {
  source = "../modules/function"
  count  = local.by_function ? 1 : 0

  project_id            = var.project_id
  region                = var.region
  name                  = local.autoscale
  target                = "autoscale"
  description           = "Has as many workers as are needed"
  image                 = var.image
  service_account_email = local.accounts.autoscale
  ingress               = "INGRESS_TRAFFIC_INTERNAL_ONLY"
  invokers              = { scheduler = "serviceAccount:${local.accounts.scheduler}" }
  max_instances         = 1
  cpu                   = 0.25
  timeout_seconds       = 60
  vpc_access            = local.vpc_access
  labels                = merge(local.labels, { part = "autoscale" })
  secrets               = local.other_secrets
  environment = merge(local.functions, {
    AUTOSCALE_BACKLOG_AGE_SECONDS = tostring(var.autoscale.backlog_age_seconds)
    AUTOSCALE_DRAIN_SECONDS       = tostring(var.autoscale.drain_seconds)
    AUTOSCALE_MAX_INSTANCES       = tostring(var.worker_max_instances)
    AUTOSCALE_MIN_INSTANCES       = tostring(var.worker_min_instances)
    AUTOSCALE_QUIET_SECONDS       = tostring(var.autoscale.quiet_seconds)
    AUTOSCALE_STEP_UP             = tostring(var.autoscale.step_up)
    AUTOSCALE_TASKS_PER_SECOND    = tostring(var.autoscale.tasks_per_second)
    AUTOSCALE_WORKER_POOL         = join(",", local.scaled_by_function)
    OTEL_SERVICE_NAME             = local.autoscale
  }, var.worker_versioning ? { TEMPORAL_WORKER_DEPLOYMENT_NAME = local.prefix } : {})

  depends_on = [data.google_secret_manager_secret_version.main]
}

resource "google_cloud_run_v2_worker_pool_iam_member" "autoscale" {
  for_each = local.by_function ? module.worker : {}

  project  = var.project_id
  location = var.region
  name     = each.value.name
  role     = local.scaler_role
  member   = "serviceAccount:${local.accounts.autoscale}"
}

resource "google_cloud_scheduler_job" "autoscale" {
  count = local.by_function ? 1 : 0

  project          = var.project_id
  region           = coalesce(var.scheduler_region, var.region)
  name             = local.autoscale
  description      = "Has as many workers as are needed, every minute"
  schedule         = "* * * * *"
  time_zone        = "Etc/UTC"
  attempt_deadline = "60s"

  # The next minute's call is the repeat.
  retry_config {
    retry_count = 0
  }

  http_target {
    uri         = "${one(module.autoscale).uri}/autoscale?looks=${var.autoscale.looks_per_minute}"
    http_method = "POST"

    oidc_token {
      service_account_email = local.accounts.scheduler
      audience              = one(module.autoscale).uri
    }
  }

  depends_on = [google_cloud_run_v2_worker_pool_iam_member.autoscale]
}
