# Scaling by our own function: Cloud Scheduler calls it every minute, and it sets the worker pool's number of instances.

locals {
  by_function = var.autoscaler == "function"
  autoscale   = "${var.prefix}-autoscale"
}

module "autoscale_identity" {
  source = "../identity"
  count  = local.by_function ? 1 : 0

  project_id   = var.project_id
  account_id   = local.autoscale
  display_name = "XNovu ${var.environment}: autoscale"
  secret_ids   = toset([for version in local.other_secrets : version.secret])
}

module "autoscale" {
  source = "../function"
  count  = local.by_function ? 1 : 0

  project_id            = var.project_id
  region                = var.region
  name                  = local.autoscale
  target                = "autoscale"
  description           = "Has as many workers as are needed"
  image                 = var.image
  service_account_email = one(module.autoscale_identity).email
  ingress               = "INGRESS_TRAFFIC_INTERNAL_ONLY"
  invokers              = { scheduler = google_service_account.scheduler[0].member }
  max_instances         = 1
  concurrency           = 4
  deletion_protection   = local.protected
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
    AUTOSCALE_WORKER_POOL         = "projects/${var.project_id}/locations/${var.region}/workerPools/${local.worker_name}"
    OTEL_SERVICE_NAME             = local.autoscale
  })

  depends_on = [data.google_secret_manager_secret_version.main]
}

# Changing a pool is changing all of it, its image too, so whoever may do it is as good as the worker: one pool, one account.
resource "google_project_iam_custom_role" "scaler" {
  count = var.autoscaler == "fixed" ? 0 : 1

  project     = var.project_id
  role_id     = "${replace(var.prefix, "-", "_")}_scaler"
  title       = "XNovu ${var.environment}: scales workers"
  description = "Reads and changes worker pools. Bound on single pools only."
  permissions = ["run.workerpools.get", "run.workerpools.update"]
}

# What became of a change is an operation of the project, not of the pool.
resource "google_project_iam_custom_role" "watcher" {
  count = local.by_function ? 1 : 0

  project     = var.project_id
  role_id     = "${replace(var.prefix, "-", "_")}_operation_watcher"
  title       = "XNovu ${var.environment}: watches its changes"
  description = "Reads Cloud Run's operations."
  permissions = ["run.operations.get"]
}

resource "google_project_iam_member" "autoscale_watches" {
  count = local.by_function ? 1 : 0

  project = var.project_id
  role    = google_project_iam_custom_role.watcher[0].id
  member  = one(module.autoscale_identity).member
}

resource "google_cloud_run_v2_worker_pool_iam_member" "autoscale" {
  for_each = local.by_function ? module.worker : {}

  project  = var.project_id
  location = var.region
  name     = each.value.name
  role     = google_project_iam_custom_role.scaler[0].id
  member   = one(module.autoscale_identity).member
}

resource "google_service_account_iam_member" "autoscale_acts_as_worker" {
  count = local.by_function ? 1 : 0

  service_account_id = module.worker_identity.name
  role               = "roles/iam.serviceAccountUser"
  member             = one(module.autoscale_identity).member
}

resource "google_service_account" "scheduler" {
  count = local.by_function ? 1 : 0

  project      = var.project_id
  account_id   = "${var.prefix}-scheduler"
  display_name = "XNovu ${var.environment}: calls autoscale"
}

resource "google_cloud_scheduler_job" "autoscale" {
  count = local.by_function ? 1 : 0

  project          = var.project_id
  region           = coalesce(var.scheduler_region, var.region)
  name             = local.autoscale
  description      = "Has as many workers as are needed, every minute"
  schedule         = "* * * * *"
  time_zone        = "Etc/UTC"
  attempt_deadline = "30s"

  # The next minute's call is the repeat.
  retry_config {
    retry_count = 0
  }

  http_target {
    uri         = "${one(module.autoscale).uri}/autoscale"
    http_method = "POST"

    oidc_token {
      service_account_email = google_service_account.scheduler[0].email
      audience              = one(module.autoscale).uri
    }
  }

  depends_on = [
    google_cloud_run_v2_worker_pool_iam_member.autoscale,
    google_service_account_iam_member.autoscale_acts_as_worker,
  ]
}
